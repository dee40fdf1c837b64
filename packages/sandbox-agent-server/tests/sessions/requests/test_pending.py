"""What an agent asks a person: the first answer wins, and nothing is answered before the log says it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.api.policy import PermissionPolicy, PermissionRule
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.errors import (
    InvalidRequest,
    RequestAlreadyResolved,
    RequestNotFound,
    StorageError,
)
from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.frames.jsonrpc import error_response, notification, response
from sandbox_agent_core.projection import project_wire
from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.sessions.requests import pending
from sandbox_agent_server.sessions.requests.tellings import MAX_CALLS
from sandbox_agent_server.sessions.state import MAX_GRANTS, SessionState
from still_clock import StillClock
from talk import OPTIONS, Talk, permission, question, settled, shapes, until

MakeTalk = Callable[..., Any]


@pytest.fixture
async def make_talk(tmp_path: Path) -> AsyncIterator[MakeTalk]:
    made: list[Talk] = []

    async def make_talk(policy: PermissionPolicy | None = None, **limits: Any) -> Talk:
        talk = Talk(tmp_path / str(len(made)), policy=policy, **limits)
        made.append(talk)
        await talk.connect()
        return talk

    yield make_talk
    for talk in made:
        await talk.close()


def selected(option_id: str) -> dict[str, Any]:
    return {"outcome": {"outcome": "selected", "optionId": option_id}}


CANCELLED = {"outcome": {"outcome": "cancelled"}}


def answer(talk: Talk, id: str, **body: Any) -> dict[str, Any]:
    return talk.conversation.requests.answer(id, AnswerRequest.model_validate(body))


def answer_frame(talk: Talk, id: Any, result: Any) -> None:
    talk.conversation.requests.answer_frame(response(id, result))


# A person


async def test_a_request_waits_in_the_log_and_in_the_state_until_it_is_answered(talk: Talk) -> None:
    talk.prompt()
    id = await talk.asked(permission(0))
    (asked,) = talk.conversation.state.pending.values()
    assert asked["toolCall"]["title"] == "rm"
    assert asked["options"] == OPTIONS
    assert (asked["id"], asked["kind"], asked["turnId"]) == (id, "permission", "turn_1")
    assert (asked["default"], asked["expiresAt"] > asked["askedAt"]) == ("deny", True)
    assert talk.answers == []

    resolution = answer(talk, id, optionId="a1", actor="Ada")

    assert talk.answers == [response(0, selected("a1"))]
    assert talk.conversation.state.pending == {}
    assert shapes(talk.entries)[-2:] == [
        "agent session/request_permission",
        "client =session/request_permission",
    ]
    assert resolution["requestId"] == id
    assert (resolution["decidedBy"], resolution["actor"]) == ("user", "Ada")
    assert (resolution["optionId"], resolution["optionKind"]) == ("a1", "allow_once")


async def test_the_second_answer_is_refused_with_the_first_decision(talk: Talk) -> None:
    id = await talk.asked(permission())
    first = answer(talk, id, optionId="a1", actor="Ada")
    for body in ({"optionId": "r1"}, {"optionId": "a1"}, {"reply": "reject"}, {"decline": True}):
        with pytest.raises(RequestAlreadyResolved) as caught:
            answer(talk, id, **body)
        assert caught.value.details["resolution"] == first
    assert len(talk.answers) == 1


async def test_what_was_never_asked_is_not_found(talk: Talk) -> None:
    with pytest.raises(RequestNotFound):
        answer(talk, "req_x", reply="once")
    with pytest.raises(RequestNotFound):
        answer_frame(talk, 7, CANCELLED)


@pytest.mark.parametrize(
    ("reply", "chosen"),
    [("once", "a1"), ("always", "a2"), ("reject", "r1")],
)
async def test_a_reply_chooses_by_kind(talk: Talk, reply: str, chosen: str) -> None:
    answer(talk, await talk.asked(permission()), reply=reply)
    assert talk.answers == [response(7, selected(chosen))]


async def test_a_kind_that_is_not_offered_is_answered_so_that_it_allows_nothing(talk: Talk) -> None:
    id = await talk.asked(permission(options=[{"optionId": "x", "kind": "allow_once"}]))
    answer(talk, id, reply="reject")
    assert talk.answers == [response(7, CANCELLED)]


@pytest.mark.parametrize(
    "body", [{"optionId": "zz"}, {"answers": {"name": "x"}}, {"decline": True}]
)
async def test_an_answer_that_does_not_fit_leaves_the_request_open(
    talk: Talk, body: dict[str, Any]
) -> None:
    id = await talk.asked(permission())
    before = talk.log.last_seq
    with pytest.raises(InvalidRequest):
        answer(talk, id, **body)
    assert (talk.log.last_seq, talk.answers) == (before, [])
    answer(talk, id, optionId="r1")


async def test_a_question_is_answered_or_declined(talk: Talk) -> None:
    one, other = await talk.asked(question("q1")), await talk.asked(question("q2"))
    for body in ({"reply": "once"}, {"optionId": "a1"}, {"answers": {"age": "7"}}):
        with pytest.raises(InvalidRequest):
            answer(talk, one, **body)
    answer(talk, one, answers={"name": "Ada"})
    answer(talk, other, decline=True)
    assert talk.answers == [
        response("q1", {"action": "accept", "content": {"name": "Ada"}}),
        response("q2", {"action": "decline"}),
    ]


# An ACP client


async def test_the_answer_of_an_acp_client_goes_to_the_agent_as_it_is(talk: Talk) -> None:
    await talk.asked(permission("x"))
    result = {**selected("a1"), "_meta": {"why": "because"}}
    frame = {**response("x", result), "_meta": {"trace": 1}}
    talk.conversation.send(frame)
    assert talk.answers == [frame]
    last = talk.entries[-1]
    assert (last.sender, last.payload) == ("client", frame)
    assert (talk.resolution["optionId"], talk.resolution["decidedBy"]) == ("a1", "user")
    assert talk.conversation.state.pending == {}


@pytest.mark.parametrize(
    ("ask", "frame", "outcome"),
    [
        (permission, response(7, CANCELLED), "cancelled"),
        (permission, response(7, None), "cancelled"),
        (permission, error_response(7, -32000, "no"), "cancelled"),
        (permission, response(7, {"action": "accept"}), "cancelled"),
        (permission, response(7, {"action": "decline"}), "cancelled"),
        (question, response(7, {"action": "accept", "content": {"name": "x"}}), "answered"),
        (question, response(7, {"action": "decline"}), "declined"),
        (question, response(7, {"action": "cancel"}), "cancelled"),
        (question, response(7, {}), "cancelled"),
    ],
)
async def test_what_an_acp_client_answered_is_read_for_the_log(
    talk: Talk, ask: Any, frame: Any, outcome: str
) -> None:
    await talk.asked(ask(7))
    talk.conversation.send(frame)
    assert talk.answers == [frame]
    assert talk.resolution["outcome"] == outcome


@pytest.mark.parametrize(
    "options", [OPTIONS, [], None, [{"name": "no id"}], [{"optionId": []}], "x"]
)
async def test_an_acp_client_cannot_choose_what_is_not_offered(talk: Talk, options: Any) -> None:
    await talk.asked(permission(options=options))
    for result in (selected("zz"), {"outcome": {"outcome": "selected"}}):
        with pytest.raises(InvalidRequest):
            answer_frame(talk, 7, result)
    assert talk.answers == []
    answer_frame(talk, 7, CANCELLED)
    assert talk.resolution["outcome"] == "cancelled"


async def test_a_cancelled_outcome_selects_nothing_whatever_else_it_says(talk: Talk) -> None:
    await talk.asked(permission())
    answer_frame(talk, 7, {"outcome": {"outcome": "cancelled", "optionId": "a1"}})
    assert talk.resolution["outcome"] == "cancelled"
    assert "optionId" not in talk.resolution


# Policy, and the bound


async def test_what_a_policy_decides_is_asked_and_answered_in_one_step(make_talk: MakeTalk) -> None:
    rules = [
        PermissionRule(action="allow", command="ls", name="harmless"),
        PermissionRule(action="deny", command="rm *"),
    ]
    talk = await make_talk(PermissionPolicy(rules=rules))
    await talk.agent_writes(
        permission(1, rawInput={"command": "ls"}), permission(2, rawInput={"command": "rm -rf /"})
    )
    await talk.agent_writes(permission(3, rawInput={"command": "make"}))
    assert talk.answers == [response(1, selected("a1")), response(2, selected("r1"))]
    decided = [one.annotations for one in talk.entries if "decidedBy" in (one.annotations or {})]
    assert [(one and one["decidedBy"], one and one["rule"]) for one in decided] == [
        ("policy", "harmless"),
        ("policy", "rule 2"),
    ]
    assert len(talk.conversation.state.pending) == len(talk.conversation.requests) == 1
    assert {one.sender for one in talk.entries[2:3]} == {"server"}


async def test_a_rule_sees_what_was_told_of_the_tool_call_before(make_talk: MakeTalk) -> None:
    talk = await make_talk(PermissionPolicy(rules=[PermissionRule(action="deny", command="rm *")]))
    talk.prompt()
    update = {"sessionUpdate": "tool_call", "toolCallId": "t9", "rawInput": {"command": "rm -r x"}}
    await talk.agent_writes(
        notification(acp.SESSION_UPDATE, {"sessionId": "s1", "update": update}),
        permission(1, toolCallId="t9", title=None, kind=None, rawInput=None),
    )
    assert talk.answers == [response(1, selected("r1"))]


async def test_more_than_may_wait_are_denied_at_once(make_talk: MakeTalk) -> None:
    talk = await make_talk(max_pending_requests=2)
    await talk.agent_writes(permission(1), question(2), permission(3), question(4))
    assert talk.answers == [response(3, selected("r1")), response(4, {"action": "decline"})]
    assert talk.resolution["rule"] == "limit max_pending_requests"
    answer_frame(talk, 1, CANCELLED)
    await talk.agent_writes(permission(5))
    assert len(talk.answers) == 3
    assert len(talk.conversation.state.pending) == 2


async def test_what_waits_is_bounded_in_bytes_too(make_talk: MakeTalk) -> None:
    talk = await make_talk(max_pending_bytes=3000)
    await talk.agent_writes(permission(1, title="x" * 1500), permission(2, title="x" * 1500))
    assert talk.answers == [response(2, selected("r1"))]
    assert talk.resolution["rule"] == "limit max_pending_bytes"
    await talk.agent_writes(permission(3))
    assert len(talk.conversation.state.pending) == 2
    answer_frame(talk, 1, CANCELLED)
    await talk.agent_writes(permission(4, title="x" * 1500))
    assert len(talk.conversation.state.pending) == 2


# The deadline


@pytest.mark.parametrize(
    ("on_timeout", "ask", "expected"),
    [
        ("deny", permission, selected("r1")),
        ("allow", permission, selected("a1")),
        ("allow", question, {"action": "decline"}),
    ],
)
async def test_nothing_waits_for_ever(
    make_talk: MakeTalk, on_timeout: Any, ask: Any, expected: Any
) -> None:
    talk = await make_talk(PermissionPolicy(timeout_s=0.01, on_timeout=on_timeout))
    id = await talk.asked(ask(7))
    await until(lambda: talk.answers)
    assert talk.answers == [response(7, expected)]
    assert (talk.entries[-1].sender, talk.resolution["decidedBy"]) == ("server", "timeout")
    with pytest.raises(RequestAlreadyResolved):
        answer(talk, id, reply="once")


async def test_a_request_that_is_answered_has_no_deadline_any_more(make_talk: MakeTalk) -> None:
    talk = await make_talk(PermissionPolicy(timeout_s=0.02))
    await talk.asked(permission(1))
    answer_frame(talk, 1, selected("a1"))
    await talk.asked(permission(2))
    await until(lambda: len(talk.answers) == 2)
    assert [one["id"] for one in talk.answers] == [1, 2]


async def test_a_deadline_that_cannot_be_recorded_is_tried_again(
    make_talk: MakeTalk, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "_RETRY_S", 0.005)
    talk = await make_talk(PermissionPolicy(timeout_s=0.01))
    await talk.asked(permission())
    requests = talk.conversation.requests
    tried = asyncio.Event()
    expire = requests._expire
    with disk.full():
        monkeypatch.setattr(requests, "_expire", lambda one: (expire(one), tried.set()))
        await asyncio.wait_for(tried.wait(), 5)
        assert talk.answers == []
        assert len(talk.conversation.state.pending) == 1
    await until(lambda: talk.answers)
    assert talk.resolution["decidedBy"] == "timeout"


# Taken back


async def test_a_request_that_the_agent_withdraws_is_closed(talk: Talk) -> None:
    one, other = await talk.asked(permission(1)), await talk.asked(permission(2))
    await talk.agent_writes(notification(acp.CANCEL_REQUEST, {"requestId": 1}))
    await talk.agent_writes(notification(acp.CANCEL_REQUEST, {"requestId": 99}))
    await talk.agent_writes(notification(acp.CANCEL_REQUEST, {}))
    assert list(talk.conversation.state.pending) == [other]
    assert talk.resolution["decidedBy"] == "cancel"
    with pytest.raises(RequestAlreadyResolved):
        answer(talk, one, reply="once")


async def test_one_that_is_withdrawn_in_the_batch_that_asks_is_closed_once(
    make_talk: MakeTalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StillClock(monkeypatch)
    talk = await make_talk(PermissionPolicy(timeout_s=10))
    id = talk.prompt()
    await talk.agent_writes(
        permission(1),
        notification(acp.CANCEL_REQUEST, {"requestId": 1}),
        permission(2),
        response(id, {"stopReason": "end_turn"}),
    )
    await clock.move(11)
    monkeypatch.undo()
    decided = [one.item_id for one in talk.entries if "decidedBy" in (one.annotations or {})]
    assert len(decided) == len(set(decided)) == 2
    assert talk.conversation.state.pending == {}
    assert len(talk.conversation.requests) == 0


async def test_the_end_of_a_turn_cancels_what_is_open(talk: Talk) -> None:
    id = talk.prompt()
    await talk.agent_writes(permission(1), question(2))
    await talk.agent_answers(id, {"stopReason": "end_turn"})
    assert talk.answers == [response(1, CANCELLED), response(2, {"action": "cancel"})]
    assert talk.conversation.state.pending == {}
    assert shapes(talk.entries)[-4:] == [
        "server =session/request_permission",
        "server =elicitation/create",
        "server tool.completed",
        "agent =session/prompt",
    ]


async def test_when_the_agent_is_gone_nothing_is_open_and_no_deadline_comes(
    make_talk: MakeTalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StillClock(monkeypatch)
    talk = await make_talk(PermissionPolicy(timeout_s=10))
    await talk.asked(permission())
    talk.adapter.die(1)
    await settled()
    await clock.move(11)
    monkeypatch.undo()
    assert len(talk.conversation.requests) == 0
    assert "decidedBy" not in (talk.entries[-1].annotations or {})
    with pytest.raises(RequestNotFound):
        answer_frame(talk, 7, CANCELLED)


# A disk that is full


async def test_an_answer_that_cannot_be_recorded_is_not_delivered_and_may_be_given_again(
    talk: Talk, disk: Any
) -> None:
    id = await talk.asked(permission())
    with disk.full(), pytest.raises(StorageError):
        answer(talk, id, optionId="a1")
    with disk.full(), pytest.raises(StorageError):
        answer_frame(talk, 7, selected("a1"))
    await settled()
    assert talk.answers == []
    assert list(talk.conversation.state.pending) == [id]
    answer(talk, id, optionId="r1")
    assert talk.answers == [response(7, selected("r1"))]


async def test_a_cancel_that_cannot_be_recorded_leaves_the_requests_open(
    talk: Talk, disk: Any
) -> None:
    id = await talk.asked(permission())
    step = talk.conversation.step()
    talk.conversation.requests.cancel_all(step)
    with disk.full(), pytest.raises(StorageError):
        talk.log.append(step)
    assert len(talk.conversation.requests) == 1
    answer(talk, id, optionId="a1")
    assert talk.answers == [response(7, selected("a1"))]


# What is shown, and judged


def told(**fields: Any) -> dict[str, Any]:
    update = {"sessionUpdate": "tool_call", "toolCallId": "t1", **fields}
    return notification(acp.SESSION_UPDATE, {"sessionId": "s1", "update": update})


BARE = {"title": None, "kind": None}


async def test_a_permission_shows_what_was_told_of_its_call_before(talk: Talk) -> None:
    talk.prompt()
    change = {"type": "diff", "path": "/w/a", "newText": "b"}
    await talk.agent_writes(told(kind="execute", rawInput={"command": "rm a"}, content=[change]))
    await talk.asked(permission(title="bash", kind=None, rawInput={}))

    (asked,) = talk.conversation.state.pending.values()
    assert (asked["command"], asked["paths"]) == ("rm a", ["/w/a"])
    assert asked["toolCall"]["rawInput"] == {"command": "rm a"}
    assert asked["toolCall"]["content"] == [change]
    assert asked["toolCall"]["title"] == "bash"
    event = project_wire(talk.entries[-1])
    assert event is not None
    assert (event["data"]["command"], event["data"]["paths"]) == ("rm a", ["/w/a"])
    (diff,) = event["data"]["toolCall"]["diffs"]
    assert (diff["path"], diff["newText"]) == ("/w/a", "b")


async def test_a_call_that_was_told_in_a_frame_of_any_size_is_judged(make_talk: MakeTalk) -> None:
    rules = [
        PermissionRule(action="deny", command="rm *"),
        PermissionRule(action="deny", path="*.env"),
    ]
    talk = await make_talk(PermissionPolicy(rules=rules, default="allow"))
    talk.prompt()
    bulk = "x" * 300_000
    await talk.agent_writes(told(kind="execute", rawInput={"command": "rm a", "description": bulk}))
    await talk.agent_writes(permission(1, **BARE))
    await talk.agent_writes(
        told(toolCallId="t2", kind="edit", rawInput={"path": ".env", "content": bulk})
    )
    await talk.agent_writes(permission(2, toolCallId="t2", **BARE))
    await talk.agent_writes(permission(3, toolCallId="t3", kind="edit", locations=[{"path": "a"}]))

    assert talk.answers == [
        response(1, selected("r1")), response(2, selected("r1")), response(3, selected("a1"))
    ]  # fmt: skip


async def test_more_open_calls_than_are_remembered_are_unknown_and_allowed_by_no_rule(
    make_talk: MakeTalk,
) -> None:
    rules = [PermissionRule(action="deny", command="rm *")]
    talk = await make_talk(PermissionPolicy(rules=rules, default="allow"))
    talk.prompt()
    ls = {"kind": "execute", "rawInput": {"command": "ls"}}
    await talk.agent_writes(*(told(toolCallId=f"t{n}", **ls) for n in range(MAX_CALLS + 1)))
    await talk.agent_writes(permission(1, toolCallId="t0", **BARE))
    await talk.agent_writes(permission(2, toolCallId="t1", **BARE))

    assert talk.answers == [response(1, selected("r1")), response(2, selected("a1"))]


async def test_what_a_permission_says_for_people_is_no_output_of_the_call(talk: Talk) -> None:
    id = talk.prompt()
    said = {"type": "content", "content": {"type": "text", "text": "Makes a file"}}
    await talk.asked(permission(content=[said]))
    await talk.agent_writes(told(sessionUpdate="tool_call_update", status="completed"))
    await talk.agent_answers(id, {"stopReason": "end_turn"})

    (completed,) = [
        e for e in map(project_wire, talk.entries) if e and e["type"] == "tool.completed"
    ]
    assert "content" not in completed["data"]
    assert completed["data"]["title"] == "rm"


async def test_always_is_remembered_here_where_the_agent_could_only_write_it_into_a_file(
    make_talk: MakeTalk,
) -> None:
    rules = [PermissionRule(action="ask", command="touch *")]
    talk = await make_talk(PermissionPolicy(rules=rules))
    lasting = {"optionId": "always_project", "kind": "allow_always", "name": "In this project"}
    options = [lasting, *(option for option in OPTIONS if option["kind"] != "allow_always")]
    touch = {"kind": "execute", "rawInput": {"command": "touch a && echo b"}, "options": options}
    answer(talk, await talk.asked(permission(1, **touch)), reply="always")
    await talk.agent_writes(permission(2, **touch))
    await talk.asked(permission(3, **{**touch, "rawInput": {"command": "touch a && echo c"}}))

    assert talk.answers == [response(1, selected("a1")), response(2, selected("a1"))]
    assert (talk.resolution["decidedBy"], talk.resolution["rule"]) == ("policy", "always")
    wire = loads(dumps(talk.conversation.state.to_wire()))
    stored = SessionState.from_wire(wire, native_modes={})
    assert stored is not None
    assert stored.grants == talk.conversation.state.grants != ()


async def test_what_is_always_allowed_no_mode_and_no_rule_that_denies_lets_through(
    make_talk: MakeTalk,
) -> None:
    talk = await make_talk()
    lasting = [{"optionId": "p", "kind": "allow_always", "name": "In this project"}, *OPTIONS[:1]]
    options = [*lasting, OPTIONS[2]]
    touch = {"kind": "execute", "rawInput": {"command": "touch a"}, "options": options}
    answer(talk, await talk.asked(permission(1, **touch)), reply="always")
    policy = PermissionPolicy(rules=[PermissionRule(action="deny", command="touch *")])
    talk.conversation.state_entries(
        (extensions.SESSION_UPDATED, {"permissionPolicy": policy.model_dump(by_alias=True)})
    )
    await talk.agent_writes(permission(2, **touch))

    assert talk.answers[-1] == response(2, selected("r1"))


async def test_only_so_much_is_remembered(make_talk: MakeTalk) -> None:
    talk = await make_talk()
    step = talk.conversation.step()
    for number in range(MAX_GRANTS + 2):
        given = {"kind": "permission", "decidedBy": "user", "grant": {"command": str(number)}}
        talk.conversation.stamper.answer(
            step, "client", response(number, {}), method=acp.SESSION_REQUEST_PERMISSION,
            request_id=f"req_{number}", annotations=given,
        )  # fmt: skip

    assert len(step.state.grants) == MAX_GRANTS
    assert step.state.grants[-1] == {"command": str(MAX_GRANTS + 1)}
