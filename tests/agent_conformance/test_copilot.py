"""What Copilot tells in its own way, told in everybody's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.stories import play
from agent_conformance.under_test import AGENTS
from sandbox_agent_client import (
    ContextCompacted,
    CopilotOptions,
    PermissionRequested,
    SessionSync,
    ToolCompleted,
    ToolStarted,
)
from sandbox_agent_client.errors import AgentError

pytestmark = pytest.mark.real_agent


@pytest.fixture
def copilot(lab: Lab) -> Iterator[SessionSync]:
    made = lab.new_session(AGENTS["copilot"])
    yield made
    made.end()


def test_turns_calls_and_modes_are_told_as_by_others(copilot: SessionSync) -> None:
    assert {"agent", "plan", "autopilot"} <= {mode["id"] for mode in copilot.info.modes}
    assert copilot.set_mode("plan").permission_mode == "plan"
    assert copilot.set_mode("ask").mode == "agent"

    failed = play(copilot, "SCENARIO:tool SHELL<<echo said; exit 3>>")
    (started,), (tool,) = failed.of(ToolStarted), failed.of(ToolCompleted)
    (asked,) = failed.of(PermissionRequested)
    assert asked.tool_call is not None
    titles = {call.title for call in (started, asked.tool_call, tool)}
    assert titles == {"echo said; exit 3"}
    assert (started.name, tool.status, tool.exit_code) == ("bash", "failed", 3)
    assert tool.output == {"stdout": "said", "exitCode": 3}

    silent = play(copilot, "SCENARIO:tool SHELL<<true>>")
    assert silent.of(ToolCompleted)[0].content == []
    for story in (failed, silent):
        assert story.ended.usage is not None
        assert story.ended.usage.output_tokens == 40

    refused = play(copilot, "SCENARIO:http401").ended
    assert (refused.stop_reason, refused.error and refused.error.code) == (
        "error",
        "agent_auth_required",
    )


def test_it_compacts_reviews_and_is_asked_in_its_own_protocol(
    copilot: SessionSync, lab: Lab
) -> None:
    copilot.prompt("SCENARIO:text")
    before = copilot.refresh().last_seq
    assert copilot.compact("keep the names").stop_reason == "end_turn"
    (compacted,) = [
        event for event in copilot.events(after=before) if isinstance(event, ContextCompacted)
    ]
    assert compacted.trigger == "manual"
    with pytest.raises(AgentError, match="Nothing to compact"):
        copilot.compact()

    assert "Hello" in copilot.review(instructions="my SCENARIO:text").text
    assert "code review via the /review command" in str(lab.llm.requests[-1].body)
    assert copilot.native("session/list", {"cwd": copilot.info.cwd})["sessions"]


def test_options_and_further_directories_reach_it(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "further.txt").write_text("from further away", encoding="utf-8")
    options = CopilotOptions(model="other-1", excluded_tools=("grep",))
    session = lab.new_session(
        AGENTS["copilot"], agent_options=options, additional_directories=[str(tmp_path)]
    )

    story = play(session, f"SCENARIO:read-file FILE<<{tmp_path}/further.txt>>")

    assert "from further away" in story.text
    (*_, asked) = [one for one in lab.llm.requests if one.body.get("model") == "other-1"]
    assert "grep" not in asked.tools
    assert "view" in asked.tools
    session.end()


@pytest.mark.parametrize(
    ("failure", "code"),
    [("context-overflow", "context_overflow"), ("quota", "quota_exceeded")],
)
def test_a_model_that_takes_no_more_is_a_typed_error(
    copilot: SessionSync, failure: str, code: str
) -> None:
    ended = play(copilot, f"SCENARIO:{failure}").ended

    assert ended.error is not None
    assert (ended.stop_reason, ended.error.code) == ("error", code)
