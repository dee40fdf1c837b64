"""Cancelling, switching, failing, resuming and stopping the real Claude Code. The model is scripted."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from claude_driver import ClaudeDriver, StartClaude, leave_open
from sandbox_agent_core.errors import AgentNotInstalled
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents import private_file
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent


def answers(claude: ClaudeDriver, id: int) -> list[dict]:
    return [frame for frame in claude.frames if frame.get("id") == id and "method" not in frame]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def running() -> set[int]:
    return {int(path.name) for path in Path("/proc").glob("[0-9]*")}


def command_lines() -> bytes:
    found = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += path.read_bytes()
    return found


def mcp_configs(directory: Path) -> list[Path]:
    return list(directory.glob("sandbox-agent-mcp-*.json"))


async def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true within 5 s")


# Cancelling


async def cancel(claude: ClaudeDriver, id: int) -> dict:
    await claude.cancel()
    answer = await claude.wait_for_prompt(id)
    assert answers(claude, id) == [answer]
    result: dict = answer["result"]
    return result


async def test_cancel_while_text_streams(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude()
    await claude.open()
    id = await claude.start_prompt("SCENARIO:slow")
    await claude.wait_for_update("agent_message_chunk")

    result = await cancel(claude, id)

    assert result["stopReason"] == "cancelled"
    assert result["usage"]["outputTokens"] > 0, "what was streamed was paid for"
    assert claude.text().count("tick0 ") == 1
    await asyncio.to_thread(
        scripted_llm.wait_for_request, lambda request: request.outcome == "disconnected"
    )


async def test_cancel_while_a_permission_is_open(start_claude: StartClaude, cwd: Path) -> None:
    claude = await start_claude()
    claude.answer = leave_open
    await claude.open()
    id = await claude.start_prompt("SCENARIO:tool SHELL<<touch made>>")
    asked = await claude.wait_for_method("session/request_permission")

    await claude.cancel()
    await claude.respond(asked, {"outcome": {"outcome": "cancelled"}})
    answer = await claude.wait_for_prompt(id)

    assert answer["result"]["stopReason"] == "cancelled"
    assert claude.last_tool()["status"] == "failed"
    assert not (cwd / "made").exists()
    again = await claude.prompt("SCENARIO:text")
    assert again["result"]["stopReason"] == "end_turn", "the late answer stops no other turn"


async def test_claude_withdraws_what_nobody_answered(start_claude: StartClaude) -> None:
    claude = await start_claude()
    claude.answer = leave_open
    await claude.open()
    id = await claude.start_prompt("SCENARIO:ask")
    asked = await claude.wait_for_method("elicitation/create")

    await cancel(claude, id)

    withdrawn = await claude.wait_for_method("$/cancel_request")
    assert withdrawn["params"] == {"requestId": asked["id"]}


async def test_cancel_while_a_command_runs_stops_the_command(
    start_claude: StartClaude, cwd: Path
) -> None:
    claude = await start_claude()
    await claude.open()
    id = await claude.start_prompt("SCENARIO:tool SHELL<<echo $$ > pid; sleep 20; touch late>>")
    await eventually(lambda: text_of(cwd / "pid").endswith("\n"))

    assert (await cancel(claude, id))["stopReason"] == "cancelled"

    pid = int(text_of(cwd / "pid"))
    await eventually(lambda: pid not in running())


@pytest.mark.parametrize("delay_s", [0, 0.002, 0.02, 0.1])
async def test_cancel_right_behind_the_prompt(start_claude: StartClaude, delay_s: float) -> None:
    claude = await start_claude()
    await claude.open()
    await claude.prompt("SCENARIO:text")  # the first turn of a process begins later than others
    id = await claude.start_prompt("SCENARIO:slow")
    await asyncio.sleep(delay_s)

    assert (await cancel(claude, id))["stopReason"] == "cancelled"
    assert (await claude.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_cancel_without_a_turn_does_nothing(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    await claude.cancel()

    assert (await claude.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


# Switching


async def test_modes_and_settings_are_offered(start_claude: StartClaude) -> None:
    claude = await start_claude()
    opened = await claude.open()

    modes = [mode["id"] for mode in opened["modes"]["availableModes"]]
    by_category = {option["category"]: option for option in opened["configOptions"]}
    assert opened["modes"]["currentModeId"] == "default"
    assert modes == ["default", "acceptEdits", "plan", "auto", "bypassPermissions"]
    assert by_category["model"]["currentValue"] == "default"
    assert {"default", "opus", "haiku", "claude-opus-5-5"} <= {
        choice["value"] for choice in by_category["model"]["options"]
    }
    assert [choice["value"] for choice in by_category["thought_level"]["options"]] == [
        "default", "low", "medium", "high", "xhigh", "max",
    ]  # fmt: skip
    assert (await claude.wait_for_update("available_commands_update"))["availableCommands"]


async def test_bypass_asks_nothing_even_as_root(start_claude: StartClaude, cwd: Path) -> None:
    claude = await start_claude()
    await claude.open()

    answer = await claude.set("session/set_mode", modeId="bypassPermissions")
    await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert answer["result"] == {}
    assert not claude.asked()
    assert (cwd / "made").exists()


async def test_bypass_can_be_forbidden(start_claude: StartClaude) -> None:
    claude = await start_claude(options={"allow_bypass": False})
    opened = await claude.open()

    answer = await claude.set("session/set_mode", modeId="bypassPermissions")

    assert "bypassPermissions" not in str(opened["modes"])
    assert answer["error"]["code"] == -32602


async def test_plan_mode_reaches_the_model(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude()
    await claude.open()

    await claude.set("session/set_config_option", configId="mode", value="plan")
    await claude.prompt("SCENARIO:text")

    assert "Plan mode is active" in str(scripted_llm.requests[-1].body["messages"])


async def test_model_and_effort_reach_the_model(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude()
    await claude.open()

    answer = await claude.set("session/set_config_option", configId="model", value="haiku")
    await claude.set("session/set_config_option", configId="effort", value="max")
    await claude.prompt("SCENARIO:text")

    body = scripted_llm.requests[-1].body
    options = {option["id"]: option for option in answer["result"]["configOptions"]}
    assert options["model"]["currentValue"] == "haiku"
    assert body["model"] == "claude-haiku-5-5"
    assert body["output_config"]["effort"] == "max"
    assert not claude.text().startswith("Set model"), "what the switch prints is no answer"


async def test_a_model_can_be_chosen_at_the_start(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude()
    opened = await claude.open(_meta={"model": "some-gateway-model"})

    await claude.prompt("SCENARIO:text")

    assert scripted_llm.requests[-1].model == "some-gateway-model"
    model = next(item for item in opened["configOptions"] if item["id"] == "model")
    assert model["currentValue"] == "some-gateway-model"


async def test_a_mode_that_is_none_is_refused(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    assert (await claude.set("session/set_mode", modeId="nonsense"))["error"]["code"] == -32602
    bad = await claude.set("session/set_config_option", configId="effort", value="nonsense")
    assert bad["error"]["code"] == -32602


# Failing


@pytest.mark.parametrize(
    ("scenario", "code", "status"),
    [("http401", -32000, 401), ("http400", -32603, 400), ("http429", -32603, 429),
     ("http500", -32603, 500), ("drop", -32603, None)],
)  # fmt: skip
async def test_a_failing_model_is_an_error_and_the_session_goes_on(
    start_claude: StartClaude, scenario: str, code: int, status: int | None
) -> None:
    claude = await start_claude()
    await claude.open()

    error = (await claude.prompt(f"SCENARIO:{scenario}"))["error"]

    assert error["code"] == code
    assert "API Error" in error["message"]
    assert error["data"].get("apiErrorStatus") == status
    assert (await claude.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_a_refused_key_is_an_error_that_says_what_to_set(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()
    assert "ANTHROPIC_API_KEY" in (await claude.prompt("SCENARIO:http401"))["error"]["message"]


async def test_without_credentials_the_error_says_so(start_claude: StartClaude) -> None:
    claude = await start_claude(env={"ANTHROPIC_API_KEY": ""})
    await claude.open()

    error = (await claude.prompt("SCENARIO:text"))["error"]

    assert error["code"] == -32000
    assert "Not logged in" in error["message"]


async def test_a_retry_is_told(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    answer = await claude.prompt("SCENARIO:flaky")

    retry = await claude.wait_for_method("_claude/api_retry")
    assert retry["params"]["message"]["error_status"] == 503
    assert answer["result"]["stopReason"] == "end_turn"


async def test_frames_end_when_the_process_dies_in_a_turn(start_claude: StartClaude) -> None:
    pids: list[int] = []
    claude = await start_claude(on_process=pids.append)
    await claude.open()
    id = await claude.start_prompt("SCENARIO:slow")
    await claude.wait_for_update("agent_message_chunk")

    os.kill(pids[0], 9)

    with pytest.raises(AssertionError, match="the agent is gone"):
        await claude.wait_for_prompt(id)
    assert (await claude.close()).signal == 9


# Resuming and stopping


async def test_a_resumed_session_remembers(start_claude: StartClaude) -> None:
    first = await start_claude()
    session_id = (await first.open())["sessionId"]
    await first.prompt("SCENARIO:text the first thing")
    await first.close()

    second = await start_claude()
    opened = await second.open("session/resume", sessionId=session_id)
    await second.prompt("SCENARIO:memory")

    assert str(UUID(session_id)) == session_id
    assert opened["modes"]["currentModeId"] == "default"
    assert "the first thing" in second.text()
    assert not second.updates("user_message_chunk"), "history is remembered, not repeated"


async def test_a_resume_of_nothing_fails_and_a_new_session_can_be_had(
    start_claude: StartClaude,
) -> None:
    claude = await start_claude()

    answer = await claude.ask("session/resume", {"sessionId": str(uuid4())})
    await claude.open()

    assert answer["error"]["code"] == -32002
    assert "No conversation found" in answer["error"]["message"]
    assert (await claude.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_keys_of_mcp_servers_are_in_a_private_file_until_the_end(
    start_claude: StartClaude, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_file, "_MEMORY", str(tmp_path))
    claude = await start_claude()
    secret = {"name": "TOKEN", "value": "hush-hush"}
    server = {"name": "echo", "command": sys.executable, "args": ["-c", ""], "env": [secret]}
    await claude.open(mcpServers=[server])

    (config,) = mcp_configs(tmp_path)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert "hush-hush" in text_of(config)
    assert b"sandbox-agent-mcp-" in command_lines()
    assert b"hush-hush" not in command_lines()

    await claude.close()
    assert not mcp_configs(tmp_path)


async def test_closing_in_the_middle_of_a_turn_ends_everything(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()
    await claude.start_prompt("SCENARIO:slow-tool")
    await claude.wait_for_update("tool_call")

    await claude.close()

    assert claude.has_ended
    assert await claude.close() == await claude.close()


async def test_closing_before_a_session_ends_the_frames(start_claude: StartClaude) -> None:
    claude = await start_claude()

    ended = await claude.close()

    assert claude.has_ended
    assert (ended.exit_code, ended.signal) == (None, None)


async def test_a_program_that_is_missing_is_told_at_the_start(tmp_path: Path) -> None:
    context = AgentContext(session_id="test", cwd=tmp_path, env={"PATH": str(tmp_path)})

    with pytest.raises(AgentNotInstalled, match="npm install"):
        await ClaudeDriver(context).__aenter__()
