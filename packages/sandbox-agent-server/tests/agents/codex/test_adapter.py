"""What Codex rarely does: refuse, end early, say what nobody asked for. Codex is a fake."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.operations import SESSION_REVIEW
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.codex import CodexAdapter
from support.adapter_driver import AdapterDriver

FAKE = Path(__file__).parent / "support" / "fake_codex.py"
REFUSAL = {"error": {"code": -32600, "message": "thread is busy", "data": {"why": "x"}}}
NOTICE = {"method": "deprecationNotice", "params": {"summary": "old"}}

StartFake = Callable[[dict[str, list[Any]]], Awaitable[AdapterDriver]]


@pytest.fixture
async def start_fake(cwd: Path) -> AsyncIterator[StartFake]:
    async with AsyncExitStack() as stack:

        async def start(says: dict[str, list[Any]]) -> AdapterDriver:
            context = AgentContext(
                session_id="test",
                cwd=cwd,
                env={"FAKE_CODEX": json.dumps(says)},
                command=[sys.executable, str(FAKE)],
            )
            return await stack.enter_async_context(AdapterDriver(CodexAdapter(context), context))

        yield start


async def test_codex_says_its_version(start_fake: StartFake) -> None:
    codex = await start_fake({})

    assert codex.frames[0]["result"]["agentInfo"]["version"] == "1.2.3"


async def test_a_prompt_that_codex_refuses_is_answered_with_its_error(
    start_fake: StartFake,
) -> None:
    codex = await start_fake({"turn/start": [REFUSAL]})
    await codex.open()

    answer = await codex.prompt("hello")

    expected = {"code": -32603, "message": "thread is busy", "data": {"why": "x"}}
    assert answer["error"] == expected
    assert (await codex.prompt("again"))["error"] == expected


async def test_a_setting_that_codex_refuses_is_not_in_force(start_fake: StartFake) -> None:
    codex = await start_fake({"thread/settings/update": [REFUSAL]})
    opened = await codex.open()

    answer = await codex.set("session/set_mode", modeId="plan")

    assert answer["error"]["code"] == -32602
    assert opened["modes"]["currentModeId"] == "custom"
    assert codex.updates() == []


async def test_what_codex_does_not_tell_before_a_thread_is_no_obstacle(
    start_fake: StartFake,
) -> None:
    unasked = {method: [REFUSAL] for method in ("account/read", "config/read", "model/list")}
    codex = await start_fake(unasked)

    assert (await codex.open())["sessionId"] == "main"


async def test_what_codex_says_before_there_is_a_session_is_told_after_it(
    start_fake: StartFake,
) -> None:
    made = {"result": {"thread": {"id": "main"}}}
    codex = await start_fake({"model/list": [NOTICE, {"result": {}}], "thread/start": [made, NOTICE]})  # fmt: skip
    codex.forget()

    await codex.open()

    await codex.wait_for(lambda _frame: len(codex.frames) == 3)
    notice = "_codex/deprecationNotice"
    assert [frame.get("method") for frame in codex.frames] == [None, notice, notice]


async def test_a_session_is_opened_once(start_fake: StartFake) -> None:
    codex = await start_fake({})

    asked = [asyncio.ensure_future(codex.ask("session/new", {})) for _ in range(2)]
    first, second = [await answer for answer in asked]

    assert first["result"]["sessionId"] == "main"
    assert second["error"]["code"] == -32600
    assert (await codex.ask("session/new", {}))["error"]["code"] == -32600


async def test_a_message_that_is_none_is_told(start_fake: StartFake) -> None:
    codex = await start_fake({"turn/start": [{"result": {}}, "oops", '{"id": 99}']})
    await codex.open()
    codex.forget()

    await codex.start_prompt("hello")

    await codex.wait_for(lambda _frame: len(codex.frames) == 2)
    assert {frame["method"] for frame in codex.frames} == {extensions.AGENT_UNPARSED}


async def test_a_codex_that_ends_before_there_is_a_session_is_gone(start_fake: StartFake) -> None:
    codex = await start_fake({"thread/start": ["exit"]})

    with pytest.raises(AssertionError, match="the agent is gone"):
        await codex.open()

    assert (await codex.close()).exit_code == 3


DEEP = "[" * 500 + "]" * 500


async def test_what_cannot_be_read_is_answered_or_taken_for_a_failure(
    start_fake: StartFake,
) -> None:
    asks = '{"method":"item/fileChange/requestApproval","id":9,"params":{"threadId":"main","x":%s}}'
    ends = '{"method":"turn/completed","params":{"threadId":"main","turn":{"id":"t1","status":"completed","items":%s}}}'
    codex = await start_fake(
        {"turn/start": [{"result": {"turn": {"id": "t1"}}}, asks % DEEP, ends % DEEP]}
    )
    await codex.open()

    answer = await codex.prompt("hello")

    assert "levels deep" in answer["error"]["message"]


async def test_an_answer_that_cannot_be_read_is_a_refusal(start_fake: StartFake) -> None:
    told = f'{{"id":ID,"result":{{"turn":{DEEP}}}}}'
    codex = await start_fake({"turn/start": [told]})
    await codex.open()

    answer = await codex.prompt("hello")

    assert "levels deep" in answer["error"]["message"]


async def test_a_review_that_codex_refuses_leaves_the_sandbox_as_it_was(
    start_fake: StartFake,
) -> None:
    asking = {"approvalPolicy": "untrusted", "sandbox": {"type": "workspaceWrite"}}
    made = {"result": {"thread": {"id": "main"}, **asking}}
    # Told as what Codex was asked.
    echo = {"method": "deprecationNotice", "params": {"summary": "settings"}}
    codex = await start_fake(
        {
            "thread/start": [made],
            "review/start": [REFUSAL],
            "thread/settings/update": [echo, {"result": {}}],
        }
    )
    await codex.open()
    asked = {"target": {"type": "uncommitted"}}

    answer = await codex.set(SESSION_REVIEW, **asked)

    assert answer["error"]["message"] == "thread is busy"
    assert len(codex.asked("_codex/deprecationNotice")) == 2, "it only reads, and then writes again"
    assert codex.updates("current_mode_update") == []
