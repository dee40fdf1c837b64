"""What an agent asks a person, and what it may be answered. Pure: others write the log and own the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from sandbox_agent_core.api.requests import AnswerRequest, Reply, Scope
from sandbox_agent_core.errors import InvalidRequest, OperationNotSupported
from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.frames.jsonrpc import RequestId, response
from sandbox_agent_core.lenient import as_dict, as_id, as_str, compact, dicts_in
from sandbox_agent_core.projection.questions import questions_of
from sandbox_agent_core.tool_facts import ToolFacts, facts_of

from sandbox_agent_server.sessions.requests.options import (
    choose_option,
    grant_of,
    offers_only_lasting,
    scope_of,
)

__all__ = [
    "Answer",
    "PendingRequest",
    "allow",
    "answered_by_frame",
    "cancelled",
    "deny",
    "hook_answer",
    "host_tool_answer",
    "read_request",
    "resolve_by_user",
]

_DESCRIBING = frozenset({"title", "kind", "name", "rawInput", "content", "locations"})
"""Fields of a tool call by which a person knows what it is."""

Kind = Literal["permission", "question", "hook", "host_tool"]
Hook = Literal["before_tool", "after_tool"]
Decider = Literal["user", "policy", "timeout", "cancel"]

_BY_REPLY = {
    "allow": ("allow_once",),
    "once": ("allow_once",),
    "always": ("allow_always", "allow_once"),
    "reject": ("reject_once", "reject_always"),
}


_METHODS: Final[dict[str, str]] = {
    "permission": acp.SESSION_REQUEST_PERMISSION,
    "question": acp.ELICITATION_CREATE,
    "hook": extensions.HOOK,
    "host_tool": extensions.HOST_TOOL,
}
_KINDS: Final[dict[str, Any]] = {method: kind for kind, method in _METHODS.items()}
_ALWAYS = ("allow_always", "reject_always")


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRequest:
    id: str
    kind: Kind
    method: str
    rpc_id: RequestId
    """The agent's own id, in its own id space."""
    turn_id: str | None
    params: dict[str, Any]
    expires_ms: int
    default: str
    facts: ToolFacts = field(default_factory=ToolFacts)
    """What is known of the tool call that a permission is about, from here and from before."""
    hook: Hook | None = None
    """Which hook of the session is asked; of a permission, before a person is."""
    earlier: dict[str, Any] = field(default_factory=dict)
    """Fields of the tool call that were told before and are not repeated here."""

    @classmethod
    def left_over(cls, id: str, asked: dict[str, Any]) -> PendingRequest:
        """One that an earlier server left open, from what the store kept of it."""
        return cls(
            id=id,
            kind=asked["kind"],
            method=_METHODS[asked["kind"]],
            hook=asked.get("hook"),
            rpc_id=id,  # the agent that numbered it is gone
            turn_id=asked["turnId"],
            params={},
            expires_ms=0,
            default=asked["default"],
        )

    @property
    def tool_call(self) -> dict[str, Any]:
        return as_dict(self.params.get("toolCall"))

    @property
    def subject(self) -> dict[str, Any]:
        return subject_of({"params": self.params})

    @property
    def options(self) -> list[dict[str, Any]]:
        return dicts_in(self.params.get("options"))

    @property
    def annotations(self) -> dict[str, Any]:
        """Of its entry in the log."""
        return {
            "kind": self.kind,
            "expiresAt": rfc3339(self.expires_ms),
            "default": self.default,
            **compact(
                command=self.facts.command,
                paths=list(self.facts.paths) or None,
                hook=self.hook,
                tool=self.earlier or None,
            ),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """A resolution: what the agent is told and what the log records."""

    frame: Frame
    annotations: dict[str, Any]
    """`{kind, outcome, decidedBy, optionId?, optionKind?, …}`: also the API's resolution."""
    stops_turn: bool = False
    """The agent cannot be told to stop, so the turn is cancelled behind the answer."""

    @property
    def allows(self) -> bool:
        return self.annotations.get("optionKind") in ("allow_once", "allow_always")

    @property
    def rejects(self) -> bool:
        """A permission was refused: no cancel, with which the turn ends anyway."""
        told = self.annotations
        return told["kind"] == "permission" and told["decidedBy"] != "cancel" and not self.allows


def read_request(
    id: str,
    frame: Frame,
    *,
    turn_id: str | None,
    now_ms: int,
    timeout_s: float,
    on_timeout: str,
    told: ToolFacts | None = None,
    so_far: Mapping[str, Any] | None = None,
) -> PendingRequest:
    """`told` and `so_far`: of the tool call that a permission is about, when the agent has spoken of it before."""
    method = frame["method"]
    params = as_dict(frame.get("params"))
    call = as_dict(params.get("toolCall"))
    kind: Kind = _KINDS[method]
    hook: Hook | None = None
    default = on_timeout
    if kind == "question":
        default = "decline"
    elif kind == "host_tool":
        default = "error"
    elif kind == "hook":
        hook = "after_tool" if params.get("event") == "after_tool" else "before_tool"
        default = "deny" if hook == "before_tool" and on_timeout == "deny" else "none"
    return PendingRequest(
        id=id,
        kind=kind,
        method=method,
        rpc_id=frame["id"],
        turn_id=turn_id,
        params=params,
        expires_ms=now_ms + round(timeout_s * 1000),
        default=default,
        hook=hook,
        facts=ToolFacts() if kind == "question" else (told or ToolFacts()).then(facts_of(call)),
        earlier={
            key: value
            for key, value in (so_far or {}).items()
            if key in _DESCRIBING and not call.get(key)
        },
    )


def subject_of(frame: Frame) -> dict[str, Any]:
    """The tool call that a request is about; of one about none what tells the sub-agent that asks."""
    params = as_dict(frame.get("params"))
    return as_dict(params.get("toolCall")) or {"_meta": params.get("_meta")}


def select(
    request: PendingRequest,
    wanted: tuple[str, ...],
    decided_by: Decider,
    **annotations: Any,
) -> Answer:
    """Choose by kind; an agent that does not offer the kind is told `cancelled`, which never allows."""
    option = choose_option(request.options, wanted)
    if option is None:
        return cancelled(request, decided_by, **annotations)
    return _selected(request, option, decided_by, **annotations)


def cancelled(request: PendingRequest, decided_by: Decider, **annotations: Any) -> Answer:
    if request.kind == "permission":
        result: dict[str, Any] = {"outcome": {"outcome": "cancelled"}}
    elif request.kind == "hook":
        result = {"decision": "deny"} if request.hook == "before_tool" else {}
    elif request.kind == "host_tool":
        result = told_error("Nobody waits for this call any more.")
    else:
        result = {"action": "cancel"}
    return _answer(request, result, "cancelled", decided_by, **annotations)


def decline(request: PendingRequest, decided_by: Decider, **annotations: Any) -> Answer:
    return _answer(request, {"action": "decline"}, "declined", decided_by, **annotations)


def deny(request: PendingRequest, decided_by: Decider, **annotations: Any) -> Answer:
    if request.kind == "question":
        return decline(request, decided_by, **annotations)
    if request.kind == "host_tool":
        why = (
            f"{annotations['rule']!r} denies it"
            if "rule" in annotations
            else "no answer came in time"
        )
        told = f"The call was not carried out: {why}."
        return host_tool_answer(request, told_error(told), decided_by, **annotations)
    if request.kind == "hook":
        denial = {"decision": "deny"} if request.hook == "before_tool" else {}
        return hook_answer(request, denial, decided_by, **annotations)
    return select(request, _BY_REPLY["reject"], decided_by, **annotations)


def allow(request: PendingRequest, decided_by: Decider, **annotations: Any) -> Answer:
    return select(request, ("allow_once", "allow_always"), decided_by, **annotations)


def host_tool_answer(
    request: PendingRequest, result: dict[str, Any], decided_by: Decider, **annotations: Any
) -> Answer:
    """`result`: an MCP `CallToolResult`."""
    outcome = "failed" if result.get("isError") else "returned"
    return _answer(request, result, outcome, decided_by, **annotations)


def told_error(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": True}


def hook_answer(
    request: PendingRequest, result: dict[str, Any], decided_by: Decider, **annotations: Any
) -> Answer:
    """Without a `decision` it is as if there were no hook."""
    return _answer(request, result, "decided", decided_by, **result, **annotations)


def resolve_by_user(request: PendingRequest, answer: AnswerRequest) -> Answer:
    """Raises: InvalidRequest when the answer does not fit what was asked, OperationNotSupported for a scope that
    nobody can keep."""
    actor = {"actor": answer.actor} if answer.actor else {}
    if request.kind == "question":
        if answer.decline:
            return decline(request, "user", **actor)
        if answer.answers is None:
            raise InvalidRequest(f"{request.id!r} is a question: give `answers` or `decline`")
        _check_answers(request, answer.answers)
        result = {"action": "accept", "content": answer.answers}
        return _answer(request, result, "answered", "user", answers=answer.answers, **actor)
    if answer.option_id is not None:
        option = _offered(request, answer.option_id)
        return _selected(request, option, "user", **compact(scope=scope_of(option)), **actor)
    if answer.reply is None:
        raise InvalidRequest(f"{request.id!r} is a permission: give `optionId` or `reply`")
    return _replied(request, answer.reply, answer.scope, actor)


def _replied(
    request: PendingRequest, reply: Reply, scope: Scope | None, actor: dict[str, str]
) -> Answer:
    """Raises: OperationNotSupported: nobody can remember it for the session."""
    grant, wanted = None, _BY_REPLY[reply]
    if reply == "always" and offers_only_lasting(request.options):
        # The agent would write it into a file; the session remembers it instead.
        grant = grant_of(request.facts)
    elif scope == "session":
        wanted = ("allow_always",) if reply == "allow" else ("reject_always",)
        if choose_option(request.options, wanted) is None:
            grant = grant_of(request.facts) if reply == "allow" else None
            if grant is None:
                raise _once_only(reply)
            wanted = _BY_REPLY["once"]
    answer = select(request, wanted, "user", reply=reply, **compact(grant=grant), **actor)
    if answer.annotations["outcome"] != "selected":
        return answer
    kind = answer.annotations["optionKind"]
    held = "session" if grant is not None or kind in _ALWAYS else "once"
    return replace(answer, annotations={**answer.annotations, "scope": held})


def _once_only(reply: str) -> OperationNotSupported:
    why = "too little is known of it" if reply == "allow" else "the agent offers no such option"
    return OperationNotSupported(
        f"this cannot be decided for the session: {why}. Answer it for this once, or give the session a rule",
        operation="permission.scope",
    )


def answered_by_frame(request: PendingRequest, frame: Frame) -> Answer:
    """The response of an ACP client: goes to the agent as it is, and is read for the log.

    Raises:
        InvalidRequest: it chooses what was not offered.
    """
    result = as_dict(frame.get("result"))
    answer = cancelled(request, "user")
    if request.kind == "permission":
        chosen = as_dict(result.get("outcome"))
        if chosen.get("outcome") == "selected":
            option = _offered(request, chosen.get("optionId"))
            answer = _selected(request, option, "user", **compact(scope=scope_of(option)))
    elif request.kind == "hook":
        answer = hook_answer(request, result, "user")
    elif result.get("action") == "accept":
        answers = as_dict(result.get("content"))
        answer = _answer(request, result, "answered", "user", answers=answers)
    elif result.get("action") == "decline":
        answer = decline(request, "user")
    return replace(answer, frame=frame)


def _selected(
    request: PendingRequest, option: dict[str, Any], decided_by: Decider, **annotations: Any
) -> Answer:
    result = {"outcome": {"outcome": "selected", "optionId": option["optionId"]}}
    annotations = {
        "optionId": as_id(option["optionId"]),
        "optionKind": as_str(option.get("kind")),
        "optionName": as_str(option.get("name")),
        **annotations,
    }
    return _answer(request, result, "selected", decided_by, **annotations)


def _answer(
    request: PendingRequest,
    result: dict[str, Any],
    outcome: str,
    decided_by: Decider,
    **annotations: Any,
) -> Answer:
    return Answer(
        response(request.rpc_id, result),
        {"kind": request.kind, "outcome": outcome, "decidedBy": decided_by, **annotations},
    )


def _offered(request: PendingRequest, option_id: object) -> dict[str, Any]:
    """Raises: InvalidRequest."""
    ids: list[str] = []
    for option in request.options:
        id = as_id(option.get("optionId"))
        if id is not None and id == as_id(option_id):
            return option
        ids += [] if id is None else [id]
    raise InvalidRequest(f"option {option_id!r} is not offered; offered: {ids}", offered=ids)


def _check_answers(request: PendingRequest, answers: dict[str, Any]) -> None:
    known = {question.get("id") for question in questions_of(request.params)}
    unknown = sorted(key for key in answers if key not in known)
    if known and unknown:
        raise InvalidRequest(
            f"no question has the id {unknown[0]!r}; asked: {sorted(map(str, known))}",
            asked=sorted(map(str, known)),
        )
