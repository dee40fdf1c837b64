"""The adapter where the real Claude Code would not do what the test needs: a stand-in, really run."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from claude_driver import ClaudeDriver, StartClaude
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.spi.agent import AgentContext

FAKE_CLAUDE = Path(__file__).parent / "support" / "fake_claude.py"


@pytest.fixture
async def start_fake(tmp_path: Path) -> AsyncIterator[StartClaude]:
    async with AsyncExitStack() as stack:

        async def start(behaviour: str, **context: object) -> ClaudeDriver:
            driver = ClaudeDriver(
                AgentContext(
                    session_id="test",
                    cwd=tmp_path,
                    env={"PATH": "/usr/bin:/bin", "FAKE": behaviour},
                    command=[sys.executable, str(FAKE_CLAUDE)],
                    **context,  # type: ignore[arg-type]
                )
            )
            return await stack.enter_async_context(driver)

        yield start


async def test_lines_that_are_no_messages_are_told_and_the_turn_goes_on(
    start_fake: StartClaude,
) -> None:
    claude = await start_fake("garbage")
    await claude.open()

    answer = await claude.prompt("hello")

    odd = [
        frame["params"]["text"]
        for frame in claude.frames
        if frame.get("method") == extensions.AGENT_UNPARSED
    ]
    assert odd == ["this is not JSON", "[1, 2]"]
    assert claude.text() == "hi"
    assert answer["result"]["stopReason"] == "end_turn"


async def test_a_line_that_is_too_long_is_told_and_the_turn_goes_on(
    start_fake: StartClaude,
) -> None:
    claude = await start_fake("long", max_line_bytes=100_000)
    await claude.open()

    answer = await claude.prompt("hello")

    odd = await claude.wait_for_method(extensions.AGENT_UNPARSED)
    assert "too long" in odd["params"]["reason"]
    assert answer["result"]["stopReason"] == "end_turn"


async def test_a_request_that_cannot_be_read_is_answered_and_the_turn_goes_on(
    start_fake: StartClaude,
) -> None:
    claude = await start_fake("deep_request")
    await claude.open()

    answer = await claude.prompt("hello")

    told = await claude.wait_for_method("_claude/answered")
    by = told["params"]["message"]["by"]["response"]
    assert (by["subtype"], by["request_id"]) == ("error", "asked")
    assert "levels deep" in by["error"]
    assert answer["result"]["stopReason"] == "end_turn"


async def test_an_end_of_a_turn_that_cannot_be_read_is_its_end(start_fake: StartClaude) -> None:
    claude = await start_fake("long_result", max_line_bytes=100_000)
    await claude.open()

    answer = await claude.prompt("hello")

    assert "too long" in answer["error"]["message"]


async def test_an_answer_that_cannot_be_read_is_a_refusal(start_fake: StartClaude) -> None:
    claude = await start_fake("long_answer", max_line_bytes=100_000)
    await claude.open()

    frame = await claude.ask("session/set_model", {"modelId": "sonnet"})

    assert "too long" in frame["error"]["message"]


async def test_a_session_that_cannot_be_opened_is_an_error_and_the_next_one_may_be(
    start_fake: StartClaude,
) -> None:
    claude = await start_fake("dies")

    answer = await claude.ask("session/new", {"mcpServers": []})
    await claude.open()

    assert answer["error"]["code"] == -32603
    assert answer["error"]["message"] == "cannot go on"
    assert answer["error"]["data"]["exitCode"] == 3
    assert (await claude.prompt("hello"))["result"]["stopReason"] == "end_turn"


async def test_what_comes_before_the_handshake_is_told_after_it(start_fake: StartClaude) -> None:
    claude = await start_fake("early")
    await claude.open()

    await claude.prompt("hello")

    assert claude.frames[1]["result"]["sessionId"] == claude.session_id
    assert await claude.wait_for_method("_claude/hook_started")


async def test_without_an_answer_to_the_handshake_there_is_a_session_with_little_to_offer(
    start_fake: StartClaude,
) -> None:
    claude = await start_fake("bad_handshake")
    opened = await claude.open()

    assert opened["modes"]["currentModeId"] == "default"
    assert [option["id"] for option in opened["configOptions"]] == ["mode", "model"]
    assert (await claude.prompt("hello"))["result"]["stopReason"] == "end_turn"


async def test_requests_at_the_wrong_time_or_of_the_wrong_kind(start_fake: StartClaude) -> None:
    claude = await start_fake("silent")

    async def code(method: str, **params: object) -> int:
        frame = await claude.ask(method, params)
        number: int = frame["error"]["code"]
        return number

    text = [{"type": "text", "text": "hello"}]
    assert await code("session/load", sessionId="x") == -32601
    assert await code("session/prompt", prompt=text) == -32600
    assert await code("session/set_mode", modeId="plan") == -32600
    assert await code("session/resume", sessionId="--help") == -32602
    await claude.open()
    assert await code("session/new") == -32600
    assert await code("session/prompt", prompt=[{"type": "audio"}]) == -32602
    assert await code("session/set_config_option", configId="colour", value="red") == -32602
    await claude.start_prompt("hello")
    assert await code("session/prompt", prompt=text) == -32600


async def test_closing_leaves_the_end_of_a_running_turn_to_the_session(
    start_fake: StartClaude,
) -> None:
    claude = await start_fake("silent")
    await claude.open()
    id = await claude.start_prompt("hello")
    await claude.wait_for_update("agent_message_chunk")

    ended = await claude.close()

    assert not [frame for frame in claude.frames if frame.get("id") == id]
    assert ended.exit_code == 0
