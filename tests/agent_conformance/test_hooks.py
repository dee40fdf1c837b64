"""A hook of the caller decides over the tools of real agents: asked by the agent, or through its permission."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.under_test import AGENTS
from sandbox_agent_client import AfterTool, BeforeTool

COMMAND = "touch {name} && echo made-{name}"


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "pi"])
def test_a_hook_denies_a_command_and_allows_another(lab: Lab, name: str) -> None:
    session = lab.new_session(AGENTS[name], hooks={"before_tool": True})
    workspace = Path(session.info.cwd)
    seen: list[str] = []

    def decide(tool: BeforeTool) -> None:
        seen.append(tool.command or "")
        if "denied" in (tool.command or ""):
            tool.deny(message="Not this one.")
        else:
            tool.allow()

    session.on_tool(before=decide)
    session.on_permission(lambda request: seen.append("a person was asked"))
    for file in ("denied", "allowed"):
        session.prompt(f"SCENARIO:tool SHELL<<{COMMAND.format(name=file)}>>")

    assert not (workspace / "denied").exists()
    assert (workspace / "allowed").exists()
    assert [COMMAND.format(name="denied"), COMMAND.format(name="allowed")] == seen
    session.end()


def test_a_hook_of_the_agents_own_changes_a_command_and_adds_to_its_output(lab: Lab) -> None:
    session = lab.new_session(AGENTS["pi"], hooks={"before_tool": True, "after_tool": True})
    assert session.info.hooks.after_tool == "native"
    workspace = Path(session.info.cwd)
    after: list[AfterTool] = []

    def change(tool: BeforeTool) -> None:
        tool.allow(
            updated_input={
                **dict((tool.info.tool_call or {})["rawInput"]),
                "command": "touch changed",
            }
        )

    def add(tool: AfterTool) -> None:
        after.append(tool)
        tool.add_context("Said by the hook.")

    session.on_tool(before=change, after=add)
    session.prompt(f"SCENARIO:tool SHELL<<{COMMAND.format(name='asked')}>>")

    assert (workspace / "changed").exists()
    assert not (workspace / "asked").exists()
    assert len(after) == 1
    assert "Said by the hook." in str(lab.llm.requests[-1].body)
    session.end()
