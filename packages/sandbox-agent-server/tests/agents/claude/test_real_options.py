"""What a session asks of Claude Code alone, with the real program. The model is scripted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from claude_driver import StartClaude
from sandbox_agent_core.agent_options import ClaudeOptions, ClaudeSubagent
from sandbox_agent_core.errors import InvalidRequest, WorkspaceNotTrusted
from sandbox_agent_core.frames import operations
from sandbox_agent_core.projection.faults import fault_of
from support.scripted_llm import LoggedRequest, ScriptedLLM

pytestmark = pytest.mark.real_agent

SCHEMA = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}


def tools(request: LoggedRequest) -> set[str]:
    return {tool["name"] for tool in request.body["tools"]}


async def test_what_is_given_reaches_the_model(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    options = ClaudeOptions(
        tools=["Bash", "Read", "Write"],
        disallowed_tools=["Write"],
        system_prompt="You are the replacement.",
        betas=["some-beta-2026-01-01"],
        max_thinking_tokens=2000,
        setting_sources=[],
        agents={"checker": ClaudeSubagent(description="Checks", prompt="You check.")},
        skills=["verify"],
        fallback_model="haiku",
        max_turns=50,
        max_budget_usd=5,
    )
    claude = await start_claude(session_options=options)
    # One that does not decide itself how much it thinks.
    meta = {"systemPrompt": "And this is added.", "model": "claude-sonnet-4-5"}
    await claude.open(_meta=meta)

    answer = await claude.prompt("SCENARIO:text")

    request = scripted_llm.requests[-1]
    init = (await claude.wait_for_method("_claude/init"))["params"]["message"]
    assert answer["result"]["stopReason"] == "end_turn"
    assert {"Bash", "Read"} <= tools(request)
    assert "Write" not in tools(request)
    assert "You are the replacement." in str(request.body["system"])
    assert "And this is added." in str(request.body["system"])
    assert "checker" in init["agents"]
    assert request.body["thinking"]["budget_tokens"] == 2000


async def test_a_prompt_may_make_only_so_many_requests(start_claude: StartClaude) -> None:
    claude = await start_claude(session_options=ClaudeOptions(max_turns=1))
    await claude.open()

    answer = await claude.prompt("SCENARIO:tool SHELL<<true>>")

    assert answer["result"]["stopReason"] == "max_turn_requests"
    assert (await claude.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_a_session_may_cost_only_so_much(start_claude: StartClaude) -> None:
    claude = await start_claude(session_options=ClaudeOptions(max_budget_usd=0.0001))
    await claude.open()

    answer = await claude.prompt("SCENARIO:tool SHELL<<true>>")

    assert fault_of(answer["error"])["code"] == "quota_exceeded"


async def test_every_prompt_ends_with_an_object_by_the_schema(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude(session_options=ClaudeOptions(output_schema=SCHEMA))
    await claude.open()

    answer = await claude.prompt("SCENARIO:text")
    compacted = await claude.set(operations.SESSION_COMPACT)

    offered = next(t for t in scripted_llm.requests[0].body["tools"] if t["name"] == "StructuredOutput")  # fmt: skip
    assert offered["input_schema"]["properties"] == SCHEMA["properties"]
    assert "outputSchema" in answer["error"]["message"], "the scripted model gives none"
    assert compacted["result"]["stopReason"] == "end_turn"


async def test_what_runs_by_itself_needs_a_trusted_workspace(
    start_claude: StartClaude, cwd: Path
) -> None:
    plugin = cwd / "plugin"
    plugin.mkdir()
    for options in (
        ClaudeOptions(setting_sources=["project"]),
        ClaudeOptions(plugins=[str(plugin)]),
    ):
        with pytest.raises(WorkspaceNotTrusted):
            await start_claude(session_options=options)
    with pytest.raises(InvalidRequest, match="no absolute path"):
        await start_claude(session_options=ClaudeOptions(plugins=["plugin"]))


async def test_without_checkpoints_files_stay(start_claude: StartClaude, cwd: Path) -> None:
    claude = await start_claude(session_options=ClaudeOptions(file_checkpoints=False))
    opened = await claude.ask("initialize", {"protocolVersion": 1})
    await claude.open()
    await claude.prompt(f"SCENARIO:write-file FILE<<{cwd}/new.txt>>")

    back = {"promptIndex": 0, "files": True, "conversation": False}
    refused = await claude.set(operations.SESSION_REWIND, **back)

    can: dict[str, Any] = opened["result"]["agentCapabilities"]["_meta"]["sandbox_agent"]
    assert can["rewind"] == {"files": False, "conversation": True}
    assert "error" in refused
