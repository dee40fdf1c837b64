"""Hooks of a session: asked and answered as permissions are, by the agent itself or through what it asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sandbox_agent_core.api.policy import PermissionPolicy, PermissionRule
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.api.sessions import SessionHooks
from sandbox_agent_core.errors import (
    InputForbidden,
    InvalidRequest,
    OperationNotSupported,
    RequestAlreadyResolved,
)
from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.frames.jsonrpc import request, response
from sandbox_agent_core.projection import project
from sandbox_agent_server.sessions.requests.answers import PendingRequest, cancelled
from talk import Talk, permission, settled, shapes

CALL = {"toolCallId": "t1", "title": "ls", "kind": "execute", "rawInput": {"command": "ls"}}


def hook(event: str = "before_tool", id: Any = 9, **more: Any) -> Frame:
    return request(
        id, extensions.HOOK, {"sessionId": "s1", "event": event, "toolCall": CALL, **more}
    )


def prepare(
    talk: Talk,
    *,
    native: tuple[str, ...] = ("before_tool", "after_tool"),
    answers: tuple[str, ...] = (),
    rule: dict[str, Any] | None = None,
    **policy: Any,
) -> None:
    """A session with both hooks, of an agent that asks these."""
    own = {"_meta": {"sandbox_agent": {"hooks": list(native), "permissionAnswers": list(answers)}}}
    state = talk.conversation.state
    rules = [PermissionRule(**rule)] if rule else []
    settings = state.settings.model_copy(
        update={
            "hooks": SessionHooks(before_tool=True, after_tool=True),
            "permission_policy": PermissionPolicy(rules=rules, **policy),
        }
    )
    talk.conversation.state = replace(state, capabilities=own, settings=settings)


def say(talk: Talk, id: str, **said: Any) -> dict[str, Any]:
    body = AnswerRequest.model_validate({"hook": said, "actor": "ada"})
    return talk.conversation.requests.answer(id, body)


def last(talk: Talk) -> Any:
    return talk.answers[-1]["result"]


def events(talk: Talk) -> list[dict[str, Any]]:
    found = [project(entry) for entry in talk.entries]
    wires = [event.to_wire() for event in found if event is not None]
    return [wire for wire in wires if wire["type"].split(".")[0] in ("hook", "permission")]


# Of an agent that asks hooks


async def test_a_hook_waits_in_the_log_and_in_the_state_until_it_is_answered(talk: Talk) -> None:
    prepare(talk)
    talk.prompt()
    id = await talk.asked(hook())
    (asked,) = talk.conversation.state.pending.values()
    assert (asked["kind"], asked["hook"], asked["default"]) == ("hook", "before_tool", "deny")
    assert (asked["toolCall"]["title"], asked["command"], asked["turnId"]) == ("ls", "ls", "turn_1")
    resolution = say(talk, id, decision="deny", message="Not now.")

    assert last(talk) == {"decision": "deny", "message": "Not now."}
    told = {name: resolution[name] for name in ("kind", "outcome", "decision", "message", "actor")}
    assert told == {
        "kind": "hook", "outcome": "decided", "decision": "deny", "message": "Not now.", "actor": "ada",
    }  # fmt: skip
    assert talk.conversation.state.pending == {}
    assert shapes(talk.entries)[-2:] == ["agent hook", "client =hook"]
    one, other = events(talk)
    assert (one["type"], one["data"]["hook"]) == ("hook.requested", "before_tool")
    assert (other["type"], other["data"]["decision"]) == ("hook.resolved", "deny")
    with pytest.raises(RequestAlreadyResolved):
        say(talk, id)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"decision": "ask"},
        {"decision": "allow"},
        {"decision": "allow", "updatedInput": {"command": "ls -l"}},
    ],
)
async def test_before_a_tool_it_says_one_of_these(talk: Talk, said: dict[str, Any]) -> None:
    prepare(talk)
    say(talk, await talk.asked(hook()), **said)
    assert last(talk) == said


async def test_after_a_tool_it_can_add_to_what_the_model_is_told(talk: Talk) -> None:
    prepare(talk)
    id = await talk.asked(hook("after_tool", output={"stdout": "a"}))
    (asked,) = talk.conversation.state.pending.values()
    assert (asked["hook"], asked["output"], asked["default"]) == (
        "after_tool", {"stdout": "a"}, "none",
    )  # fmt: skip
    with pytest.raises(InvalidRequest):
        say(talk, id, decision="deny")
    say(talk, id, context="b is missing")
    assert last(talk) == {"context": "b is missing"}


@pytest.mark.parametrize("body", [{"reply": "once"}, {"decline": True}, {"answers": {}}])
async def test_other_answers_do_not_fit_a_hook(talk: Talk, body: dict[str, Any]) -> None:
    prepare(talk)
    id = await talk.asked(hook())
    with pytest.raises(InvalidRequest):
        talk.conversation.requests.answer(id, AnswerRequest.model_validate(body))


async def test_what_a_rule_denies_is_denied_before_a_hook_is_asked(talk: Talk) -> None:
    prepare(talk, rule={"action": "deny", "command": "ls", "name": "no ls"})
    await talk.agent_writes(hook())
    assert last(talk) == {"decision": "deny"}
    assert (talk.resolution["decidedBy"], talk.resolution["rule"]) == ("policy", "no ls")


async def test_what_a_rule_allows_is_a_hooks_affair_all_the_same(talk: Talk) -> None:
    prepare(talk, rule={"action": "allow", "command": "ls"})
    say(talk, await talk.asked(hook()), decision="deny")
    assert last(talk) == {"decision": "deny"}


async def test_a_hook_cannot_allow_what_a_rule_denies(talk: Talk) -> None:
    prepare(talk, rule={"action": "deny", "command": "rm*"})
    id = await talk.asked(hook())
    said = {"decision": "allow", "updatedInput": {"command": "rm a"}}
    with pytest.raises(InputForbidden):
        say(talk, id, **said)
    with pytest.raises(InputForbidden):
        talk.conversation.requests.answer_frame(response(9, said))
    assert talk.answers == []


async def test_a_hook_that_the_session_does_not_want_waits_for_nobody(talk: Talk) -> None:
    await talk.agent_writes(hook())
    assert (last(talk), talk.resolution["rule"]) == ({}, "no hooks")


@pytest.mark.parametrize(
    ("event", "on_timeout", "answer"),
    [
        ("before_tool", "deny", {"decision": "deny"}),
        ("before_tool", "allow", {}),
        ("after_tool", "deny", {}),
    ],
)
async def test_nobody_answers(
    talk: Talk, event: str, on_timeout: str, answer: dict[str, Any]
) -> None:
    prepare(talk, timeout_s=1, on_timeout=on_timeout)
    await talk.asked(hook(event))
    request = next(iter(talk.conversation.requests._open.values()))
    talk.conversation.requests._expire(request)
    assert (last(talk), talk.resolution["decidedBy"]) == (answer, "timeout")


async def test_a_hook_ends_with_its_turn_and_allows_nothing(talk: Talk) -> None:
    prepare(talk)
    prompt = talk.prompt()
    await talk.asked(hook())
    await talk.agent_answers(prompt, {"stopReason": "end_turn"})
    await settled()
    assert last(talk) == {"decision": "deny"}
    assert (talk.resolution["outcome"], talk.resolution["decidedBy"]) == ("cancelled", "cancel")


def test_one_that_an_earlier_server_left_open_allows_nothing() -> None:
    asked = {"kind": "hook", "hook": "before_tool", "turnId": None, "default": "deny"}
    left = PendingRequest.left_over("req_1", asked)
    assert left.method == extensions.HOOK
    assert cancelled(left, "cancel").frame["result"] == {"decision": "deny"}


async def test_an_acp_client_answers_a_hook_itself(talk: Talk) -> None:
    prepare(talk)
    await talk.asked(hook())
    talk.conversation.requests.answer_frame(response(9, {"decision": "ask"}))
    assert (last(talk), talk.resolution["decision"]) == ({"decision": "ask"}, "ask")


# Through the permissions of an agent that asks none


def selected(talk: Talk) -> str | None:
    chosen: str | None = last(talk)["outcome"].get("optionId")
    return chosen


async def test_it_is_asked_through_the_permission_also_where_a_rule_allows(talk: Talk) -> None:
    prepare(talk, native=(), rule={"action": "allow", "toolKind": "execute"})
    id = await talk.asked(permission())
    (asked,) = talk.conversation.state.pending.values()
    assert (asked["kind"], asked["hook"]) == ("permission", "before_tool")
    resolution = say(talk, id, decision="deny", message="No.")

    assert selected(talk) == "r1"
    assert (resolution["kind"], resolution["message"]) == ("permission", "No.")
    types = [(event["type"], event["data"].get("hook")) for event in events(talk)]
    assert types == [
        ("permission.requested", "before_tool"),
        ("hook.resolved", None),
        ("permission.resolved", None),
    ]


async def test_a_rule_that_denies_asks_no_hook(talk: Talk) -> None:
    prepare(talk, native=(), rule={"action": "deny", "toolKind": "execute"})
    await talk.agent_writes(permission())
    assert (selected(talk), talk.resolution["decidedBy"]) == ("r1", "policy")


async def test_what_it_allows_nobody_else_is_asked_for(talk: Talk) -> None:
    prepare(talk, native=(), answers=("updatedInput",))
    id = await talk.asked(permission(rawInput={"command": "ls"}))
    say(talk, id, decision="allow", updatedInput={"command": "ls -l"})
    assert selected(talk) == "a1"
    assert last(talk)["_meta"]["sandbox_agent"] == {"updatedInput": {"command": "ls -l"}}


async def test_another_input_is_refused_where_the_agent_takes_none(talk: Talk) -> None:
    prepare(talk, native=())
    id = await talk.asked(permission(rawInput={"command": "ls"}))
    before = talk.log.last_seq
    with pytest.raises(OperationNotSupported):
        say(talk, id, decision="allow", updatedInput={"command": "ls -l"})
    assert (talk.log.last_seq, talk.answers) == (before, [])


async def test_without_an_opinion_the_rule_decides(talk: Talk) -> None:
    prepare(talk, native=(), rule={"action": "allow", "toolKind": "execute", "name": "yes"})
    resolution = say(talk, await talk.asked(permission()))
    assert (selected(talk), resolution["decidedBy"], resolution["rule"]) == ("a1", "policy", "yes")


@pytest.mark.parametrize(("said", "action"), [({}, "ask"), ({"decision": "ask"}, "allow")])
async def test_else_a_person_is_asked_who_is_not_asked_as_a_hook_again(
    talk: Talk, said: dict[str, Any], action: str
) -> None:
    prepare(talk, native=(), rule={"action": action, "toolKind": "execute"})
    id = await talk.asked(permission())
    resolution = say(talk, id, **said)

    assert (resolution["kind"], resolution["outcome"]) == ("hook", "decided")
    assert talk.answers == []
    (asked,) = talk.conversation.state.pending.values()
    assert "hook" not in asked
    with pytest.raises(InvalidRequest):
        say(talk, id, decision="allow")
    talk.conversation.requests.answer(id, AnswerRequest(reply="once"))
    assert selected(talk) == "a1"
