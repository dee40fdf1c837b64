"""What an answer says beside its choice reaches the agent, or is refused: nothing of it is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from sandbox_agent_core.api.policy import PermissionPolicy, PermissionRule
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.errors import InputForbidden, InvalidRequest, OperationNotSupported
from sandbox_agent_core.frames.jsonrpc import response
from sandbox_agent_core.projection import project
from talk import OPTIONS, Talk, permission

NO_PUSH = PermissionPolicy(
    rules=[PermissionRule(action="deny", command="git push*", name="no push")]
)


def announce(talk: Talk, *answers: str) -> None:
    own = {"_meta": {"sandbox_agent": {"permissionAnswers": list(answers)}}}
    talk.conversation.state = replace(talk.conversation.state, capabilities=own)


def settings(talk: Talk, **changes: Any) -> None:
    state = talk.conversation.state
    talk.conversation.state = replace(state, settings=state.settings.model_copy(update=changes))


def answer(talk: Talk, id: str, **body: Any) -> dict[str, Any]:
    return talk.conversation.requests.answer(id, AnswerRequest.model_validate(body))


def sent(talk: Talk) -> dict[str, Any]:
    result: dict[str, Any] = talk.answers[-1]["result"]
    return result


async def test_why_not_reaches_the_agent_and_the_record(talk: Talk) -> None:
    announce(talk, "message", "onReject")
    resolution = answer(
        talk, await talk.asked(permission()), reply="reject", message="Not today.", onReject="stop"
    )

    assert sent(talk) == {
        "outcome": {"outcome": "selected", "optionId": "r1"},
        "_meta": {"sandbox_agent": {"message": "Not today.", "onReject": "stop"}},
    }
    told = resolution["message"], resolution["onReject"], resolution["scope"]
    assert told == ("Not today.", "stop", "once")
    event = project(talk.entries[-1])
    assert event is not None
    assert event.to_wire()["data"].items() >= {"message": "Not today.", "onReject": "stop"}.items()


async def test_another_input_reaches_the_agent_and_the_record(talk: Talk) -> None:
    announce(talk, "updatedInput")
    id = await talk.asked(permission(rawInput={"command": "rm -r build"}))
    resolution = answer(talk, id, reply="allow", updatedInput={"command": "rm -ri build"})

    assert sent(talk)["_meta"] == {"sandbox_agent": {"updatedInput": {"command": "rm -ri build"}}}
    assert resolution["updatedInput"] == {"command": "rm -ri build"}


@pytest.mark.parametrize(
    "body",
    [
        {"reply": "reject", "message": "no"},
        {"reply": "allow", "updatedInput": {"command": "ls"}},
        {"optionId": "a1", "updatedInput": {"command": "ls"}},
        {"reply": "reject", "onReject": "continue"},
        {"reply": "reject", "scope": "session"},
    ],
)
async def test_what_the_agent_does_not_take_is_refused_and_the_request_stays(
    talk: Talk, body: dict[str, Any]
) -> None:
    id = await talk.asked(permission())
    before = talk.log.last_seq
    with pytest.raises(OperationNotSupported) as refusal:
        answer(talk, id, **body)

    assert refusal.value.details["operation"].startswith("permission.")
    assert (talk.log.last_seq, talk.answers) == (before, [])
    answer(talk, id, reply="reject")


@pytest.mark.parametrize(
    "body",
    [
        {"reply": "reject", "updatedInput": {}},
        {"optionId": "r1", "updatedInput": {}},
        {"reply": "allow", "message": "no"},
        {"reply": "once", "onReject": "stop"},
        {"optionId": "a1", "message": "no"},
        {"reply": "always", "updatedInput": {}},
        {"optionId": "a2", "updatedInput": {}},
        {"reply": "allow", "scope": "session", "updatedInput": {}},
    ],
)
async def test_what_does_not_fit_the_choice_is_refused(talk: Talk, body: dict[str, Any]) -> None:
    announce(talk, "message", "updatedInput", "onReject")
    id = await talk.asked(permission(rawInput={"command": "ls"}))
    with pytest.raises(InvalidRequest):
        answer(talk, id, **body)
    assert talk.answers == []


@pytest.mark.parametrize(
    "body",
    [
        {"answers": {}, "message": "x"},
        {"decline": True, "onReject": "stop"},
        {"reply": "once", "scope": "session"},
        {"optionId": "a1", "scope": "once"},
        {"reply": "reject", "message": ""},
    ],
)
def test_what_can_never_fit_is_no_answer(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnswerRequest.model_validate(body)


@pytest.mark.parametrize(
    "updated",
    [
        {"command": "git push --force"},
        {"command": "cd x && git push"},
        {"command": "bash", "args": ["-c", "git push"]},
        {"cmd": "$(git push)"},
    ],
)
async def test_what_is_forbidden_stays_forbidden(talk: Talk, updated: dict[str, Any]) -> None:
    announce(talk, "updatedInput")
    settings(talk, permission_policy=NO_PUSH)
    id = await talk.asked(permission(rawInput={"command": "git status"}))
    before = talk.log.last_seq
    meta = {"sandbox_agent": {"updatedInput": updated}}
    frame = response(7, {"outcome": {"outcome": "selected", "optionId": "a1"}, "_meta": meta})
    for attempt in (
        lambda: answer(talk, id, reply="once", updatedInput=updated),
        lambda: talk.conversation.requests.answer_frame(frame),
    ):
        with pytest.raises(InputForbidden) as refusal:
            attempt()
        assert refusal.value.details["rule"] == "no push"
    assert (talk.log.last_seq, talk.answers) == (before, [])
    answer(talk, id, reply="once", updatedInput={"command": "git status -s"})


async def test_a_mode_forbids_another_input_as_well(talk: Talk) -> None:
    announce(talk, "updatedInput")
    state = talk.conversation.state
    options = state.options.with_permission_mode("read-only", native=None)
    talk.conversation.state = replace(state, options=options)
    id = await talk.asked(permission(kind="read", rawInput={"path": "a"}))
    with pytest.raises(InputForbidden):
        answer(talk, id, reply="once", updatedInput={"path": "a", "command": "rm a"})


async def test_an_acp_clients_words_go_as_they_are_and_are_on_record(talk: Talk) -> None:
    await talk.asked(permission(rawInput={"command": "ls"}))
    meta = {"sandbox_agent": {"updatedInput": {"command": "ls -l"}}, "mine": 1}
    result = {"outcome": {"outcome": "selected", "optionId": "a1"}, "_meta": meta}
    talk.conversation.requests.answer_frame(response(7, result))

    assert sent(talk) == result
    assert talk.resolution["updatedInput"] == {"command": "ls -l"}


# The turn


@pytest.mark.parametrize(
    ("takes", "of_session", "of_answer", "told", "is_stopped"),
    [
        ((), None, "stop", None, True),
        (("onReject",), None, "stop", "stop", False),
        (("onReject",), None, "continue", "continue", False),
        ((), "stop", None, None, True),
        (("onReject",), "stop", None, "stop", False),
        (("onReject",), "continue", "stop", "stop", False),
        ((), None, None, None, False),
    ],
)
async def test_a_refusal_may_end_the_turn(
    talk: Talk,
    takes: tuple[str, ...],
    of_session: str | None,
    of_answer: str | None,
    told: str | None,
    is_stopped: bool,
) -> None:
    stopped: list[str | None] = []
    talk.conversation.requests.stop_turn = stopped.append
    announce(talk, *takes)
    settings(talk, on_reject=of_session)
    talk.prompt()
    own = {} if of_answer is None else {"onReject": of_answer}
    answer(talk, await talk.asked(permission()), reply="reject", **own)

    assert sent(talk).get("_meta") == (told and {"sandbox_agent": {"onReject": told}})
    assert stopped == (["turn_1"] if is_stopped else [])


async def test_the_sessions_word_holds_also_where_a_rule_refuses(talk: Talk) -> None:
    stopped: list[str | None] = []
    talk.conversation.requests.stop_turn = stopped.append
    settings(talk, on_reject="stop", permission_policy=NO_PUSH)
    talk.prompt()
    await talk.agent_writes(permission(rawInput={"command": "git push"}))

    assert talk.resolution["decidedBy"] == "policy"
    assert stopped == ["turn_1"]


async def test_an_allowance_ends_nothing(talk: Talk) -> None:
    stopped: list[str | None] = []
    talk.conversation.requests.stop_turn = stopped.append
    settings(talk, on_reject="stop")
    answer(talk, await talk.asked(permission()), reply="allow")
    assert (stopped, "_meta" in sent(talk)) == ([], False)


# How long it holds


@pytest.mark.parametrize(
    ("body", "option", "scope"),
    [
        ({"reply": "allow"}, "a1", "once"),
        ({"reply": "allow", "scope": "once"}, "a1", "once"),
        ({"reply": "allow", "scope": "session"}, "a2", "session"),
        ({"reply": "always"}, "a2", "session"),
        ({"reply": "once"}, "a1", "once"),
        ({"reply": "reject"}, "r1", "once"),
        ({"optionId": "a2"}, "a2", "session"),
    ],
)
async def test_the_scope_is_on_record(
    talk: Talk, body: dict[str, Any], option: str, scope: str
) -> None:
    resolution = answer(talk, await talk.asked(permission()), **body)
    assert (resolution["optionId"], resolution["scope"]) == (option, scope)


async def test_what_the_agent_offers_once_only_the_session_remembers(talk: Talk) -> None:
    once = [option for option in OPTIONS if option["kind"] != "allow_always"]
    asked = permission(options=once, rawInput={"command": "make"})
    resolution = answer(talk, await talk.asked(asked), reply="allow", scope="session")
    assert (resolution["optionId"], resolution["scope"]) == ("a1", "session")

    await talk.agent_writes({**asked, "id": 9})
    assert talk.resolution["rule"] == "always"


async def test_what_nobody_could_remember_is_not_allowed_for_the_session(talk: Talk) -> None:
    once = [option for option in OPTIONS if option["kind"] != "allow_always"]
    id = await talk.asked(permission(options=once))
    with pytest.raises(OperationNotSupported):
        answer(talk, id, reply="allow", scope="session")
