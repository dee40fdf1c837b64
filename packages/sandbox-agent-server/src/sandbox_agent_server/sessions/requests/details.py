"""What an answer to a permission says beside the option it chooses: for the model, for the tool, for the turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox_agent_core.api.requests import AnswerRequest, OnReject
from sandbox_agent_core.errors import InputForbidden, InvalidRequest, OperationNotSupported
from sandbox_agent_core.lenient import as_dict, as_text, compact
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META, AgentCapabilities
from sandbox_agent_core.tool_facts import ToolFacts, facts_of

from sandbox_agent_server.sessions.requests.answers import Answer, PendingRequest
from sandbox_agent_server.sessions.requests.policy import decide
from sandbox_agent_server.sessions.state import SessionState

__all__ = ["AnswerDetails", "check_allowed", "check_input", "with_details"]

_INSTEAD: Final = {
    "message": "answer without `message`, and say it with the next prompt",
    "updatedInput": "reject it, and say with the next prompt what it is to do instead",
    "onReject": "leave `onReject` out; `stop` is possible everywhere",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDetails:
    message: str | None = None
    """Why not, for the model."""
    updated_input: dict[str, Any] | None = None
    """What the tool gets instead of its input."""
    on_reject: OnReject | None = None
    """What becomes of the turn after a refusal."""

    @classmethod
    def of_body(cls, answer: AnswerRequest) -> AnswerDetails:
        return cls(
            message=answer.message,
            updated_input=answer.updated_input,
            on_reject=answer.on_reject,
        )

    @classmethod
    def of_frame(cls, result: Mapping[str, Any]) -> AnswerDetails:
        """Of the answer of an ACP client, which the agent gets as it is."""
        said = as_dict(as_dict(result.get("_meta")).get(CAPABILITIES_META))
        updated = said.get("updatedInput")
        return cls(
            message=as_text(said.get("message")),
            updated_input=updated if isinstance(updated, dict) else None,
        )

    @property
    def annotations(self) -> dict[str, Any]:
        return compact(
            message=self.message, updatedInput=self.updated_input, onReject=self.on_reject
        )


def with_details(answer: Answer, details: AnswerDetails, state: SessionState) -> Answer:
    """The answer with all that the agent takes of it; a turn that the agent cannot stop is stopped by us.

    Raises:
        InvalidRequest: a detail does not fit what was chosen.
        OperationNotSupported: the agent of the session does not take it.
    """
    _check_fits(answer, details)
    takes = AgentCapabilities.read(state.capabilities).permission_answers
    on_reject = (details.on_reject or state.settings.on_reject) if answer.rejects else None
    tells = "onReject" in takes
    for name, value in (
        ("message", details.message),
        ("updatedInput", details.updated_input),
        ("onReject", None if details.on_reject == "stop" else details.on_reject),
    ):
        if value is not None and name not in takes:
            raise not_taken(state.settings.agent, name)
    details = replace(details, on_reject=on_reject)
    meta = compact(
        message=details.message,
        updatedInput=details.updated_input,
        onReject=on_reject if tells else None,
    )
    frame = answer.frame
    if meta:
        frame = {**frame, "result": {**frame["result"], "_meta": {CAPABILITIES_META: meta}}}
    return replace(
        answer,
        frame=frame,
        annotations={**answer.annotations, **details.annotations},
        stops_turn=on_reject == "stop" and not tells,
    )


def not_taken(agent: str, name: str) -> OperationNotSupported:
    return OperationNotSupported(
        f"agent {agent!r} takes no `{name}` with the answer to a permission: {_INSTEAD[name]}",
        agent=agent,
        operation=f"permission.{name}",
    )


def check_input(request: PendingRequest, updated: Mapping[str, Any], state: SessionState) -> None:
    """What rules and modes deny is not done because a person writes it. Raises: InputForbidden."""
    kinds, names = request.facts.kinds, request.facts.names
    told = facts_of({"kind": kinds[0] if kinds else None, "rawInput": updated})
    # It is still the same tool, whatever it is given.
    check_allowed(replace(told, kinds=kinds, names=names), state, member="`updatedInput`")


def check_allowed(facts: ToolFacts, state: SessionState, *, member: str = "it") -> None:
    """Raises: InputForbidden: rules or the mode of the session deny it."""
    settings = state.settings
    decision = decide(
        settings.permission_policy,
        facts,
        cwd=settings.cwd,
        directories=settings.additional_directories,
        mode=state.options.permission_mode,
    )
    if decision.action == "deny":
        what = facts.command or ", ".join(facts.paths) or "it"
        raise InputForbidden(
            f"{member} is not allowed: {what!r} is denied by {decision.rule!r}",
            rule=decision.rule,
        )


def _check_fits(answer: Answer, details: AnswerDetails) -> None:
    if details.updated_input is not None and not answer.allows:
        raise InvalidRequest("`updatedInput` is for an answer that allows")
    if details.updated_input is not None and answer.annotations.get("scope") == "session":
        # What is allowed for the session is what the agent asked for, not what is done instead.
        raise InvalidRequest("`updatedInput` is for this once: allow it without a lasting scope")
    if answer.allows and (details.message is not None or details.on_reject is not None):
        raise InvalidRequest("`message` and `onReject` are for an answer that rejects")
