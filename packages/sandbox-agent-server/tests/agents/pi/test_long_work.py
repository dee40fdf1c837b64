"""What is asked of Pi beside prompts, and what its entries and events say of that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pi_replay import Replay
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.pi.history import entry_of, prompts_in
from sandbox_agent_server.agents.pi.hooks import AFTER_TOOL, BEFORE_TOOL, read_hooks
from sandbox_agent_server.agents.pi.turns import Prompt

BOTH = frozenset({BEFORE_TOOL, AFTER_TOOL})


def said(role: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}], **fields}


def chain(*messages: dict[str, Any] | None) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        parent = f"e{index - 1}" if index else None
        kind = {"type": "message", "message": message} if message else {"type": "custom"}
        entries.append({"id": f"e{index}", "parentId": parent, **kind})
    return {"entries": entries, "leafId": f"e{len(entries) - 1}"}


WORKS = {"content": [{"type": "toolCall", "id": "c"}], "stopReason": "toolUse"}


def test_prompts_are_what_began_a_turn() -> None:
    told = chain(
        said("system", ""),
        said("user", "one"),
        {"role": "assistant", **WORKS},
        said("toolResult", "ok"),
        said("user", "said meanwhile"),
        said("assistant", "done", stopReason="stop"),
        None,
        said("user", "said at the very end"),
        said("assistant", "done", stopReason="stop"),
        said("user", "two"),
    )

    assert prompts_in(told, said_into_turns=["said at the very end"]) == ["e1", "e9"]


def test_what_was_left_behind_is_no_prompt() -> None:
    told = chain(
        said("user", "one"), said("assistant", "x", stopReason="stop"), said("user", "two")
    )
    told["entries"].append({"id": "e3", "parentId": "e1", "type": "custom"})

    assert prompts_in(told | {"leafId": "e3"}, said_into_turns=()) == ["e0"]
    assert prompts_in({}, said_into_turns=()) == []
    with pytest.raises(InvalidParams, match="the session has 1"):
        entry_of(["e0"], 1)


def steer(replay: Replay, text: str, *, queue: int) -> None:
    replay.translator.steering.say(text, [])
    replay.pi({"type": "queue_update", "steering": ["…"] * queue, "followUp": []})


def user(text: str) -> dict[str, Any]:
    return {"type": "message_end", "message": said("user", text)}


def test_what_is_said_into_a_turn_is_not_repeated() -> None:
    replay = Replay(says_settled=True)
    replay.accepted_prompt()
    replay.pi(user("hello"))
    steer(replay, "and this", queue=1)
    replay.pi({"type": "queue_update", "steering": [], "followUp": []}, user("and this"))

    assert replay.updates == []
    assert replay.translator.steering.said == ["and this"]
    replay.pi(user("of an extension"))
    assert [update["sessionUpdate"] for update in replay.updates] == ["user_message_chunk"]


def test_what_came_too_late_for_a_turn_is_said_before_it_ends() -> None:
    replay = Replay(says_settled=True)
    replay.accepted_prompt()
    steer(replay, "and this", queue=1)
    replay.pi({"type": "agent_settled", "aborted": False})
    replay.answer_fence()

    assert replay.answers == []
    cleared, prompt = replay.to_pi[-2:]
    assert cleared["type"] == "clear_queue"
    assert (prompt["type"], prompt["message"]) == ("prompt", "and this")
    replay.pi(
        {"type": "response", "id": prompt["id"], "command": "prompt", "success": True},
        {"type": "agent_start"},
        {"type": "agent_settled", "aborted": False},
    )
    replay.answer_fence()
    assert [answer["id"] for answer in replay.answers] == [1]


def test_a_cancel_takes_back_what_waits() -> None:
    replay = Replay(says_settled=True)
    replay.accepted_prompt()
    steer(replay, "and this", queue=1)

    replay.cancel()

    assert [line["type"] for line in replay.to_pi[-2:]] == ["clear_queue", "abort"]
    assert not replay.translator.takes_steering


def test_a_compaction_is_a_turn_of_its_own() -> None:
    replay = Replay(says_settled=True)
    line = replay.translator.compact(Prompt(1, "c1", is_compaction=True), "names")
    assert line == {"id": "c1", "type": "compact", "customInstructions": "names"}
    assert not replay.translator.takes_steering
    result = {"summary": "short", "tokensBefore": 90, "estimatedTokensAfter": 9}
    usage = {"input": 5, "output": 2, "totalTokens": 7}
    replay.pi(
        {"type": "compaction_end", "reason": "manual", "result": result},
        {"type": "response", "id": "c1", "command": "compact", "success": True,
         "data": result | {"usage": usage}},
    )  # fmt: skip

    compacted, answer = replay.to_client
    told = {"trigger": "manual", "preTokens": 90, "postTokens": 9, "summary": "short"}
    assert compacted["params"] == {"sessionId": "s", **told}
    assert answer["result"]["stopReason"] == "end_turn"
    assert answer["result"]["usage"]["totalTokens"] == 7


def test_a_compaction_that_fails_says_why() -> None:
    replay = Replay(says_settled=True)
    replay.translator.compact(Prompt(1, "c1", is_compaction=True), None)
    failed = {"type": "response", "id": "c1", "command": "compact", "success": False}
    replay.pi(
        {"type": "compaction_end", "reason": "manual", "errorMessage": "too small"},
        failed | {"error": "Nothing to compact"},
    )

    assert replay.to_client[0]["method"] == "_pi/compaction_end"
    assert replay.answers[0]["error"]["message"] == "Nothing to compact"


def test_a_title_is_told_once() -> None:
    replay = Replay(says_settled=True)
    replay.pi({"type": "session_info_changed", "name": "mine"})

    assert [update["title"] for update in replay.updates] == ["mine"]
    assert replay.translator.renamed("mine") == []


# The gate


def gate(kind: str, id: str = "d1", **fields: Any) -> dict[str, Any]:
    call = {"toolCallId": "c1", "toolName": "bash", "input": {"command": "touch x"}}
    title = json.dumps({"sandboxAgent": kind, **call, **fields}, separators=(",", ":"))
    return {"type": "extension_ui_request", "id": id, "method": "select", "title": title}


def value(replay: Replay) -> Any:
    said = replay.to_pi[-1]["value"]
    return json.loads(said) if said.startswith("{") else said


def answer(replay: Replay, result: dict[str, Any] | None) -> None:
    asked = replay.to_client[-1]
    replay.client({"id": asked["id"], "result": result}, None)


def chosen(option: str, **meta: Any) -> dict[str, Any]:
    outcome = {"outcome": {"outcome": "selected", "optionId": option}}
    return {**outcome, "_meta": {"sandbox_agent": meta}}


def test_an_answer_can_change_the_input_and_say_why_not() -> None:
    replay = Replay(says_settled=True)
    replay.pi(gate("permission"))
    answer(replay, chosen("allow_once", updatedInput={"command": "ls"}))
    assert value(replay) == {"input": {"command": "ls"}}
    assert (replay.updates[-1]["title"], replay.updates[-1]["status"]) == ("ls", "in_progress")

    replay.pi(gate("permission", "d2"))
    answer(replay, chosen("reject_once", message="not now"))
    assert value(replay) == {"message": "not now"}


def test_a_refusal_can_end_the_turn() -> None:
    replay = Replay(says_settled=True)
    replay.accepted_prompt()
    replay.pi(gate("permission"))
    answer(replay, chosen("reject_once", onReject="stop"))

    assert [line.get("value", line["type"]) for line in replay.to_pi[-2:]] == ["reject", "abort"]


def test_what_a_file_held_is_in_the_permission() -> None:
    replay = Replay(says_settled=True)
    given = {"path": "f", "content": "new"}
    replay.pi(gate("permission", toolName="write", input=given, overwritten="old"))

    (diff,) = replay.to_client[-1]["params"]["toolCall"]["content"]
    assert (diff["oldText"], diff["newText"]) == ("old", "new")


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        ({"decision": "allow"}, "allow"),
        ({"decision": "allow", "updatedInput": {"command": "ls"}}, {"input": {"command": "ls"}}),
        ({"decision": "deny", "message": "no"}, {"message": "no"}),
        ({"decision": "deny"}, "reject"),
        (None, {"message": "What was to be asked before this tool call did not answer."}),
    ],
)
def test_a_hook_decides_before_anybody_is_asked(said: Any, reply: Any) -> None:
    replay = Replay(says_settled=True, hooks=BOTH)
    replay.pi(gate("permission"))
    asked = replay.to_client[-1]
    assert (asked["method"], asked["params"]["event"]) == ("_sandbox_agent/hook", "before_tool")
    assert asked["params"]["toolCall"]["title"] == "touch x"

    answer(replay, said)

    assert value(replay) == reply


@pytest.mark.parametrize("said", [{}, {"decision": "ask"}, {"decision": "odd"}])
def test_a_hook_that_leaves_it_open_leaves_it_to_the_permission(said: Any) -> None:
    replay = Replay(says_settled=True, hooks=BOTH)
    replay.pi(gate("permission"))
    answer(replay, said | {"updatedInput": {"command": "ls"}})
    assert replay.to_client[-1]["params"]["toolCall"]["title"] == "ls"
    answer(replay, chosen("allow_once"))

    assert value(replay) == {"input": {"command": "ls"}}


def test_no_hook_allows_what_the_mode_forbids() -> None:
    replay = Replay(says_settled=True, hooks=BOTH)
    replay.translator.grants.set_mode("read-only")
    replay.pi(gate("permission"))
    answer(replay, {"decision": "allow"})

    assert replay.to_client[-1]["method"] == "session/request_permission"


def test_what_hooks_say_goes_behind_the_result() -> None:
    replay = Replay(says_settled=True, hooks=BOTH)
    replay.pi(gate("permission"))
    answer(replay, {"decision": "allow", "context": "before"})
    replay.pi(gate("result", "d2", text="ok", isError=False))
    asked = replay.to_client[-1]["params"]
    assert (asked["event"], asked["output"]) == ("after_tool", {"text": "ok", "isError": False})
    answer(replay, {"context": "after"})

    assert value(replay) == {"context": "before\nafter"}


def test_a_cancel_answers_what_hooks_were_asked() -> None:
    replay = Replay(says_settled=True, hooks=BOTH)
    replay.accepted_prompt()
    replay.pi(gate("permission"))
    replay.cancel()

    assert replay.to_client[-1]["params"] == {"requestId": "d1/before"}
    assert replay.to_pi[-2] == {"type": "extension_ui_response", "id": "d1", "cancelled": True}


def test_hooks_are_those_that_the_session_has() -> None:
    assert read_hooks({"before_tool": True, "after_tool": False, "odd": True}) == {BEFORE_TOOL}
    assert read_hooks(None) == frozenset()
