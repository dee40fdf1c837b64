"""Steering, compacting, reviewing, forking, rewinding, renaming the real Codex. The model is scripted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.operations import (
    SESSION_COMPACT,
    SESSION_FORK,
    SESSION_NATIVE,
    SESSION_RENAME,
    SESSION_REVIEW,
    SESSION_REWIND,
    SESSION_STEER,
)
from support.adapter_driver import AdapterDriver, StartAdapter, leave_open
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent

REFUSED = -32600
INVALID = -32602
WAITS = "SCENARIO:tool SHELL<<until test -e go; do sleep 0.05; done>>"
"""Until somebody makes the file `go`."""


def text(said: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": said}]


def said_to_model(llm: ScriptedLLM) -> str:
    return json.dumps(llm.requests[-1].body["input"])


async def ended(codex: AdapterDriver, prompt: int) -> str:
    answer = await codex.wait_for_prompt(prompt)
    return str(answer["result"]["stopReason"])


async def working(codex: AdapterDriver) -> int:
    """A prompt whose command runs until there is a file `go`."""
    prompt = await codex.start_prompt(WAITS)
    await codex.wait_for_update("tool_call")
    return prompt


# Steering


async def test_what_is_said_while_a_turn_runs_goes_into_it(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM, cwd: Path
) -> None:
    codex = await start_codex()
    await codex.open()
    prompt = await working(codex)

    taken = await codex.set(SESSION_STEER, prompt=text("rather SCENARIO:text"))
    (cwd / "go").touch()

    assert taken["result"] == {}
    assert await ended(codex, prompt) == "end_turn"
    assert "rather SCENARIO:text" in said_to_model(scripted_llm)
    assert codex.text().endswith("Hello from the scripted model.")
    told = codex.asked("_codex/item/completed")[-1]["params"]["message"]["params"]["item"]
    assert told["type"] == "userMessage"


async def test_a_turn_can_be_steered_as_soon_as_it_was_asked_for(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex()
    await codex.open()
    prompt = await codex.start_prompt("SCENARIO:text one")

    taken = await codex.set(SESSION_STEER, prompt=text("SCENARIO:text two"))

    assert taken["result"] == {}
    assert await ended(codex, prompt) == "end_turn"
    assert "SCENARIO:text two" in said_to_model(scripted_llm)


async def test_nothing_is_steered_while_no_turn_runs_or_it_is_cancelled(
    start_codex: StartAdapter,
) -> None:
    codex = await start_codex()
    codex.answer = leave_open
    await codex.open()
    idle = await codex.set(SESSION_STEER, prompt=text("hello"))
    prompt = await working(codex)
    await codex.cancel()
    late = await codex.set(SESSION_STEER, prompt=text("hello"))

    assert idle["error"]["code"] == REFUSED
    assert late["error"]["code"] == REFUSED
    assert await ended(codex, prompt) == "cancelled"


# Compacting


async def test_compacting_is_a_turn_that_tells_what_it_saved(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex()
    await codex.open()
    await codex.prompt("SCENARIO:text one")

    answer = await codex.set(SESSION_COMPACT)

    assert answer["result"]["stopReason"] == "end_turn"
    assert answer["result"]["usage"]["totalTokens"] == 120
    told = (await codex.wait_for_method(extensions.CONTEXT_COMPACTED))["params"]
    assert (told["trigger"], told["preTokens"]) == ("manual", 120)
    assert told["postTokens"] > 0
    assert codex.frames.index(answer) > codex.frames.index(
        codex.asked(extensions.CONTEXT_COMPACTED)[0]
    )
    assert "/compact" not in said_to_model(scripted_llm)
    assert (await codex.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_compacting_does_not_interrupt_what_runs(
    start_codex: StartAdapter, cwd: Path
) -> None:
    codex = await start_codex()
    await codex.open()
    prompt = await working(codex)

    refused = await codex.set(SESSION_COMPACT)
    (cwd / "go").touch()

    assert refused["error"]["code"] == REFUSED
    assert await ended(codex, prompt) == "end_turn"


async def test_compacting_what_has_not_begun_ends(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    assert (await codex.set(SESSION_COMPACT))["result"]["stopReason"] == "end_turn"


async def test_instructions_for_a_compaction_are_not_dropped_in_silence(
    start_codex: StartAdapter,
) -> None:
    codex = await start_codex()
    await codex.open()

    assert (await codex.set(SESSION_COMPACT, instructions="keep it"))["error"]["code"] == INVALID


# Reviewing


def custom(instructions: str) -> dict[str, Any]:
    return {"type": "custom", "instructions": instructions}


async def test_a_review_is_a_turn_that_changes_nothing(
    start_codex: StartAdapter, cwd: Path
) -> None:
    codex = await start_codex()
    await codex.open()

    target = custom("SCENARIO:tool SHELL<<touch unasked>>")
    answer = await codex.set(SESSION_REVIEW, target=target)
    said = codex.text()
    await codex.prompt("SCENARIO:tool SHELL<<touch asked>>")

    assert answer["result"]["stopReason"] == "end_turn"
    assert said.startswith("Done. Tool said:")
    assert said.count("Tool said:") == 1
    assert [path.name for path in cwd.iterdir()] == ["asked"]
    assert len(codex.asked()) == 1
    assert codex.updates("current_mode_update") == []


async def test_a_review_can_be_cancelled(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()
    review = asyncio.ensure_future(codex.set(SESSION_REVIEW, target=custom("SCENARIO:slow")))
    await codex.wait_for(lambda frame: "enteredReviewMode" in str(frame))

    await codex.cancel()

    assert (await review)["result"]["stopReason"] == "cancelled"
    codex.forget()
    assert (await codex.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"
    assert codex.text() == "Hello from the scripted model."


async def test_a_review_of_what_is_not_committed_says_so_to_the_model(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex()
    await codex.open()

    answer = await codex.set(SESSION_REVIEW, target={"type": "uncommitted"})

    assert answer["result"]["stopReason"] == "end_turn"
    assert "staged, unstaged, and untracked files" in said_to_model(scripted_llm)


# The past


async def with_a_past(codex: AdapterDriver) -> None:
    """Three prompts, and between them turns that are none."""
    await codex.open()
    await codex.prompt("SCENARIO:text one")
    await codex.set(SESSION_REVIEW, target=custom("SCENARIO:text look"))
    await codex.prompt("SCENARIO:text two")
    await codex.prompt("SCENARIO:text three")
    codex.forget()


async def remembered(codex: AdapterDriver) -> list[str]:
    await codex.prompt("SCENARIO:memory")
    return [word for word in ("one", "two", "three") if f"text {word}" in codex.text()]


@pytest.mark.parametrize(
    ("before", "kept"), [(None, ["one", "two", "three"]), (1, ["one"]), (0, [])]
)
async def test_a_fork_remembers_what_was_before_it_and_leaves_the_other_alone(
    start_codex: StartAdapter, before: int | None, kept: list[str]
) -> None:
    first, fork = await start_codex(), await start_codex()
    await with_a_past(first)
    meta = {} if before is None else {"beforePrompt": before}

    opened = await fork.open(SESSION_FORK, sessionId=first.session_id, _meta=meta)

    assert opened["sessionId"] not in ("", first.session_id)
    assert opened["modes"]["currentModeId"] == "untrusted"
    fork.session_id = opened["sessionId"]
    assert await remembered(fork) == kept
    assert await remembered(first) == ["one", "two", "three"]


async def test_a_fork_of_nothing_is_refused_and_a_new_session_can_be_opened(
    start_codex: StartAdapter,
) -> None:
    codex = await start_codex()
    unknown = "01a20691-0000-7801-a9e0-a57b2622c9dd"

    for meta in ({}, {"beforePrompt": 0}):
        answer = await codex.ask(SESSION_FORK, {"sessionId": unknown, "_meta": meta})
        assert answer["error"]["code"] == -32002

    await codex.open()


async def test_rewinding_forgets_a_prompt_and_all_after_it(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await with_a_past(codex)
    asked = {"promptIndex": 1, "files": False, "conversation": True}

    tried = await codex.set(SESSION_REWIND, **asked, dryRun=True)
    before = await remembered(codex)
    codex.forget()
    done = await codex.set(SESSION_REWIND, **asked, dryRun=False)

    assert (tried["result"], done["result"]) == ({}, {})
    assert before == ["one", "two", "three"]
    answer = await codex.prompt("SCENARIO:memory")
    assert "text one" in codex.text()
    assert "text two" not in codex.text()
    assert answer["result"]["usage"]["totalTokens"] == 120


@pytest.mark.parametrize(
    "asked", [{"promptIndex": 0, "files": True}, {"promptIndex": 7}, {"promptIndex": -1}, {}]
)
async def test_what_cannot_be_rewound_is_refused(
    start_codex: StartAdapter, asked: dict[str, Any]
) -> None:
    codex = await start_codex()
    await codex.open()
    await codex.prompt("SCENARIO:text one")

    answer = await codex.set(SESSION_REWIND, **({"conversation": True} | asked))

    assert answer["error"]["code"] == INVALID


async def test_a_session_has_the_name_that_it_is_given(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    assert (await codex.set(SESSION_RENAME, title="The plan"))["result"] == {}

    told = await codex.wait_for_update("session_info_update")
    assert told["title"] == "The plan"


# Its own protocol


async def native(codex: AdapterDriver, method: str, **params: Any) -> dict[str, Any]:
    asked = {"sessionId": codex.session_id, "method": method, "params": params}
    return await codex.ask(SESSION_NATIVE, asked)


async def test_requests_of_its_own_protocol_are_passed_on(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    made = await native(codex, "thread/goal/set", objective="rest", status="paused")
    unknown = await native(codex, "no/such")
    listed = await native(codex, "thread/list")

    assert made["result"]["result"]["goal"]["status"] == "paused"
    assert "unknown variant" in unknown["error"]["message"]
    assert "data" in listed["result"]["result"]


async def test_cancelling_a_turn_of_a_goal_pauses_the_goal(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()
    prompt = await codex.start_prompt("SCENARIO:slow")
    await codex.wait_for_update("agent_message_chunk")
    await codex.cancel()
    await codex.wait_for_prompt(prompt)
    codex.forget()

    # Its turns play the last scenario of a prompt.
    await native(codex, "thread/goal/set", objective="go on", status="active")
    await codex.wait_for_update("agent_message_chunk")
    await codex.cancel()

    over = await codex.wait_for_method(extensions.TURN_ENDED)
    assert over["params"]["stopReason"] == "cancelled"
    assert len(codex.asked(extensions.TURN_STARTED)) == 1
    await codex.wait_for(lambda frame: "'status': 'paused'" in str(frame))


# Answers with words


def rejecting(**said: str) -> dict[str, Any]:
    outcome = {"outcome": "selected", "optionId": "reject_once"}
    return {"outcome": outcome, "_meta": {"sandbox_agent": said}}


async def test_why_something_is_denied_reaches_the_model(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM, cwd: Path
) -> None:
    codex = await start_codex()
    codex.answer = lambda _: rejecting(message="Use git instead.")
    await codex.open()

    answer = await codex.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert answer["result"]["stopReason"] == "end_turn"
    assert "Use git instead." in said_to_model(scripted_llm)
    assert not (cwd / "made").exists()


async def test_a_refusal_can_end_the_turn_and_its_reason_is_for_the_next(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM, cwd: Path
) -> None:
    codex = await start_codex()
    codex.answer = lambda _: rejecting(message="Use git instead.", onReject="stop")
    await codex.open()

    answer = await codex.prompt("SCENARIO:tool SHELL<<touch made>>")
    asked = len(scripted_llm.requests)
    await codex.prompt("SCENARIO:text")

    assert answer["result"]["stopReason"] == "cancelled"
    assert asked == 1
    assert "Use git instead." in said_to_model(scripted_llm)
    assert not (cwd / "made").exists()


# Structured output

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}


async def test_an_answer_can_be_an_object(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex()
    await codex.open()
    prompt = text('SCENARIO:say SAY<<{"n": 3}>>')

    answer = await codex.set("session/prompt", prompt=prompt, _meta={"outputSchema": SCHEMA})

    assert answer["result"]["_meta"]["structuredOutput"] == {"n": 3}
    asked = scripted_llm.requests[-1].body["text"]["format"]
    assert asked["strict"] is True
    assert asked["schema"] == {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }


async def test_an_answer_that_is_no_object_is_none(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    answer = await codex.set(
        "session/prompt", prompt=text("SCENARIO:text"), _meta={"outputSchema": SCHEMA}
    )

    assert answer["result"]["stopReason"] == "end_turn"
    assert "structuredOutput" not in answer["result"]["_meta"]


# Skills


def make_skill(home: Path, name: str) -> None:
    folder = home / ".codex" / "skills" / name
    folder.mkdir(parents=True)
    head = f"---\nname: {name}\ndescription: The {name} skill\n---\n"
    (folder / "SKILL.md").write_text(f"{head}Always say MOO.\n", encoding="utf-8")


async def test_skills_are_commands_and_a_prompt_calls_them(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM, home: Path
) -> None:
    make_skill(home, "moo")
    codex = await start_codex()
    await codex.open()
    offered = await codex.wait_for_update("available_commands_update")

    await codex.prompt("/moo SCENARIO:text")

    commands = {item["name"]: item["description"] for item in offered["availableCommands"]}
    assert commands["moo"] == "The moo skill"
    assert "Always say MOO." in said_to_model(scripted_llm)
    assert codex.text() == "Hello from the scripted model."
