"""What an agent says that it can do, read leniently."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.spi.capabilities import AgentCapabilities


def of(own: Any = None, **acp: Any) -> AgentCapabilities:
    return AgentCapabilities.read({**acp, "_meta": {"sandbox_agent": own}})


def test_what_is_not_announced_is_not_supported() -> None:
    assert AgentCapabilities.read({}) == AgentCapabilities()
    assert of({}) == AgentCapabilities()


@pytest.mark.parametrize("odd", [None, 7, "yes", [], {"rewind": True, "hooks": "before_tool"}])
def test_anything_can_be_read(odd: Any) -> None:
    assert of(odd) == AgentCapabilities()
    assert AgentCapabilities.read({"_meta": odd, "sessionCapabilities": odd}) == AgentCapabilities()


def test_a_fork_is_whole_or_also_before_a_prompt() -> None:
    assert (of({"fork": True}).fork, of({"fork": True}).fork_at) == (True, False)
    assert (of({"fork": {"at": True}}).fork, of({"fork": {"at": True}}).fork_at) == (True, True)


def test_the_fork_of_acp_counts() -> None:
    capabilities = of(sessionCapabilities={"fork": {}})
    assert (capabilities.fork, capabilities.fork_at) == (True, False)


def test_all_of_it() -> None:
    read = of(
        {
            "steer": True,
            "compact": True,
            "review": True,
            "rewind": {"files": False, "conversation": True},
            "rename": True,
            "native": True,
            "outputSchema": True,
            "hooks": ["before_tool"],
            "permissionAnswers": ["message", "updatedInput"],
        }
    )
    assert read == AgentCapabilities(
        steer=True,
        compact=True,
        review=True,
        rewind_conversation=True,
        rename=True,
        native=True,
        output_schema=True,
        hooks=frozenset({"before_tool"}),
        permission_answers=frozenset({"message", "updatedInput"}),
    )
