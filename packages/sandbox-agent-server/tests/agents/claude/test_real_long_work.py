"""What people do in long work, with the real Claude Code: steer, compact, review, fork, rewind. The model is scripted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from claude_driver import ClaudeDriver, StartClaude, leave_open
from sandbox_agent_core.frames import Frame, extensions, operations
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent


def block(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


async def remembered(claude: ClaudeDriver) -> list[str]:
    """The texts of the user that the model sees."""
    claude.forget()
    await claude.prompt("SCENARIO:memory")
    texts: list[str] = json.loads(claude.text().partition(": ")[2])
    return [text.split(" ", 1)[1] for text in texts if text.startswith("SCENARIO:text ")]


async def say(claude: ClaudeDriver, *words: str) -> None:
    for word in words:
        await claude.prompt(f"SCENARIO:text {word}")


# Steering


async def say_into_text(claude: ClaudeDriver, *texts: str) -> tuple[Frame, list[Frame]]:
    """Prompts for text and says more into that turn. The answer to the prompt, and those to what was said.

    What Claude writes is not read until all is said: its turn cannot have ended before, as far as anybody knows.
    """
    id = await claude.start_prompt("SCENARIO:flaky")
    await claude.wait_for_method("_claude/api_retry")
    claude.adapter.pause()
    said = [
        asyncio.ensure_future(claude.set(operations.SESSION_STEER, prompt=block(text)))
        for text in texts
    ]
    await asyncio.sleep(0)
    claude.adapter.resume()
    return await claude.wait_for_prompt(id), await asyncio.gather(*said)


async def test_what_is_said_into_a_turn_is_taken_beside_the_result_of_a_tool(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude()
    claude.answer = leave_open
    await claude.open()
    id = await claude.start_prompt("SCENARIO:tool SHELL<<touch made>>")
    asked = await claude.wait_for_method("session/request_permission")

    steered = await claude.set(operations.SESSION_STEER, prompt=block("and be brief"))
    await claude.respond(asked, {"outcome": {"outcome": "selected", "optionId": "allow_once"}})
    answer = await claude.wait_for_prompt(id)

    assert steered["result"] == {}
    assert "and be brief" in str(scripted_llm.requests[-1].body["messages"])
    assert answer["result"]["stopReason"] == "end_turn"
    assert not claude.asked(extensions.TURN_STARTED), "it is in the turn of the prompt"


async def test_what_is_said_too_late_for_a_tool_is_answered_in_the_same_turn(
    start_claude: StartClaude,
) -> None:
    claude = await start_claude()
    await claude.open()

    answer, (steered,) = await say_into_text(claude, "SCENARIO:text")

    assert steered["result"] == {}
    assert "Recovered after retry." in claude.text()
    assert "Hello from the scripted model." in claude.text()
    assert answer["result"]["usage"]["outputTokens"] == 40, "of both"
    assert not claude.asked(extensions.TURN_STARTED)
    assert (await claude.prompt("SCENARIO:text"))["result"]["usage"]["outputTokens"] == 20


async def test_a_cancel_takes_what_was_said_into_the_turn_along(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude()
    await claude.open()
    id = await claude.start_prompt("SCENARIO:slow")
    await claude.wait_for_update("agent_message_chunk")
    await claude.set(operations.SESSION_STEER, prompt=block("SCENARIO:text never"))

    await claude.cancel()

    assert (await claude.wait_for_prompt(id))["result"]["stopReason"] == "cancelled"
    assert (await claude.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"
    assert "never" not in [request.scenario for request in scripted_llm.requests]
    assert "SCENARIO:text never" not in str(scripted_llm.requests[-1].body["messages"])


async def test_without_a_turn_there_is_nothing_to_say_it_into(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()
    await claude.prompt("SCENARIO:text")

    refused = await claude.set(operations.SESSION_STEER, prompt=block("hello"))

    assert refused["error"]["code"] == -32600


async def test_all_that_is_said_into_a_turn_is_in_it(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    answer, answers = await say_into_text(claude, "SCENARIO:text two", "SCENARIO:text three")

    assert [each["result"] for each in answers] == [{}, {}]
    assert answer["result"]["stopReason"] == "end_turn"
    assert await remembered(claude) == ["two", "three"]


# Compacting and reviewing


async def test_compacting_is_a_turn_that_says_what_became_of_the_context(
    start_claude: StartClaude,
) -> None:
    claude = await start_claude()
    await claude.open()
    await say(claude, "one")

    answer = await claude.set(operations.SESSION_COMPACT, instructions="keep names")

    told = (await claude.wait_for_method(extensions.CONTEXT_COMPACTED))["params"]
    assert answer["result"]["stopReason"] == "end_turn"
    assert told["trigger"] == "manual"
    assert told["preTokens"] > 0
    assert told["postTokens"] > 0
    assert "Hello from the scripted model." in told["summary"]


async def test_a_review_is_a_turn_that_names_its_target(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude()
    await claude.open()
    target = {"type": "custom", "instructions": "only the names SCENARIO:text"}

    answer = await claude.set(operations.SESSION_REVIEW, target=target)

    assert answer["result"]["stopReason"] == "end_turn"
    assert "Hello from" in claude.text()
    assert "Review target: `the following: only the names" in str(
        scripted_llm.requests[-1].body["messages"]
    )


async def test_a_review_of_nothing_known_is_refused(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    refused = await claude.set(operations.SESSION_REVIEW, target={"type": "branch"})

    assert refused["error"]["code"] == -32602


# Forking


async def test_a_fork_remembers_and_leaves_the_first_alone(start_claude: StartClaude) -> None:
    first = await start_claude()
    origin = (await first.open())["sessionId"]
    await say(first, "one", "two")

    fork = await start_claude()
    opened = await fork.open(operations.SESSION_FORK, sessionId=origin)
    await say(fork, "three")

    assert opened["sessionId"] not in (origin, None)
    assert opened["modes"]
    assert await remembered(fork) == ["one", "two", "three"]
    assert await remembered(first) == ["one", "two"]


@pytest.mark.parametrize(("before", "kept"), [(0, []), (1, ["one"]), (2, ["one", "two"])])
async def test_a_fork_may_keep_what_came_before_a_prompt(
    start_claude: StartClaude, before: int, kept: list[str]
) -> None:
    first = await start_claude()
    origin = (await first.open())["sessionId"]
    await say(first, "one", "two", "three")

    fork = await start_claude()
    meta = {"beforePrompt": before}
    opened = await fork.open(operations.SESSION_FORK, sessionId=origin, _meta=meta)

    assert opened["sessionId"] != origin
    assert await remembered(fork) == kept
    back = {"promptIndex": before, "files": False, "conversation": True, "dryRun": False}
    assert (await fork.set(operations.SESSION_REWIND, **back))["result"] == {}
    assert await remembered(fork) == kept


async def test_a_fork_before_a_prompt_that_is_nowhere_is_refused(
    start_claude: StartClaude,
) -> None:
    first = await start_claude()
    origin = (await first.open())["sessionId"]
    await say(first, "one")
    fork = await start_claude()

    meta = {"beforePrompt": 7}
    answer = await fork.ask(operations.SESSION_FORK, {"sessionId": origin, "_meta": meta})

    assert answer["error"]["code"] == -32002


# Rewinding


async def test_rewinding_takes_back_files_and_conversation(
    start_claude: StartClaude, cwd: Path
) -> None:
    claude = await start_claude()
    await claude.open()
    await say(claude, "one")
    await claude.prompt(f"SCENARIO:write-file FILE<<{cwd}/new.txt>>")
    await say(claude, "three")
    back = {"promptIndex": 1, "files": True, "conversation": True}

    tried = await claude.set(operations.SESSION_REWIND, **back, dryRun=True)
    was_there = (cwd / "new.txt").exists()
    done = await claude.set(operations.SESSION_REWIND, **back, dryRun=False)

    assert tried["result"] == {"filesChanged": [str(cwd / "new.txt")]} == done["result"]
    assert was_there, "a dry run changes nothing"
    assert not (cwd / "new.txt").exists()
    assert await remembered(claude) == ["one"]


async def test_rewinding_goes_back_over_commands_compaction_and_cancelled_turns(
    start_claude: StartClaude,
) -> None:
    claude = await start_claude()
    await claude.open()
    await say(claude, "one")
    id = await claude.start_prompt("SCENARIO:slow")
    await claude.wait_for_update("agent_message_chunk")
    await claude.cancel()
    await claude.wait_for_prompt(id)
    await say(claude, "three")  # of a slow scenario the summary would be slow, too
    await claude.set(operations.SESSION_COMPACT)
    await claude.prompt("/context")
    await say(claude, "five")

    back = {"promptIndex": 1, "files": False, "conversation": True, "dryRun": False}
    assert (await claude.set(operations.SESSION_REWIND, **back))["result"] == {}

    assert await remembered(claude) == ["one"]


async def test_a_resumed_session_can_be_rewound_and_stays_so(start_claude: StartClaude) -> None:
    first = await start_claude()
    session_id = (await first.open())["sessionId"]
    await say(first, "one", "two", "three")
    await first.close()
    second = await start_claude()
    await second.open("session/resume", sessionId=session_id)
    await say(second, "four")

    back = {"promptIndex": 2, "files": True, "conversation": True, "dryRun": False}
    assert (await second.set(operations.SESSION_REWIND, **back))["result"] == {"filesChanged": []}

    assert await remembered(second) == ["one", "two"]
    await second.close()
    third = await start_claude()
    await third.open("session/resume", sessionId=session_id)
    assert await remembered(third) == ["one", "two"]


@pytest.mark.parametrize("index", [1, -1, None])
async def test_there_is_no_way_back_to_a_prompt_that_never_was(
    start_claude: StartClaude, index: int | None
) -> None:
    claude = await start_claude()
    await claude.open()
    await say(claude, "one")

    back = {"promptIndex": index, "files": True, "conversation": True}
    assert "error" in await claude.set(operations.SESSION_REWIND, **back)

    assert await remembered(claude) == ["one"]


# Names and everything else


async def test_a_name_is_told_again_when_the_session_is_resumed(start_claude: StartClaude) -> None:
    first = await start_claude()
    session_id = (await first.open())["sessionId"]
    await say(first, "one")
    renamed = await first.set(operations.SESSION_RENAME, title="The long one")
    await first.close()

    second = await start_claude()
    await second.open("session/resume", sessionId=session_id)

    assert renamed["result"] == {}
    assert (await second.wait_for_update("session_info_update"))["title"] == "The long one"


async def test_any_control_request_can_be_made(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    async def native(method: str) -> dict[str, Any]:
        asked = {"sessionId": claude.session_id, "method": method, "params": {}}
        return await claude.ask(operations.SESSION_NATIVE, asked)

    usage = await native("get_context_usage")
    unknown, ours = await native("no_such_thing"), await native("initialize")

    assert usage["result"]["result"]["maxTokens"] > 0
    assert "no_such_thing" in unknown["error"]["message"]
    assert ours["error"]["code"] == -32602
