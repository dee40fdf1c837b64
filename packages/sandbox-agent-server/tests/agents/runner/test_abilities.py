"""What a user interface is told of an agent: by its definition, and by the agent when it was asked."""

from __future__ import annotations

from typing import Any

import pytest
from agent_conformance.under_test import AGENTS
from sandbox_agent_core.api.agents import AgentConfig
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.runner.abilities import abilities_of, settable

CATALOG = Catalog(plugins=list)
MODEL = {"id": "model", "category": "model", "name": "Model", "type": "select", "currentValue": "a", "options": []}  # fmt: skip


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS.keys())
def test_what_is_said_of_an_agent_is_what_the_suite_finds(agent: Any) -> None:
    told = abilities_of(CATALOG.get(agent.name))
    assert told.questions is ("question" not in agent.lacks)
    assert told.plan_mode
    assert not told.shared_process
    # Copilot has MCP, though not with programs; Grok and Kimi take images and tools that the scripted model cannot play.
    if agent.name not in ("copilot", "grok"):
        assert told.mcp_tools is ("mcp" not in agent.lacks)
    if agent.name != "qwen":
        assert told.images is ("image" not in agent.lacks)


@pytest.mark.parametrize("has", [True, False])
def test_an_agent_that_was_asked_knows_better(has: bool) -> None:
    capabilities = {"promptCapabilities": {"image": has, "embeddedContext": has}}
    told = abilities_of(CATALOG.get("claude"), AgentConfig(capabilities=capabilities))
    assert (told.images, told.file_attachments) == (has, has)


def test_all_eighteen_go_over_the_wire_in_camel_case() -> None:
    wire = abilities_of(CATALOG.get("mock")).model_dump(by_alias=True)
    assert len(wire) == 18
    assert {"planMode", "streamingDeltas", "itemStarted", "mcpTools"} <= set(wire)


def test_what_an_agent_lists_beside_its_options_becomes_one() -> None:
    modes = [{"id": "ask", "name": "Ask", "description": "Asks."}, {"id": "auto"}]
    options = settable(
        AgentConfig(config_options=[MODEL], models=[{"id": "a"}], modes=modes, mode="ask")
    )
    assert options[0] == MODEL
    assert options[1:] == [
        {
            "id": "mode", "category": "mode", "name": "Mode", "type": "select", "currentValue": "ask",
            "options": [{"value": "ask", "name": "Ask", "description": "Asks."}, {"value": "auto", "name": "auto"}],
        }
    ]  # fmt: skip


def test_an_agent_that_offers_nothing_has_no_options() -> None:
    assert settable(AgentConfig()) == []
