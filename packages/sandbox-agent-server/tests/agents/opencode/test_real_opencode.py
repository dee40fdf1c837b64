"""The real OpenCode against a scripted model: what only its own server tells, and what is ours to guard."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import AgentNotInstalled, AgentStartFailed
from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.opencode import OPENCODE_DEFINITION
from support.adapter_driver import AdapterDriver, StartAdapter, leave_open, option
from support.fixtures import require_agent
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent


async def test_a_subagent_asks_too_and_its_words_carry_its_call(
    start_opencode: StartAdapter, cwd: Path
) -> None:
    opencode = await start_opencode()
    await opencode.open()

    answer = await opencode.prompt("SCENARIO:subagent SUBAGENT<<tool>> SHELL<<touch made>>")

    (asked,) = opencode.asked()
    call = opencode.updates("tool_call")[0]
    parent = asked["params"]["toolCall"]["_meta"]["parentToolCallId"]
    assert (call["name"], call["toolCallId"]) == ("task", parent)
    assert "Done. Tool said" in opencode.text(parent=parent)
    assert (cwd / "made").exists()
    assert answer["result"]["stopReason"] == "end_turn"
    assert answer["result"]["usage"]["totalTokens"] == 4 * 120, "the sub-agent is paid for, too"


async def test_a_question_is_answered_and_declined(start_opencode: StartAdapter) -> None:
    opencode = await start_opencode()
    await opencode.open()

    opencode.answer = lambda _asked: {"action": "accept", "content": {"q1": "Blue"}}
    await opencode.prompt("SCENARIO:ask")
    text = opencode.text()
    opencode.forget()
    opencode.answer = lambda _asked: {"action": "decline"}
    declined = await opencode.prompt("SCENARIO:ask")

    assert '"Which colour?"="Blue"' in text
    assert declined["result"]["stopReason"] == "end_turn"
    assert opencode.last_tool()["status"] in ("completed", "failed")


async def test_a_command_is_answered_once_and_gives_way_to_the_next_prompt(
    start_opencode: StartAdapter,
) -> None:
    opencode = await start_opencode()
    await opencode.open()

    id = await opencode.start_prompt("/init SCENARIO:text")
    answer = await opencode.wait_for_prompt(id)
    await opencode.prompt("SCENARIO:text")

    assert answer["result"]["stopReason"] == "end_turn"
    assert [frame.get("id") for frame in opencode.frames].count(id) == 1


async def test_the_todo_list_is_the_plan(start_opencode: StartAdapter) -> None:
    opencode = await start_opencode()
    await opencode.open()

    await opencode.prompt("SCENARIO:plan")

    (plan,) = opencode.updates("plan")
    assert [entry["content"] for entry in plan["entries"]] == ["one", "two"]


async def test_after_a_rejection_the_model_goes_on_unless_it_is_to_stop(
    start_opencode: StartAdapter, cwd: Path
) -> None:
    opencode = await start_opencode()
    await opencode.open()

    def rejecting(**said: str) -> Callable[[Frame], dict[str, Any]]:
        reject = option("reject_once")
        return lambda asked: (reject(asked) or {}) | {"_meta": {"sandbox_agent": said}}

    texts, reasons = [], []
    for said in ({"onReject": "stop"}, {}, {"message": "another way"}):
        opencode.answer = rejecting(**said)
        opencode.forget()
        answer = await opencode.prompt("SCENARIO:tool SHELL<<touch made>>")
        reasons.append(answer["result"]["stopReason"])
        texts.append(opencode.text())

    assert reasons == ["cancelled", "end_turn", "end_turn"]
    assert "Done." not in texts[0]
    assert "Do not try it again" in texts[1]
    assert "another way" in texts[2]
    assert not (cwd / "made").exists()


async def test_always_holds_until_the_mode_is_set(start_opencode: StartAdapter) -> None:
    opencode = await start_opencode()
    opencode.answer = option("allow_always")
    await opencode.open()

    for _ in range(2):
        await opencode.prompt("SCENARIO:tool SHELL<<touch made>>")
    assert len(opencode.asked()) == 1

    await opencode.set("session/set_mode", modeId="build")
    await opencode.prompt("SCENARIO:tool SHELL<<touch made>>")
    assert len(opencode.asked()) == 2


async def test_a_repository_cannot_make_it_stop_asking(
    start_opencode: StartAdapter, cwd: Path
) -> None:
    (cwd / "opencode.json").write_text('{"permission": "allow"}', encoding="utf-8")
    opencode = await start_opencode()
    await opencode.open()

    await opencode.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert len(opencode.asked()) == 1


async def test_the_users_own_rules_hold(
    start_opencode: StartAdapter, home: Path, cwd: Path
) -> None:
    own = home / ".config" / "opencode" / "opencode.json"
    own.parent.mkdir(parents=True)
    rules = {"permission": {"bash": {"*": "ask", "touch *": "allow"}}}
    own.write_text(json.dumps(rules), encoding="utf-8")
    opencode = await start_opencode()
    await opencode.open()

    await opencode.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert not opencode.asked()
    assert (cwd / "made").exists()


async def test_a_cancel_right_behind_the_prompt(start_opencode: StartAdapter) -> None:
    opencode = await start_opencode()
    await opencode.open()

    for _ in range(3):
        id = await opencode.start_prompt("SCENARIO:slow")
        await opencode.cancel()
        assert (await opencode.wait_for_prompt(id))["result"]["stopReason"] == "cancelled"

    assert (await opencode.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_answers_that_break_off_do_not_go_on_for_ever(
    start_opencode: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    opencode = await start_opencode()
    await opencode.open()

    answer = await opencode.prompt("SCENARIO:drop")

    assert "broke off" in answer["error"]["message"]
    assert sum(request.scenario == "drop" for request in scripted_llm.requests) < 10
    assert (await opencode.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_what_is_chosen_reaches_the_model(
    start_opencode: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    opencode = await start_opencode()
    opened = await opencode.open(_meta={"systemPrompt": "Speak like a captain."})
    options = {item["id"]: item for item in opened["configOptions"]}
    model = next(
        choice["value"] for choice in options["model"]["options"] if "haiku" in choice["value"]
    )

    changed = await opencode.set("session/set_config_option", configId="model", value=model)
    await opencode.set("session/set_mode", modeId="plan")
    await opencode.prompt("SCENARIO:text")

    request = next(item for item in scripted_llm.requests if item.scenario == "text")
    assert [mode["id"] for mode in opened["modes"]["availableModes"]] == ["build", "plan"]
    assert changed["result"]["configOptions"][1]["currentValue"] == model
    assert request.model == model.removeprefix("anthropic/")
    assert "Speak like a captain." in str(request.body["system"])
    assert "plan mode" in str(request.body).lower()
    bad = await opencode.set("session/set_config_option", configId="model", value="no/such")
    assert bad["error"]["code"] == -32602


async def test_a_resumed_session_remembers_and_a_lost_one_is_said_to_be(
    start_opencode: StartAdapter,
) -> None:
    first = await start_opencode()
    session_id = (await first.open())["sessionId"]
    await first.prompt("SCENARIO:text the first thing")
    await first.close()

    second = await start_opencode()
    lost = await second.ask("session/resume", {"sessionId": "ses_nosuchsession"})
    await second.open("session/resume", sessionId=session_id)
    await second.prompt("SCENARIO:memory")

    assert lost["error"]["code"] == -32002
    assert "the first thing" in second.text()
    assert not second.updates("user_message_chunk"), "history is remembered, not repeated"


async def test_an_mcp_server_that_fails_is_told(start_opencode: StartAdapter) -> None:
    opencode = await start_opencode()

    await opencode.open(mcpServers=[{"name": "broken", "command": "/no/such/program", "args": []}])

    told = await opencode.wait_for_method(extensions.MCP_STATUS)
    assert (told["params"]["server"], told["params"]["status"]) == ("broken", "failed")
    assert told["params"]["error"]


async def test_without_any_model_the_session_is_refused(start_opencode: StartAdapter) -> None:
    disabled = json.dumps({"disabled_providers": ["opencode", "anthropic"]})
    opencode = await start_opencode(env={"OPENCODE_CONFIG_CONTENT": disabled})

    answer = await opencode.ask("session/new", {"cwd": str(opencode.context.cwd), "mcpServers": []})

    assert answer["error"]["code"] == -32000
    assert "opencode auth login" in answer["error"]["message"]


async def test_its_server_is_closed_to_others(start_opencode: StartAdapter) -> None:
    pids: list[int] = []
    opencode = await start_opencode(on_process=pids.append)
    await opencode.open()

    environment = Path(f"/proc/{pids[0]}/environ").read_bytes()
    command = Path(f"/proc/{pids[0]}/cmdline").read_bytes()

    password = dict(pair.split(b"=", 1) for pair in environment.split(b"\0") if b"=" in pair)[
        b"OPENCODE_SERVER_PASSWORD"
    ]
    assert len(password) >= 32
    assert password not in command
    assert b"127.0.0.1" in command


async def test_frames_end_when_the_process_dies_in_a_turn(start_opencode: StartAdapter) -> None:
    pids: list[int] = []
    opencode = await start_opencode(on_process=pids.append)
    await opencode.open()
    id = await opencode.start_prompt("SCENARIO:slow")
    await opencode.wait_for_update("agent_message_chunk")

    os.kill(pids[0], 9)

    with pytest.raises(AssertionError, match="the agent is gone"):
        await opencode.wait_for_prompt(id)
    assert (await opencode.close()).signal == 9


async def test_closing_while_a_permission_is_open(start_opencode: StartAdapter) -> None:
    opencode = await start_opencode()
    opencode.answer = leave_open
    await opencode.open()
    await opencode.start_prompt("SCENARIO:tool SHELL<<touch made>>")
    await opencode.wait_for_method("session/request_permission")

    await opencode.close()

    assert opencode.has_ended
    assert await opencode.close() == await opencode.close()


def context(tmp_path: Path, **fields: object) -> AgentContext:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    return AgentContext(session_id="test", cwd=tmp_path, env=env, **fields)  # type: ignore[arg-type]


async def start(context: AgentContext) -> None:
    async with AdapterDriver(OPENCODE_DEFINITION.create(context), context):
        pass


async def test_a_program_that_is_missing_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AgentNotInstalled, match="npm install -g opencode-ai"):
        await start(context(tmp_path))


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo oh no >&2; exit 3", "ended at once: oh no"),
        ("exec sleep 60", "did not listen within"),
    ],
)
async def test_a_program_that_does_not_serve_is_told_at_the_start(
    tmp_path: Path, script: str, why: str
) -> None:
    program = tmp_path / "opencode"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    given = context(tmp_path, command=[str(program)], options={"start_timeout_s": 0.2})

    with pytest.raises(AgentStartFailed, match=why):
        async with asyncio.timeout(20):
            await start(given)


def test_the_version_is_read_beside_the_program() -> None:
    binary = require_agent("opencode")

    found = OPENCODE_DEFINITION.find({"PATH": str(binary.parent)})

    assert found is not None
    assert found.version == "1.18.33"
