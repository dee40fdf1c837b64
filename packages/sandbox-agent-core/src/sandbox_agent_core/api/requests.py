"""Bodies of `/v1/sessions/{id}/requests`: what an agent asks a person."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = [
    "AnswerRequest",
    "HookAnswer",
    "OnReject",
    "Reply",
    "RequestInfo",
    "RequestKind",
    "RequestList",
    "Resolution",
    "Scope",
]

RequestKind = Literal["permission", "question", "hook", "host_tool"]
Reply = Literal["allow", "once", "always", "reject"]
Scope = Literal["once", "session"]
OnReject = Literal["continue", "stop"]


class HookAnswer(RequestBody):
    """What a hook says. Without a decision it is as if there were no hook."""

    decision: Literal["allow", "deny", "ask"] | None = Field(
        default=None,
        description="Before a tool: it runs, it does not, or a person decides whatever the policy says.",
    )
    message: str | None = Field(
        default=None, min_length=1, description="With `deny`: why, for the model."
    )
    updated_input: dict[str, Any] | None = Field(
        default=None,
        description="With `allow`: what the tool gets instead, in the shape of `toolCall.rawInput`.",
    )
    context: str | None = Field(
        default=None, min_length=1, description="After a tool: what the model is told besides."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.message is not None and self.decision != "deny":
            raise ValueError("`message` goes with the decision `deny`")
        if self.updated_input is not None and self.decision != "allow":
            raise ValueError("`updatedInput` goes with the decision `allow`")
        return self


class AnswerRequest(RequestBody):
    """Exactly one of `optionId`, `reply` (permissions), `answers`, `decline` (questions) and `hook`."""

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
    hook: HookAnswer | None = Field(
        default=None, description="Of a request of the kind `hook`, or of a permission with `hook`."
    )
    actor: str | None = Field(default=None, max_length=256, description="Who decided; recorded.")

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        given = [
            self.option_id is not None,
            self.reply is not None,
            self.answers is not None,
            self.decline,
            self.hook is not None,
        ]
        if sum(given) != 1:
            raise ValueError(
                "give exactly one of `optionId`, `reply`, `answers`, `decline` and `hook`"
            )
        if self.scope is not None and self.reply not in ("allow", "reject"):
            raise ValueError(
                "`scope` goes with `reply` `allow` or `reject`: others say it themselves"
            )
        details = (self.message, self.updated_input, self.on_reject)
        is_other = self.answers is not None or self.decline or self.hook is not None
        if is_other and any(detail is not None for detail in details):
            raise ValueError("`message`, `updatedInput` and `onReject` answer permissions")
        return self


class Resolution(ResponseBody):
    request_id: str
    kind: RequestKind
    outcome: Literal[
        "selected", "answered", "declined", "decided", "returned", "failed", "cancelled"
    ]
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
    decision: Literal["allow", "deny", "ask"] | None = Field(
        default=None, description="Of a hook; null when it has no opinion."
    )
    context: str | None = None
    rule: str | None = None
    actor: str | None = None


class RequestInfo(ResponseBody):
    id: str
    session_id: str | None = Field(
        default=None, description="In `GET /v1/requests`: whose agent asks."
    )
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
    hook: Literal["before_tool", "after_tool"] | None = Field(
        default=None,
        description="Which hook is asked. A permission has it while the session's hook, which its agent has no way to "
        "ask, has not been answered.",
    )
    output: Any = Field(default=None, description="After a tool: what came of it.")
    tool: str | None = Field(
        default=None, description="Of a call of a client's function: its name."
    )
    input: dict[str, Any] | None = Field(default=None, description="Of such a call: the arguments.")
    client: str | None = Field(default=None, description="Of such a call: who registered it.")
    message: str | None = None
    asked_at: str
    expires_at: str
    default: str = Field(description="What happens at `expiresAt`.")
    resolution: Resolution | None = None


class RequestList(ResponseBody):
    requests: list[RequestInfo]
    next_cursor: str | None = None
