"""Cancelling, failing, switching, resuming and stopping the real Codex. The model is scripted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sandbox_agent_core.errors import AgentNotInstalled
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.codex import CodexAdapter
from support.adapter_driver import AdapterDriver, StartAdapter, leave_open
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent


async def ends_cancelled(codex: AdapterDriver, prompt: int) -> None:
    """The turn ends as cancelled, and the next prompt works."""
    answer = await codex.wait_for_prompt(prompt)
    assert answer["result"]["stopReason"] == "cancelled"
    codex.forget()
    answer = await codex.prompt("SCENARIO:text")
    assert answer["result"]["stopReason"] == "end_turn"
    assert codex.text() == "Hello from the scripted model."


async def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true within 5 s")


def is_running(*argv: str) -> bool:
    """Looked for by its arguments: in Codex's sandbox a process has another number."""
    wanted = b"".join(word.encode() + b"\0" for word in argv)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if path.read_bytes() == wanted:
                return True
    return False


@pytest.fixture
def nap() -> str:
    """For how long no other test sleeps, in seconds."""
    return f"60.{uuid4().int % 10**12}"


# Cancelling


async def test_cancel_while_text_streams(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex()
    await codex.open()
    prompt = await codex.start_prompt("SCENARIO:slow")
    await codex.wait_for_update("agent_message_chunk")

    await codex.cancel()

    await ends_cancelled(codex, prompt)
    await asyncio.to_thread(
        scripted_llm.wait_for_request, lambda request: request.outcome == "disconnected"
    )


@pytest.mark.parametrize("mode", ["untrusted", "full-access"])
async def test_cancel_while_a_command_runs_stops_the_command(
    start_codex: StartAdapter, nap: str, mode: str
) -> None:
    codex = await start_codex()
    await codex.open()
    await codex.set("session/set_mode", modeId=mode)
    prompt = await codex.start_prompt(f"SCENARIO:tool SHELL<<sleep {nap}; echo late>>")
    await eventually(lambda: is_running("sleep", nap))

    await codex.cancel()

    answer = await codex.wait_for_prompt(prompt)
    assert answer["result"]["stopReason"] == "cancelled"
    assert all(
        codex.tool(update["toolCallId"])["status"] == "failed"
        for update in codex.updates("tool_call")
    ), "a command may run before Codex tells of it"
    await eventually(lambda: not is_running("sleep", nap))
    await ends_cancelled(codex, prompt)


async def test_cancel_while_a_permission_is_open(start_codex: StartAdapter, cwd: Path) -> None:
    codex = await start_codex()
    codex.answer = leave_open
    await codex.open()
    prompt = await codex.start_prompt("SCENARIO:tool SHELL<<touch made>>")
    asked = await codex.wait_for_method("session/request_permission")

    await codex.cancel()

    withdrawn = await codex.wait_for_method("$/cancel_request")
    assert withdrawn["params"] == {"requestId": asked["id"]}
    await codex.respond(asked, {"outcome": {"outcome": "cancelled"}})
    await ends_cancelled(codex, prompt)
    assert not (cwd / "made").exists()


async def test_a_cancelled_permission_stops_the_turn(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    codex.answer = lambda asked: {"outcome": {"outcome": "cancelled"}}
    await codex.open()

    prompt = await codex.start_prompt("SCENARIO:tool SHELL<<touch made>>")

    await ends_cancelled(codex, prompt)


@pytest.mark.parametrize("delay_s", [0, 0.01, 0.05])
async def test_cancel_right_behind_the_prompt(start_codex: StartAdapter, delay_s: float) -> None:
    codex = await start_codex()
    await codex.open()

    prompt = await codex.start_prompt("SCENARIO:slow")
    await asyncio.sleep(delay_s)
    await codex.cancel()

    await ends_cancelled(codex, prompt)


async def test_cancel_stops_sub_agents_too(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex()
    await codex.open()
    prompt = await codex.start_prompt("SCENARIO:subagent SUBAGENT<<slow>>")
    await codex.wait_for(lambda frame: "tick1 " in str(frame))

    await codex.cancel()

    answer = await codex.wait_for_prompt(prompt)
    assert answer["result"]["stopReason"] == "cancelled"
    await asyncio.to_thread(
        scripted_llm.wait_for_request,
        lambda request: request.scenario == "slow" and request.outcome == "disconnected",
    )


async def test_cancel_without_a_prompt_does_nothing(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    await codex.cancel()

    assert (await codex.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_a_second_prompt_while_one_runs_is_refused(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()
    first = await codex.start_prompt("SCENARIO:slow")
    await codex.wait_for_update("agent_message_chunk")

    second = await codex.prompt("SCENARIO:text")

    assert second["error"]["code"] == -32600
    await codex.cancel()
    await ends_cancelled(codex, first)


# Failing


@pytest.mark.parametrize(
    ("scenario", "code", "info"),
    [
        ("http401", -32000, {"httpConnectionFailed": {"httpStatusCode": 401}}),
        ("http429", -32603, {"responseTooManyFailedAttempts": {"httpStatusCode": 429}}),
        ("http500", -32603, "internalServerError"),
        ("http529", -32603, {"httpConnectionFailed": {"httpStatusCode": 529}}),
        ("drop", -32603, None),
    ],
)
async def test_a_failing_model_is_an_error_and_the_session_goes_on(
    start_codex: StartAdapter, scenario: str, code: int, info: Any
) -> None:
    codex = await start_codex()
    await codex.open()

    answer = await codex.prompt(f"SCENARIO:{scenario}")

    assert answer["error"]["code"] == code
    assert info in (None, answer["error"]["data"]["codexErrorInfo"])
    retries = [frame["params"]["message"]["params"] for frame in codex.asked("_codex/error")]
    assert [retry["willRetry"] for retry in retries] == [True]
    codex.forget()
    await codex.prompt("SCENARIO:text")
    assert codex.text() == "Hello from the scripted model."


async def test_a_model_that_is_not_there_is_an_error_in_the_end(start_codex: StartAdapter) -> None:
    codex = await start_codex(env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    await codex.open()

    answer = await codex.prompt("SCENARIO:text")

    assert answer["error"]["code"] == -32603


async def test_without_credentials_there_is_no_session(start_codex: StartAdapter) -> None:
    codex = await start_codex(env={"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""})

    answer = await codex.ask("session/new", {"mcpServers": []})

    assert answer["error"]["code"] == -32000
    assert "OPENAI_API_KEY" in answer["error"]["message"]


async def test_a_key_and_a_base_url_are_enough_and_the_key_is_not_written(
    start_codex: StartAdapter, home: Path, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex(env={"OPENAI_API_KEY": "sk-kept-in-memory"})
    (home / ".codex" / "config.toml").unlink()
    await codex.open()

    await codex.set("session/set_config_option", configId="model", value="scripted")
    await codex.prompt("SCENARIO:text")

    assert codex.text() == "Hello from the scripted model."
    headers = {name.lower(): value for name, value in scripted_llm.requests[-1].headers.items()}
    assert headers["authorization"] == "Bearer sk-kept-in-memory"
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    assert not any(b"sk-kept-in-memory" in path.read_bytes() for path in files)
    assert not (home / ".codex" / "auth.json").exists()


async def test_a_provider_of_the_configuration_is_left_alone(
    start_codex: StartAdapter, home: Path, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex(env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OWN_KEY": "sk-own"})
    config = home / ".codex" / "config.toml"
    provider = (
        'model = "scripted"\nmodel_provider = "own"\n[model_providers.own]\nname = "own"\n'
        f'base_url = "{scripted_llm.url}/v1"\nenv_key = "OWN_KEY"\nwire_api = "responses"\n'
    )
    config.write_text(provider, encoding="utf-8")
    await codex.open()

    await codex.prompt("SCENARIO:text")

    assert codex.text() == "Hello from the scripted model."


async def test_a_codex_that_is_not_there_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    context = AgentContext(session_id="test", cwd=tmp_path, env={"PATH": str(tmp_path)})

    with pytest.raises(AgentNotInstalled, match="npm install -g @openai/codex"):
        await AdapterDriver(CodexAdapter(context), context).__aenter__()


async def test_an_mcp_server_that_codex_cannot_reach_is_refused(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    server = {"name": "events", "type": "sse", "url": "http://127.0.0.1:9/sse", "headers": []}

    answer = await codex.ask("session/new", {"mcpServers": [server]})

    assert answer["error"]["code"] == -32602
    assert "events" in answer["error"]["message"]
    await codex.open()


# Switching


def option(options: list[dict[str, Any]], id: str) -> dict[str, Any]:
    return next(item for item in options if item["id"] == id)


async def test_model_and_effort_are_switched(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex()
    opened = await codex.open()
    assert option(opened["configOptions"], "model")["currentValue"] == "scripted"
    assert "gpt-5.5" in str(option(opened["configOptions"], "model")["options"])

    await codex.set("session/set_config_option", configId="model", value="gpt-5.5")
    changed = await codex.set("session/set_config_option", configId="effort", value="high")
    await codex.prompt("SCENARIO:text")

    effort = option(changed["result"]["configOptions"], "effort")
    assert (effort["category"], effort["currentValue"]) == ("thought_level", "high")
    body = scripted_llm.requests[-1].body
    assert (body["model"], body["reasoning"]["effort"]) == ("gpt-5.5", "high")


@pytest.mark.parametrize(
    ("config_id", "value"), [("mode", "no-such"), ("effort", "bogus"), ("nothing", "x")]
)
async def test_a_setting_that_is_not_there_is_refused(
    start_codex: StartAdapter, config_id: str, value: str
) -> None:
    codex = await start_codex()
    await codex.open()

    answer = await codex.set("session/set_config_option", configId=config_id, value=value)

    assert answer["error"]["code"] == -32602


async def test_full_access_asks_nothing_and_asking_can_come_back(
    start_codex: StartAdapter, cwd: Path
) -> None:
    codex = await start_codex()
    opened = await codex.open()
    assert opened["modes"]["currentModeId"] == "untrusted"

    answer = await codex.set("session/set_mode", modeId="full-access")
    await codex.prompt("SCENARIO:tool SHELL<<touch freely>>")
    assert "result" in answer
    assert codex.asked() == []
    await codex.set("session/set_mode", modeId="untrusted")
    await codex.prompt("SCENARIO:tool SHELL<<touch asked>>")

    assert len(codex.asked()) == 1
    assert {path.name for path in cwd.iterdir()} == {"freely", "asked"}
    options = codex.updates("config_option_update")[-1]["configOptions"]
    assert option(options, "mode")["currentValue"] == "untrusted"


async def test_what_the_configuration_says_of_approvals_holds_until_a_mode_is_set(
    start_codex: StartAdapter, home: Path
) -> None:
    codex = await start_codex()
    config = home / ".codex" / "config.toml"
    text = config.read_text(encoding="utf-8")
    own = 'approval_policy = "never"\nsandbox_mode = "read-only"\n'
    config.write_text(own + text, encoding="utf-8")

    opened = await codex.open()

    assert opened["modes"]["currentModeId"] == "custom"
    assert "result" in await codex.set("session/set_mode", modeId="auto")
    assert "result" in await codex.set("session/set_mode", modeId="custom")


# Resuming and stopping


async def test_a_new_process_goes_on_with_the_session(start_codex: StartAdapter) -> None:
    first = await start_codex()
    await first.open()
    await first.prompt("SCENARIO:text one")
    await first.close()

    second = await start_codex()
    opened = await second.open("session/resume", sessionId=first.session_id)
    await second.prompt("SCENARIO:memory")

    assert "sessionId" not in opened
    assert opened["modes"]["currentModeId"] == "untrusted"
    assert "SCENARIO:text one" in second.text()


async def test_loading_a_session_repeats_what_was_said(start_codex: StartAdapter) -> None:
    first = await start_codex()
    await first.open()
    await first.prompt("SCENARIO:tool SHELL<<echo hi>>")
    said, call = first.text(), first.last_tool()
    await first.close()

    second = await start_codex()
    await second.open("session/load", sessionId=first.session_id)

    assert second.text("user_message_chunk") == "SCENARIO:tool SHELL<<echo hi>>"
    assert second.text() == said
    loaded = second.last_tool()
    assert {key: loaded[key] for key in ("title", "status", "rawInput")} == {
        key: call[key] for key in ("title", "status", "rawInput")
    }
    assert (await second.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_an_unknown_session_is_not_resumed_and_a_new_one_can_be_opened(
    start_codex: StartAdapter,
) -> None:
    codex = await start_codex()

    answer = await codex.ask(
        "session/resume", {"sessionId": "01a20691-0000-7801-a9e0-a57b2622c9dd", "mcpServers": []}
    )

    assert answer["error"]["code"] == -32002
    await codex.open()
    await codex.prompt("SCENARIO:text")
    assert codex.text() == "Hello from the scripted model."


async def test_closing_in_the_middle_of_a_command_leaves_nothing_running(
    start_codex: StartAdapter, nap: str
) -> None:
    codex = await start_codex()
    await codex.open()
    await codex.start_prompt(f"SCENARIO:tool SHELL<<sleep {nap}; echo late>>")
    await eventually(lambda: is_running("sleep", nap))

    await codex.close()

    assert not is_running("sleep", nap)


async def test_a_codex_that_dies_ends_the_frames(start_codex: StartAdapter) -> None:
    pids: list[int] = []
    codex = await start_codex(on_process=pids.append)
    await codex.open()

    os.kill(pids[0], 9)
    ended = await codex.close()

    assert ended.signal == 9
    assert codex.has_ended


async def test_cancel_leaves_running_what_an_earlier_turn_left_in_the_background(
    start_codex: StartAdapter, nap: str
) -> None:
    codex = await start_codex()
    await codex.open()
    await codex.set("session/set_mode", modeId="full-access")
    await codex.prompt(f"SCENARIO:tool YIELD SHELL<<sleep {nap}; echo late>>")
    assert is_running("sleep", nap)
    prompt = await codex.start_prompt("SCENARIO:slow")
    await codex.wait_for(lambda frame: "tick1 " in str(frame))

    await codex.cancel()

    await ends_cancelled(codex, prompt)
    assert is_running("sleep", nap)
