"""A log as a client of version 2 is told of it."""

from __future__ import annotations

import json
from typing import Any

from sandbox_agent_server.acp.remote.reading import (
    Asked,
    Item,
    Passed,
    PromptAnswered,
    Said,
    Standing,
)
from sandbox_agent_server.acp.remote.v2.reading import Now, Reading
from sandbox_agent_server.agents.runner.config_options import ConfigOptions
from sandbox_agent_server.log.entry import Entry

Frame = dict[str, Any]
OPTIONS = ConfigOptions(mode="ask", modes=({"id": "ask"}, {"id": "plan"}))
RUNNING = Now(0, frozenset({"t"}), frozenset(), OPTIONS)
IDLE = Now(0, frozenset(), frozenset(), OPTIONS)


def entry(seq: int, sender: str, payload: Frame, **more: Any) -> Entry:
    wire = {"seq": seq, "time": "2026-11-23T06:15:52.123Z", "sender": sender, **more}
    wire.setdefault("method", payload.get("method"))
    return Entry(seq, json.dumps({**wire, "payload": payload}).encode())


def prompt(seq: int, turn: str = "t", text: str = "hi") -> Entry:
    params = {"sessionId": "s", "prompt": [{"type": "text", "text": text}]}
    return entry(
        seq, "client", {"id": 1, "method": "session/prompt", "params": params}, turnId=turn
    )


def answer(seq: int, turn: str = "t", **body: Any) -> Entry:
    payload = {"id": 1, **(body or {"result": {"stopReason": "end_turn"}})}
    return entry(seq, "agent", payload, method="session/prompt", turnId=turn)


def ended(seq: int, how: str, turn: str = "t", **params: Any) -> Entry:
    payload = {"method": f"_sandbox_agent/{how}", "params": {"turnId": turn, **params}}
    return entry(seq, "server", payload, turnId=turn)


def asks(seq: int, request: str, *, turn: str | None = "t") -> Entry:
    options = [{"optionId": "yes", "name": "Yes", "kind": "allow_once"}]
    params = {"toolCall": {"toolCallId": "c", "title": "Run make"}, "options": options}
    payload = {"id": seq, "method": "session/request_permission", "params": params}
    notes = {"kind": "permission", "default": "deny"}
    more = {} if turn is None else {"turnId": turn}
    return entry(seq, "agent", payload, itemId=request, annotations=notes, **more)


def settles(seq: int, request: str) -> Entry:
    payload = {"id": seq, "result": {"outcome": {"outcome": "selected", "optionId": "yes"}}}
    return entry(seq, "server", payload, itemId=request, method="session/request_permission")


def says(seq: int, update: Frame, **more: Any) -> Entry:
    params = {"sessionId": "theirs", "update": update}
    return entry(seq, "agent", {"method": "session/update", "params": params}, **more)


def reading(now: Now = IDLE, *, is_resumed: bool = False) -> Reading:
    return Reading("s", now, is_resumed=is_resumed)


def told(items: list[Item]) -> list[Frame]:
    messages: list[bytes] = []
    for item in items:
        match item:
            case Said():
                messages += item.messages
            case Standing():
                messages += item.messages
    return [json.loads(message)["params"]["update"] for message in messages]


def states(items: list[Item]) -> list[str]:
    return [
        " ".join(filter(None, (one["state"], one.get("stopReason"))))
        for one in told(items)
        if one["sessionUpdate"] == "state_update"
    ]


def answers(items: list[Item]) -> list[Frame]:
    return [item.answer for item in items if isinstance(item, PromptAnswered)]


def test_a_prompt_is_answered_when_it_is_in_the_log() -> None:
    reader = reading()
    items = reader.read([prompt(1)])
    assert answers(items) == [{"result": {"messageId": "t"}}]
    message, state = told(items)
    assert message["messageId"] == "t"
    assert message["content"] == [{"type": "text", "text": "hi"}]
    assert state["state"] == "running"
    assert states(reader.read([answer(2)])) == ["idle end_turn"]


def test_a_prompt_that_was_held_and_dropped_is_cancelled() -> None:
    reader = reading(RUNNING)
    items = reader.read([ended(1, "turn.dropped", "held", reason="cancelled")])
    assert answers(items)[0]["error"]["code"] == -32800
    assert states(items)[1:] == []


def test_a_prompt_of_which_the_agent_never_heard_fails() -> None:
    error = {"code": "agent_start_failed", "message": "it does not start"}
    items = reading().read([ended(1, "turn.ended", error=error)])
    assert answers(items)[0]["error"]["message"] == "it does not start"
    assert states(items) == []


def test_a_turn_that_fails_ends_with_the_error_and_its_prompt_stays_answered() -> None:
    reader = reading()
    items = reader.read([prompt(1), answer(2, error={"code": -32000, "message": "no login"})])
    assert states(items) == ["running", "idle error"]
    assert told(items)[-1]["error"] == {"code": -32000, "message": "no login"}
    assert all(one == {"result": {"messageId": "t"}} for one in answers(items))
    crash = {"code": "agent_exited", "message": "exit code 7"}
    items = reader.read([prompt(3, "u"), ended(4, "turn.ended", "u", error=crash)])
    assert states(items) == ["running", "idle error"]


def test_a_limit_is_not_told_as_a_persons_wish() -> None:
    over = entry(
        2,
        "agent",
        {"id": 1, "result": {"stopReason": "cancelled"}},
        method="session/prompt",
        turnId="t",
        annotations={"limit": "timeout"},
    )
    items = reading().read([prompt(1), over])
    assert states(items) == ["running", "idle error"]
    assert told(items)[-1]["error"]["data"] == {"limit": "timeout"}


def test_it_waits_until_the_last_request_is_answered() -> None:
    reader = reading()
    assert states(reader.read([prompt(1), asks(2, "a")])) == ["running", "requires_action"]
    assert states(reader.read([asks(3, "b")])) == []
    assert states(reader.read([settles(4, "a")])) == []
    assert states(reader.read([settles(5, "b")])) == ["running"]
    assert states(reader.read([asks(6, "c"), answer(7)])) == ["requires_action", "idle end_turn"]
    assert states(reader.read([prompt(8, "u")])) == ["running"]


def test_what_a_policy_decides_at_once_is_nobodys_affair() -> None:
    items = reading().read([prompt(1), asks(2, "a"), settles(3, "a")])
    assert states(items) == ["running"]
    assert not any(isinstance(item, Asked) for item in items)


def test_a_request_of_background_work_does_not_stop_the_turn() -> None:
    assert states(reading().read([asks(1, "a", turn=None), prompt(2)])) == ["running"]


def test_a_permission_says_what_it_is_about() -> None:
    (asked,) = [item for item in reading().read([asks(1, "a")]) if isinstance(item, Asked)]
    assert asked.params["title"] == "Run make"
    subject = {"type": "tool_call", "toolCall": {"toolCallId": "c", "title": "Run make"}}
    assert asked.params["subject"] == subject
    assert [one["optionId"] for one in asked.params["options"]] == ["yes"]
    assert "toolCall" not in asked.params


def test_a_question_is_a_form_unless_it_says_otherwise() -> None:
    for mode, expected in (({}, "form"), ({"mode": "url"}, "url")):
        payload = {"id": 1, "method": "elicitation/create", "params": {"message": "?", **mode}}
        question = entry(1, "agent", payload, itemId="q", annotations={"kind": "question"})
        (asked,) = [one for one in reading().read([question]) if isinstance(one, Asked)]
        assert asked.params["mode"] == expected


def test_history_has_no_states_but_the_one_at_its_end() -> None:
    now = Now(4, frozenset({"u"}), frozenset({"a"}), OPTIONS)
    chunk = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "x"}}
    reader = reading(now, is_resumed=True)
    items = reader.read(
        [prompt(1), answer(2), prompt(3, "u"), asks(4, "a"), says(5, chunk, itemId="m")]
    )
    kinds = [one["sessionUpdate"] for one in told(items)]
    assert kinds == ["user_message", "user_message", "state_update", "agent_message_chunk"]
    assert states(items) == ["requires_action"]
    assert items[-1] == Passed(5)
    assert reader.standing() == []
    assert states(reader.read([settles(6, "a"), answer(7, "u")])) == ["running", "idle end_turn"]


def test_who_resumes_is_told_that_nothing_is_going_on_and_who_begins_is_not() -> None:
    (resumed,) = reading(is_resumed=True).standing()
    assert json.loads(resumed)["params"]["update"]["state"] == "idle"
    assert reading().standing() == []
    assert len(reading(RUNNING).standing()) == 1


def test_a_turn_of_the_agents_own_counts() -> None:
    notes = {"background": True}
    began = {"method": "_sandbox_agent/turn.started", "params": {"taskId": "x"}}
    over = {"method": "_sandbox_agent/turn.ended", "params": {"stopReason": "end_turn"}}
    items = reading().read(
        [
            entry(1, "agent", began, turnId="own", annotations=notes),
            entry(2, "agent", over, turnId="own", annotations=notes),
            entry(3, "agent", over, turnId="other"),
        ]
    )
    assert states(items) == ["running", "idle end_turn"]


def test_a_long_message_comes_in_pieces_of_one_message() -> None:
    text = "x" * 700_000
    chunk = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    pieces = told(reading().read([says(1, chunk, itemId="m")]))
    assert len(pieces) > 1
    assert {piece["messageId"] for piece in pieces} == {"m"}
    assert "".join(piece["content"]["text"] for piece in pieces) == text
    typed = [one for one in told(reading().read([prompt(1, text=text)])) if "messageId" in one]
    assert {(piece["messageId"], piece["sessionUpdate"]) for piece in typed} == {
        ("t", "user_message_chunk")
    }
    assert "".join(piece["content"]["text"] for piece in typed) == text


def test_what_is_set_is_told_once() -> None:
    def mode_of(items: list[Item]) -> list[Any]:
        return [one["configOptions"][0]["currentValue"] for one in told(items)]

    reader = reading()
    mode = {"sessionUpdate": "current_mode_update", "currentModeId": "plan"}
    set_by_us = {"id": 1, "result": {}}
    more = {"method": "session/set_mode", "annotations": {"modeId": "plan"}}
    assert mode_of(reader.read([entry(1, "agent", set_by_us, **more)])) == ["plan"]
    assert told(reader.read([says(2, mode)])) == []
    assert mode_of(reader.read([says(3, {**mode, "currentModeId": "ask"})])) == ["ask"]
    assert told(reader.read([entry(4, "agent", {"id": 1, "error": {}}, **more)])) == []
    fresh = {"modes": {"currentModeId": "x", "availableModes": [{"id": "x"}]}}
    opened = entry(5, "agent", {"id": 1, "result": fresh}, method="session/load")
    assert mode_of(reader.read([opened])) == ["x"]


def test_what_was_said_into_a_turn_is_a_message_of_its_own() -> None:
    steered = {"turnId": "t", "content": [{"type": "text", "text": "faster"}]}
    taken = entry(
        1,
        "agent",
        {"id": 1, "result": {}},
        method="_sandbox_agent/session.steer",
        annotations={"steered": steered},
    )
    (message,) = told(reading().read([taken]))
    assert message["content"] == steered["content"]
    assert message["messageId"] != "t"


def test_notifications_of_vendors_are_forwarded_and_those_of_the_server_are_not() -> None:
    thing = entry(1, "agent", {"method": "_vendor/thing", "params": {"sessionId": "z", "a": 1}})
    (item,) = [one for one in reading().read([thing]) if isinstance(one, Said)]
    params = json.loads(item.messages[0])["params"]
    assert (params["sessionId"], params["a"]) == ("s", 1)
    ours = entry(1, "agent", {"method": "_sandbox_agent/task.started", "params": {}})
    assert reading().read([ours]) == [Passed(1)]
