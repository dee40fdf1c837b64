"""Bodies of `/v1/sessions/{id}/requests`: what an agent asks a person."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = [
    "AnswerRequest",
    "OnReject",
    "Reply",
    "RequestInfo",
    "RequestList",
    "Resolution",
    "Scope",
]

RequestKind = Literal["permission", "question"]
Reply = Literal["allow", "once", "always", "reject"]
Scope = Literal["once", "session"]
OnReject = Literal["continue", "stop"]


class AnswerRequest(RequestBody):
    """Exactly one of `optionId`, `reply` (permissions) and `answers`, `decline` (questions)."""

    option_id: str | None = Field(default=None, description="One of the offered `options`.")
    reply: Reply | None = Field(
        default=None,
        description="Chosen by kind: `once` (also `allow`), `always`, `reject`.",
    )
    scope: Scope | None = Field(
        default=None,
        description="Of `allow` and `reject`: for this once (default), or for the rest of the session. What the agent "
        "offers for no longer than once, the session remembers.",
    )
    message: str | None = Field(
        default=None,
        min_length=1,
        description="With a rejection: why, for the model. Of an agent whose `permissionAnswers` have `message`.",
    )
    updated_input: dict[str, Any] | None = Field(
        default=None,
        description="With an allowance, for this once: what the tool gets instead, in the shape of `toolCall.rawInput`. "
        "What rules and the mode deny is refused. Of an agent whose `permissionAnswers` have `updatedInput`.",
    )
    on_reject: OnReject | None = Field(
        default=None,
        description="With a rejection: whether the turn goes on. `stop` is possible everywhere, `continue` of an agent "
        "whose `permissionAnswers` have `onReject`. Default: the session's, else as the agent does it.",
    )
    answers: dict[str, str | bool | float | list[str]] | None = Field(
        default=None, description="Question id -> answer (a list where several may be chosen)."
    )
    decline: bool = Field(default=False, description="Do not answer the question.")
    actor: str | None = Field(default=None, max_length=256, description="Who decided; recorded.")

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        given = [
            self.option_id is not None,
            self.reply is not None,
            self.answers is not None,
            self.decline,
        ]
        if sum(given) != 1:
            raise ValueError("give exactly one of `optionId`, `reply`, `answers` and `decline`")
        if self.scope is not None and self.reply not in ("allow", "reject"):
            raise ValueError(
                "`scope` goes with `reply` `allow` or `reject`: others say it themselves"
            )
        details = (self.message, self.updated_input, self.on_reject)
        is_of_question = self.answers is not None or self.decline
        if is_of_question and any(detail is not None for detail in details):
            raise ValueError("`message`, `updatedInput` and `onReject` answer permissions")
        return self


class Resolution(ResponseBody):
    request_id: str
    kind: RequestKind
    outcome: Literal["selected", "answered", "declined", "cancelled"]
    decided_by: Literal["user", "policy", "timeout", "cancel"]
    resolved_at: str
    option_id: str | None = None
    option_kind: str | None = None
    answers: dict[str, Any] | None = None
    scope: Scope | None = Field(
        default=None,
        description="How long what a person chose holds; null where it outlives the session.",
    )
    message: str | None = None
    updated_input: dict[str, Any] | None = None
    on_reject: OnReject | None = None
    rule: str | None = None
    actor: str | None = None


class RequestInfo(ResponseBody):
    id: str
    kind: RequestKind
    turn_id: str | None = None
    tool_call: dict[str, Any] | None = Field(
        default=None,
        description="ACP tool call, as in the agent's request, with what it told of the call before.",
    )
    command: str | None = Field(
        default=None,
        description="The command line that it is about; what the policy's rules match.",
    )
    paths: list[str] = Field(
        default_factory=list, description="The files that it is about, as the agent names them."
    )
    options: list[dict[str, Any]] = Field(
        default_factory=list, description="`{optionId, name, kind}`."
    )
    questions: list[dict[str, Any]] = Field(
        default_factory=list, description="`{id, question, header?, options, multiSelect}`."
    )
    message: str | None = None
    asked_at: str
    expires_at: str
    default: str = Field(description="What happens at `expiresAt`.")
    resolution: Resolution | None = None


class RequestList(ResponseBody):
    requests: list[RequestInfo]
    next_cursor: str | None = None
