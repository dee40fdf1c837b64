"""Long work with Codex, without Codex: whose a turn is, what is passed on, what a review and a schema become."""

from __future__ import annotations

from typing import Any

import pytest
from codex_replay import Replay, item
from sandbox_agent_core.frames import extensions
from sandbox_agent_server.agents.codex.history import PROMPT_MARK, STEER_MARK, turn_of_prompt
from sandbox_agent_server.agents.codex.native_requests import native_request
from sandbox_agent_server.agents.codex.output_schema import strict_schema
from sandbox_agent_server.agents.codex.review import review_target
from sandbox_agent_server.agents.codex.skills import Skills
from sandbox_agent_server.agents.codex.turns import MAX_OWN_TURNS, Prompt
from sandbox_agent_server.agents.native.refusals import InvalidParams, Refused


def methods(replay: Replay) -> list[Any]:
    return [frame.get("method") for frame in replay.to_client]


def own_turn(replay: Replay, turn: str) -> None:
    replay.codex("turn/started", turn={"id": turn, "rootTurnId": turn})
    replay.end(turn=turn)


# Turns


def test_a_prompt_that_a_turn_of_codex_has_taken_in_is_answered_at_its_end() -> None:
    replay = Replay()
    replay.codex("turn/started", turn={"id": "own"})
    replay.translator.begin_prompt(Prompt(1))
    replay.translator.prompt_taken({"turn": {"id": "own"}})

    replay.end(turn="own")

    assert methods(replay) == [extensions.TURN_STARTED, extensions.TURN_ENDED, None]
    assert replay.answers[0]["result"]["stopReason"] == "end_turn"
    assert replay.answers[0]["result"]["usage"]["totalTokens"] == 0, "it is told with that turn"


def test_the_end_of_a_turn_of_codex_is_not_that_of_a_prompt_which_waits_for_its_own() -> None:
    replay = Replay()
    replay.codex("turn/started", turn={"id": "own"})
    replay.translator.begin_prompt(Prompt(1))
    replay.end(turn="own")
    replay.translator.prompt_taken({"turn": {"id": "t1"}})

    assert replay.answers == []
    replay.codex("turn/started", turn={"id": "t1"})
    replay.end()
    assert [answer["id"] for answer in replay.answers] == [1]


def test_a_goal_is_paused_when_codex_has_begun_as_many_turns_as_it_may() -> None:
    replay = Replay()
    for number in range(MAX_OWN_TURNS - 1):
        own_turn(replay, f"own{number}")
    assert extensions.ERROR not in methods(replay)

    replay.codex("turn/started", turn={"id": "last"})

    assert replay.to_client[-1]["params"]["code"] == "limit_reached"
    assert [call["method"] for call in replay.calls] == ["thread/goal/set"]
    replay.end(turn="last")
    replay.codex("turn/started", turn={"id": "more"})
    asked = [call["method"] for call in replay.calls]
    assert sorted(asked) == ["thread/goal/set", "thread/goal/set", "turn/interrupt"]
    assert methods(replay).count(extensions.ERROR) == 1


def test_a_prompt_lets_codex_begin_as_many_again() -> None:
    replay = Replay()
    for number in range(MAX_OWN_TURNS - 1):
        own_turn(replay, f"own{number}")
    replay.prompt()
    replay.end()

    own_turn(replay, "first")

    assert extensions.ERROR not in methods(replay)


def test_the_turn_of_a_review_is_interrupted_by_the_turn_inside_and_ends_with_the_one_around() -> (
    None
):
    replay = Replay()
    replay.translator.begin_prompt(Prompt(1, "review"))
    replay.translator.prompt_taken({"turn": {"id": "around"}})
    replay.codex("turn/started", turn={"id": "inside", "rootTurnId": "around"})

    replay.client({"method": "session/cancel"})
    replay.end("interrupted", turn="around")
    replay.client({"method": "session/cancel"})

    assert replay.answers[0]["result"]["stopReason"] == "cancelled"
    interrupts = [call["params"] for call in replay.calls if call["method"] == "turn/interrupt"]
    assert interrupts == [{"threadId": "main", "turnId": "inside"}]


# Prompts in the past


def past(*turns: list[dict[str, Any]], root: str | None = None) -> list[dict[str, Any]]:
    return [
        {"id": f"t{number}", "rootTurnId": root or f"t{number}", "items": items}
        for number, items in enumerate(turns)
    ]


def said(mark: str | None) -> dict[str, Any]:
    return item("userMessage", clientId=mark)


@pytest.mark.parametrize(("index", "turn"), [(0, "t0"), (1, "t2"), (2, "t2"), (3, "t4")])
async def test_prompts_are_counted_whatever_else_is_in_the_past(index: int, turn: str) -> None:
    turns = past(
        [said(f"{PROMPT_MARK}a"), item("agentMessage"), said(f"{STEER_MARK}b")],
        [item("agentMessage")],
        [item("agentMessage"), said(f"{PROMPT_MARK}c"), said(f"{PROMPT_MARK}d")],
        [item("contextCompaction")],
        [],
    )

    async def ask(method: str, params: Any) -> Any:
        # A page each.
        number = params.get("cursor", 0)
        after = number + 1 if number + 1 < len(turns) else None
        return {"data": [turns[number]], "nextCursor": after}

    assert await turn_of_prompt(ask, "main", index) == turn
    with pytest.raises(InvalidParams, match="remembers 4"):
        await turn_of_prompt(ask, "main", 4)


# Compaction


def used(replay: Replay, tokens: int) -> None:
    counts = {"totalTokens": tokens}
    usage = {"total": counts, "last": counts, "modelContextWindow": 1000}
    replay.codex("thread/tokenUsage/updated", tokenUsage=usage)


def test_a_compaction_that_nobody_asked_for_is_told_with_what_it_saved() -> None:
    replay = Replay()
    replay.prompt()
    used(replay, 900)
    replay.started(item("contextCompaction"))
    used(replay, 100)
    replay.completed(item("contextCompaction"))

    told = replay.to_client[-1]
    assert told["method"] == extensions.CONTEXT_COMPACTED
    fields = {"trigger": "auto", "preTokens": 900, "postTokens": 100}
    assert told["params"] == {"sessionId": "main", **fields}


# Reviews


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"type": "uncommitted"}, {"type": "uncommittedChanges"}),
        ({"type": "branch", "branch": "main"}, {"type": "baseBranch", "branch": "main"}),
        ({"type": "commit", "sha": "abc"}, {"type": "commit", "sha": "abc"}),
        ({"type": "custom", "instructions": "x"}, {"type": "custom", "instructions": "x"}),
    ],
)
def test_a_review_has_the_target_that_was_chosen(
    target: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert review_target(target) == expected


def test_what_a_review_is_to_mind_is_said_with_its_target() -> None:
    target = review_target({"type": "commit", "sha": "abc", "instructions": "Mind the locks."})

    assert target["type"] == "custom"
    assert "'abc'" in target["instructions"]
    assert target["instructions"].endswith("Mind the locks.")


@pytest.mark.parametrize("target", [None, {"type": "branch"}, {"type": "custom"}, {"type": "x"}])
def test_a_review_of_nothing_known_is_refused(target: Any) -> None:
    with pytest.raises(InvalidParams):
        review_target(target)


# Its own protocol


@pytest.mark.parametrize(
    "method",
    [
        "thread/start",
        "thread/settings/update",
        "turn/start",
        "turn/settings/update",
        "thread/queue/add",
        "review/start",
    ],
)
def test_what_the_session_would_not_notice_is_not_passed_on(method: str) -> None:
    with pytest.raises(Refused, match=method):
        native_request({"method": method, "params": {}}, Replay().translator)


def test_a_native_request_is_about_the_thread_of_the_session() -> None:
    translator = Replay().translator

    asked = native_request({"method": "thread/goal/get"}, translator)

    assert asked == ("thread/goal/get", {"threadId": "main"})
    with pytest.raises(InvalidParams, match="other"):
        native_request({"method": "thread/read", "params": {"threadId": "other"}}, translator)
    assert native_request({"method": "skills/list", "params": {}}, translator)[1] == {}


@pytest.mark.parametrize("params", [{}, {"method": 1}, {"method": "model/list", "params": []}])
def test_a_native_request_that_is_none_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        native_request(params, Replay().translator)


# Schemas


def test_a_schema_is_strict_all_the_way_down_and_fits_the_one_that_was_given() -> None:
    point = {"type": "object", "properties": {"x": {"type": "integer", "default": 0}}}
    given = {
        "type": "object",
        "properties": {"points": {"type": "array", "items": {"$ref": "#/$defs/P"}}, "any": {}},
        "required": ["points"],
        "$defs": {"P": {"anyOf": [point, {"type": "null"}]}},
    }

    strict = strict_schema(given)

    assert strict["required"] == ["points", "any"]
    assert strict["additionalProperties"] is False
    assert strict["$defs"]["P"]["anyOf"][0] == {
        "type": "object",
        "properties": {"x": {"type": "integer"}},
        "required": ["x"],
        "additionalProperties": False,
    }


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    schema = {"type": "object", "properties": {"default": {"type": "string"}}}

    assert strict_schema(schema)["properties"] == {"default": {"type": "string"}}


@pytest.mark.parametrize("schema", [True, "x", []])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(InvalidParams):
        strict_schema(schema)


# Skills

MOO = {"name": "moo", "description": "Moo", "path": "/moo/SKILL.md", "enabled": True}


@pytest.mark.parametrize("text", ["moo", "/other x", "/", "say /moo", "/off"])
def test_a_prompt_that_calls_no_skill_stays_as_it_is(text: str) -> None:
    skills = Skills()
    skills.read({"data": [{"skills": [MOO, MOO | {"name": "off", "enabled": False}]}]})
    content = [{"type": "text", "text": text}]

    assert skills.called(content) == content
    assert skills.called([]) == []


def test_skills_that_changed_are_asked_for_again_and_told_when_they_are_others() -> None:
    replay = Replay()
    listed = {"data": [{"skills": [MOO]}]}

    replay.codex("skills/changed")

    assert replay.to_client == []
    assert replay.calls[-1]["method"] == "skills/list"
    skills = replay.translator.offers.skills
    assert [skills.read(listed), skills.read(listed), skills.read({})] == [True, False, True]
