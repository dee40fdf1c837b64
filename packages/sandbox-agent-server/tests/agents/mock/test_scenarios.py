"""The mock agent in process, scenario by scenario."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.content import CONTEXT_META
from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.mock import DEFINITION
from sandbox_agent_server.agents.mock.scenarios import SCENARIOS

SESSION = "mock-session-1"


@pytest.fixture
async def client(client_of: Any) -> Any:
    context = AgentContext(session_id="s", cwd=Path("/work"), env={})
    client = client_of(DEFINITION.create(context))
    await client.begin()
    return client


def stop_reason(answer: Any) -> str:
    return str(answer["result"]["stopReason"])


# Sessions


async def test_a_session_says_what_it_offers(client_of: Any) -> None:
    context = AgentContext(session_id="s", cwd=Path("/work"), env={})
    client = client_of(DEFINITION.create(context))
    await client.adapter.start(client.inbox)
    hello = (await client.call(acp.INITIALIZE, protocolVersion=1))["result"]
    assert hello["protocolVersion"] == 1
    assert hello["agentCapabilities"]["loadSession"] is True
    new = (await client.call(acp.SESSION_NEW, cwd="/work", mcpServers=[]))["result"]
    assert new["modes"]["currentModeId"] == "default"
    assert [option["id"] for option in new["configOptions"]] == ["model", "thought_level"]
    assert (await client.next())["params"]["update"]["sessionUpdate"] == "available_commands_update"


async def test_mode_and_options_can_be_set_to_what_is_offered(client: Any) -> None:
    ok = await client.call(acp.SESSION_SET_MODE, sessionId=SESSION, modeId="plan")
    assert "result" in ok
    bad = await client.call(acp.SESSION_SET_MODE, sessionId=SESSION, modeId="yolo")
    assert bad["error"]["code"] == INVALID_PARAMS
    options = {"sessionId": SESSION, "configId": "model", "value": "mock-smart"}
    answer = await client.call(acp.SESSION_SET_CONFIG_OPTION, **options)
    values = {o["id"]: o["currentValue"] for o in answer["result"]["configOptions"]}
    assert values == {"model": "mock-smart", "thought_level": "medium"}
    bad = await client.call(acp.SESSION_SET_CONFIG_OPTION, **{**options, "value": "gpt"})
    assert bad["error"]["code"] == INVALID_PARAMS


async def test_any_session_can_be_loaded(client: Any) -> None:
    answer = await client.call(acp.SESSION_LOAD, sessionId="of-yesterday", cwd="/", mcpServers=[])
    assert answer["result"]["modes"]
    block = {"type": "text", "text": "text"}
    answer = await client.call(acp.SESSION_PROMPT, sessionId="of-yesterday", prompt=[block])
    assert stop_reason(answer) == "end_turn"


async def test_what_it_does_not_know_is_an_error(client: Any) -> None:
    assert (await client.call("session/fly"))["error"]["code"] == METHOD_NOT_FOUND
    answer = await client.call(acp.SESSION_PROMPT, sessionId="nobody", prompt=[])
    assert answer["error"]["code"] == INVALID_PARAMS


async def test_a_second_prompt_in_a_running_turn_is_refused(client: Any) -> None:
    await client.start_prompt("slow")
    assert "error" in await client.prompt("text")


# Turns


@pytest.mark.parametrize("text", ["how are you?", "stream of consciousness", "burst out", ""])
async def test_any_other_text_is_echoed(client: Any, text: str) -> None:
    assert stop_reason(await client.prompt(text)) == "end_turn"
    assert client.text() == (f"You said: {text}" if text else "You said nothing.")


async def test_context_from_the_host_does_not_choose_the_scenario(client: Any) -> None:
    blocks = [
        {"type": "text", "text": "crash", "_meta": {CONTEXT_META: True}},
        {"type": "text", "text": "hello"},
    ]
    await client.call(acp.SESSION_PROMPT, sessionId=SESSION, prompt=blocks)
    assert client.text() == "You said: hello"


@pytest.mark.parametrize(
    ("scenario", "kinds"),
    [
        ("text", {"agent_message_chunk"}),
        ("TEXT please", {"agent_message_chunk"}),
        ("reasoning", {"agent_thought_chunk", "agent_message_chunk"}),
        ("tool", {"tool_call", "tool_call_update", "agent_message_chunk"}),
        ("diff", {"tool_call", "tool_call_update", "agent_message_chunk"}),
        ("terminal", {"tool_call", "tool_call_update", "agent_message_chunk"}),
        ("plan", {"plan", "agent_message_chunk"}),
        ("usage", {"usage_update", "agent_message_chunk"}),
        ("unknown", {"weather_report", "agent_message_chunk"}),
    ],
)
async def test_a_scenario_sends_its_updates_and_ends(
    client: Any, scenario: str, kinds: set[str]
) -> None:
    answer = await client.prompt(scenario)
    assert stop_reason(answer) == "end_turn"
    assert answer["result"]["usage"]["totalTokens"] > 0
    assert {update["sessionUpdate"] for update in client.updates()} == kinds


async def test_help_lists_every_scenario(client: Any) -> None:
    await client.prompt("help")
    assert all(f"`{name}" in client.text() for name in SCENARIOS)


async def test_prompts_of_a_session_do_not_share_tool_calls(client: Any) -> None:
    await client.prompt("tool")
    first = client.updates("tool_call")[0]["toolCallId"]
    await client.prompt("tool")
    assert client.updates("tool_call")[0]["toolCallId"] != first


async def test_substeps_name_the_tool_call_they_belong_to(client: Any) -> None:
    await client.prompt("substeps")
    task, search = client.updates("tool_call")
    assert search["_meta"]["parentToolCallId"] == task["toolCallId"]
    assert client.updates("agent_message_chunk")[0]["_meta"] == search["_meta"]


async def test_late_updates_come_after_the_end_of_the_turn(client: Any) -> None:
    await client.prompt("late")
    assert len(client.updates("tool_call")) == 2
    before = len(client.frames)
    await client.until(lambda frame: len(client.frames) == before + 3)
    assert client.updates()[-1]["status"] == "completed"


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [("refusal", "refusal"), ("max-tokens", "max_tokens")],
)
async def test_a_turn_can_stop_otherwise(client: Any, scenario: str, reason: str) -> None:
    assert stop_reason(await client.prompt(scenario)) == reason


@pytest.mark.parametrize(("words", "code"), [("error", INTERNAL_ERROR), ("error -32000", -32000)])
async def test_error_answers_with_an_error(client: Any, words: str, code: int) -> None:
    assert (await client.prompt(words))["error"]["code"] == code
    assert stop_reason(await client.prompt("text")) == "end_turn"


async def test_garbage_arrives_as_unparsed_amid_the_chunks(client: Any) -> None:
    await client.prompt("garbage")
    methods = [frame.get("method") for frame in client.frames]
    assert methods.count(extensions.AGENT_UNPARSED) == 6
    assert client.text() == "Before. After."


async def test_a_crash_ends_the_frames_and_tells_why(client: Any) -> None:
    await client.start_prompt("crash mid-turn")
    frames = await client.rest()
    assert frames[-1]["params"]["update"]["sessionUpdate"] == "tool_call"
    exit = await client.adapter.close()
    assert exit.exit_code == 7
    assert "asked to crash" in exit.stderr_tail
    client.adapter.send({"jsonrpc": "2.0", "id": 9, "method": "session/new"})


# Cancelling


@pytest.mark.parametrize("scenario", ["slow", "stream 1000 10", "permission", "question"])
async def test_cancelling_ends_the_turn(client: Any, scenario: str) -> None:
    id = await client.start_prompt(scenario)
    await client.next()
    await client.cancel()
    assert stop_reason(await client.answer_of(id)) == "cancelled"
    assert stop_reason(await client.prompt("text")) == "end_turn"


async def test_a_turn_cancelled_before_it_began_is_answered(client: Any) -> None:
    id = await client.start_prompt("text")
    await client.cancel()
    assert stop_reason(await client.answer_of(id)) == "cancelled"


async def test_hang_does_not_hear_a_cancel_but_can_be_closed(client: Any) -> None:
    await client.start_prompt("hang")
    await client.until(lambda _frame: client.text().endswith("for it."))
    await client.cancel()
    await client.adapter.close()
    assert await client.rest() == []


# Asking


async def permission(client: Any, option: str) -> str:
    id = await client.start_prompt("permission")
    asked = await client.asked()
    assert asked["method"] == acp.SESSION_REQUEST_PERMISSION
    assert asked["params"]["toolCall"]["toolCallId"]
    await client.reply(asked, {"outcome": {"outcome": "selected", "optionId": option}})
    await client.answer_of(id)
    return str(client.updates("tool_call_update")[-1]["status"])


async def test_an_allowed_tool_runs_and_the_next_is_asked_for_again(client: Any) -> None:
    assert await permission(client, "allow-once") == "completed"
    assert await permission(client, "allow-once") == "completed"


async def test_a_rejected_tool_fails(client: Any) -> None:
    assert await permission(client, "reject-once") == "failed"
    assert client.text().startswith("You did not allow it")


async def test_allowed_always_is_not_asked_again(client: Any) -> None:
    assert await permission(client, "allow-always") == "completed"
    answer = await client.prompt("permission")
    assert stop_reason(answer) == "end_turn"
    assert client.updates("tool_call_update")[-1]["status"] == "completed"


async def test_the_bypass_mode_does_not_ask(client: Any) -> None:
    await client.call(acp.SESSION_SET_MODE, sessionId=SESSION, modeId="bypass")
    assert stop_reason(await client.prompt("permission")) == "end_turn"


async def test_a_permission_answered_with_cancelled_ends_the_turn(client: Any) -> None:
    id = await client.start_prompt("permission")
    await client.reply(await client.asked(), {"outcome": {"outcome": "cancelled"}})
    assert stop_reason(await client.answer_of(id)) == "cancelled"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (
            {"action": "accept", "content": {"color": "Blue", "extras": ["Dots", "Stripes"]}},
            "You answered color = Blue; extras = Dots, Stripes.",
        ),
        ({"action": "decline"}, "You did not want to answer."),
        ({"action": "cancel"}, "Nobody answered."),
    ],
)
async def test_a_question_takes_every_kind_of_answer(client: Any, result: Any, text: str) -> None:
    id = await client.start_prompt("question")
    asked = await client.asked()
    assert asked["method"] == acp.ELICITATION_CREATE
    ids = [question["id"] for question in asked["params"]["_meta"]["questions"]]
    assert ids == list(asked["params"]["requestedSchema"]["properties"])
    await client.reply(asked, result)
    assert stop_reason(await client.answer_of(id)) == "end_turn"
    assert client.text() == text


# Floods


async def test_a_burst_is_numbered_and_of_the_asked_size(client: Any) -> None:
    await client.prompt("burst 3000x64")
    texts = [update["content"]["text"] for update in client.updates()]
    assert [int(text.split()[0]) for text in texts] == list(range(3000))
    assert {len(text) for text in texts} == {64}


async def test_a_burst_that_nobody_reads_is_not_made(client: Any) -> None:
    client.adapter.pause()
    await client.start_prompt("burst 1000000000x1000000")
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(client.inbox) == 0
    await client.next()
    await client.cancel()


async def test_one_that_is_held_back_can_be_closed(client: Any) -> None:
    client.adapter.pause()
    await client.start_prompt("text")
    for _ in range(100):
        await asyncio.sleep(0)
    await client.adapter.close()
    await client.rest()
    assert client.text() == "The quick"


async def test_a_stream_has_as_many_chunks_as_asked(client: Any) -> None:
    await client.prompt("stream 25")
    assert client.text().split() == [str(n) for n in range(25)]
