"""Cancelling, failing, switching and resuming the real Pi."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sandbox_agent_server.runtime import proc_table
from support.adapter_driver import AdapterDriver, StartAdapter, leave_open
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent


async def ends_cancelled(pi: AdapterDriver, prompt: int) -> None:
    """The turn ends as cancelled, and the next prompt works."""
    answer = await pi.wait_for_prompt(prompt)
    assert answer["result"]["stopReason"] == "cancelled"
    pi.forget()
    answer = await pi.prompt("SCENARIO:text")
    assert answer["result"]["stopReason"] == "end_turn"
    assert pi.text() == "Hello from the scripted model."


async def test_cancel_while_text_streams(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()
    prompt = await pi.start_prompt("SCENARIO:slow")
    await pi.wait_for_update("agent_message_chunk")

    await pi.cancel()

    await ends_cancelled(pi, prompt)


async def test_cancel_while_a_command_runs(start_pi: StartAdapter, cwd: Path) -> None:
    pi = await start_pi()
    await pi.open()
    prompt = await pi.start_prompt("SCENARIO:tool SHELL<<echo started; sleep 30; touch late>>")
    await pi.wait_for(lambda frame: "terminal_output_delta" in str(frame))

    await pi.cancel()

    answer = await pi.wait_for_prompt(prompt)
    assert answer["result"]["stopReason"] == "cancelled"
    assert pi.last_tool()["status"] == "failed"
    await ends_cancelled(pi, prompt)
    assert not (cwd / "late").exists()


async def test_cancel_while_a_permission_is_open(start_pi: StartAdapter, cwd: Path) -> None:
    pi = await start_pi()
    pi.answer = leave_open
    await pi.open()
    prompt = await pi.start_prompt("SCENARIO:tool SHELL<<touch made>>")
    asked = await pi.wait_for_method("session/request_permission")

    await pi.cancel()

    withdrawn = await pi.wait_for_method("$/cancel_request")
    assert withdrawn["params"] == {"requestId": asked["id"]}
    await ends_cancelled(pi, prompt)
    assert not (cwd / "made").exists()


@pytest.mark.parametrize("delay_s", [0, 0.002, 0.02, 0.1])
async def test_cancel_right_behind_the_prompt(start_pi: StartAdapter, delay_s: float) -> None:
    pi = await start_pi()
    await pi.open()

    prompt = await pi.start_prompt("SCENARIO:slow")
    await asyncio.sleep(delay_s)
    await pi.cancel()

    await ends_cancelled(pi, prompt)


async def test_cancel_while_pi_waits_to_retry(start_pi: StartAdapter, home: Path) -> None:
    pi = await start_pi()
    settings = home / ".pi" / "agent" / "settings.json"
    retry = {"maxRetries": 3, "baseDelayMs": 60_000, "provider": {"maxRetries": 0}}
    settings.write_text(
        json.dumps(json.loads(settings.read_text(encoding="utf-8")) | {"retry": retry}),
        encoding="utf-8",
    )
    await pi.open()
    prompt = await pi.start_prompt("SCENARIO:http500")
    await pi.wait_for_method("_pi/auto_retry_start")

    await pi.cancel()

    await ends_cancelled(pi, prompt)


async def test_cancel_without_a_prompt_does_nothing(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.cancel()

    assert (await pi.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_a_second_prompt_while_one_runs_is_refused(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()
    first = await pi.start_prompt("SCENARIO:slow")
    await pi.wait_for_update("agent_message_chunk")

    second = await pi.prompt("SCENARIO:text")

    assert second["error"]["code"] == -32600
    await pi.cancel()
    await ends_cancelled(pi, first)


@pytest.mark.parametrize(
    ("scenario", "code", "status"),
    [
        ("http401", -32000, 401),
        ("http429", -32603, 429),
        ("http500", -32603, 500),
        ("drop", -32603, None),
    ],
)
async def test_a_failing_model_is_an_error_and_the_session_goes_on(
    start_pi: StartAdapter, scenario: str, code: int, status: int | None
) -> None:
    pi = await start_pi()
    await pi.open()

    answer = await pi.prompt(f"SCENARIO:{scenario}")

    assert answer["error"]["code"] == code
    assert answer["error"].get("data", {}).get("apiErrorStatus") == status
    pi.forget()
    await pi.prompt("SCENARIO:text")
    assert pi.text() == "Hello from the scripted model."


async def test_an_error_of_the_other_provider_has_its_status_too(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()
    await pi.set("session/set_config_option", configId="model", value="openai/gpt-5")

    answer = await pi.prompt("SCENARIO:http401")

    assert answer["error"]["code"] == -32000
    assert answer["error"]["data"] == {"apiErrorStatus": 401}


async def test_without_credentials_there_is_no_session(start_pi: StartAdapter) -> None:
    pi = await start_pi(env={"ANTHROPIC_API_KEY": "", "OPENAI_API_KEY": ""})

    answer = await pi.ask("session/new", {"mcpServers": []})

    assert answer["error"]["code"] == -32000
    assert "ANTHROPIC_API_KEY" in answer["error"]["message"]


async def test_mcp_servers_are_refused_by_name(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    servers = [{"name": "files", "command": "files-mcp", "args": [], "env": []}]

    answer = await pi.ask("session/new", {"mcpServers": servers})

    assert answer["error"]["code"] == -32602
    assert "files" in answer["error"]["message"]
    await pi.open()


async def test_a_model_is_switched_and_its_own_levels_are_offered(
    start_pi: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    pi = await start_pi()
    opened = await pi.open()
    options = {option["id"]: option for option in opened["configOptions"]}
    assert options["model"]["currentValue"] == "anthropic/claude-sonnet-4-5"
    assert options["thinking"]["category"] == "thought_level"

    changed = await pi.set("session/set_config_option", configId="model", value="openai/gpt-4.1")
    await pi.prompt("SCENARIO:text")

    assert [option["id"] for option in changed["result"]["configOptions"]] == ["model"]
    assert scripted_llm.requests[-1].body["model"] == "gpt-4.1"


async def test_a_thinking_level_is_switched(
    start_pi: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.set("session/set_config_option", configId="thinking", value="off")
    await pi.prompt("SCENARIO:text")
    changed = await pi.set("session/set_config_option", configId="thinking", value="high")
    await pi.prompt("SCENARIO:text")

    assert changed["result"]["configOptions"][1]["currentValue"] == "high"
    off, high = (request.body.get("thinking", {}) for request in scripted_llm.requests)
    assert off.get("type") in (None, "disabled")
    assert high["type"] == "enabled"


@pytest.mark.parametrize(
    ("config_id", "value"), [("model", "no/such"), ("thinking", "x"), ("y", "z")]
)
async def test_a_setting_that_is_not_there_is_refused(
    start_pi: StartAdapter, config_id: str, value: str
) -> None:
    pi = await start_pi()
    await pi.open()

    answer = await pi.set("session/set_config_option", configId=config_id, value=value)

    assert answer["error"]["code"] == -32602


async def test_the_other_provider_is_reached_under_its_own_base_url(
    start_pi: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.set("session/set_config_option", configId="model", value="openai/gpt-5")
    await pi.prompt("SCENARIO:text")

    assert scripted_llm.requests[-1].path == "/v1/responses"
    assert pi.text() == "Hello from the scripted model."


async def test_a_new_process_goes_on_with_the_session(start_pi: StartAdapter) -> None:
    first = await start_pi()
    await first.open()
    await first.prompt("SCENARIO:text one")
    await first.close()

    second = await start_pi()
    await second.open("session/resume", sessionId=first.session_id)
    await second.prompt("SCENARIO:memory")

    assert second.text() == 'I remember: ["SCENARIO:text one"]'


async def test_loading_a_session_repeats_what_was_said(start_pi: StartAdapter) -> None:
    first = await start_pi()
    await first.open()
    await first.prompt("SCENARIO:tool SHELL<<echo hi>>")
    said, call = first.text(), first.last_tool()
    await first.close()

    second = await start_pi()
    await second.open("session/load", sessionId=first.session_id)

    assert second.text("user_message_chunk") == "SCENARIO:tool SHELL<<echo hi>>"
    assert second.text() == said
    loaded = second.last_tool()
    assert {key: loaded[key] for key in ("title", "status", "content")} == {
        key: call[key] for key in ("title", "status", "content")
    }
    assert (await second.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_an_unknown_session_is_not_resumed_and_a_new_one_can_be_opened(
    start_pi: StartAdapter,
) -> None:
    pi = await start_pi()

    answer = await pi.ask(
        "session/resume", {"sessionId": "00000000-0000-0000-0000-000000000000", "mcpServers": []}
    )

    assert answer["error"]["code"] == -32002
    await pi.open()
    await pi.prompt("SCENARIO:text")
    assert pi.text() == "Hello from the scripted model."


async def test_closing_in_the_middle_of_a_command_leaves_nothing_running(
    start_pi: StartAdapter, cwd: Path
) -> None:
    pi = await start_pi()
    await pi.open()
    await pi.start_prompt("SCENARIO:tool SHELL<<echo $$ > pid; echo started; sleep 60>>")
    await pi.wait_for(lambda frame: "terminal_output_delta" in str(frame))
    pid = int((cwd / "pid").read_text(encoding="utf-8"))

    await pi.close()

    left = proc_table.read_one(pid)
    assert left is None or left.is_zombie
