"""Permissions and questions: requested by the agent, answered once, both on record."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.events.tool import ToolCallFields
from sandbox_agent_core.wire.model import WireModel

__all__ = [
    "DecidedBy",
    "PermissionOption",
    "PermissionRequested",
    "PermissionResolved",
    "Question",
    "QuestionOption",
    "QuestionRequested",
    "QuestionResolved",
]

DecidedBy = Literal["user", "policy", "timeout", "cancel"]


class PermissionOption(WireModel):
    """Choose by `kind`, answer with `option_id`: ids are the agent's own and mean nothing to us."""

    option_id: str
    name: str = ""
    kind: str | None = None
    """`allow_once`, `allow_always`, `reject_once` or `reject_always`."""


class PermissionRequested(UniversalEvent):
    """The agent waits for a permission. Exactly one `permission.resolved` follows."""

    type: Literal["permission.requested"] = "permission.requested"
    request_id: str
    """The request, to answer it by."""
    tool_call: ToolCallFields | None = None
    """The tool call that it is about, with the fields of `tool.updated`; `diffs` has what it would change."""
    command: str | None = None
    """The command line that it is about, wherever the agent tells it: what the rules of the policy match."""
    paths: list[str] = Field(default_factory=list)
    """The files that it is about, as the agent names them: what the rules of the policy match."""
    options: list[PermissionOption] = Field(default_factory=list)
    """`{optionId, name, kind}`, in the agent's order."""
    asked_at: datetime | None = None
    """When the agent sent it."""
    expires_at: datetime | None = None
    """When it is answered by `default` if nobody does."""
    default: str | None = None
    """The answer that is given at `expires_at`."""
    hook: str | None = None
    """`before_tool`: a hook of the session is asked through this permission, before a policy or a person."""


class PermissionResolved(UniversalEvent):
    """The permission was given, refused or withdrawn. The first answer is the only one."""

    type: Literal["permission.resolved"] = "permission.resolved"
    request_id: str
    """The request."""
    outcome: Literal["selected", "cancelled"]
    """`selected`: see `option_id`; `cancelled`: the agent was answered to give up the tool call."""
    option_id: str | None = None
    """The agent's option that was chosen."""
    option_kind: str | None = None
    """`allow_once`, `allow_always`, `reject_once` or `reject_always`."""
    option_name: str | None = None
    """The option in the agent's words."""
    decided_by: DecidedBy | None = None
    """`user`, `policy`, `timeout` or `cancel` (of the turn)."""
    rule: str | None = None
    """The rule of the policy that decided."""
    reply: str | None = None
    """What the answer was given as: `allow`, `once`, `always` or `reject`."""
    scope: str | None = None
    """How long what a person chose holds: `once` or `session`."""
    message: str | None = None
    """Why it was refused, as the model is told it."""
    updated_input: dict[str, Any] | None = None
    """What the tool gets instead of the input that the agent asked about."""
    on_reject: str | None = None
    """`stop`: the refusal also ends the turn; `continue`: it does not. Else it is as the agent does it."""
    actor: str | None = None
    """Who answered, if the server knows."""


class QuestionOption(WireModel):
    label: str
    """For people; the answer too, unless there is a `value`."""
    value: Any = None
    """The answer that choosing it gives."""
    description: str | None = None


class Question(WireModel):
    id: str
    """The key of its answer in `answers`."""
    question: str
    header: str | None = None
    """A few words to label it with."""
    options: list[QuestionOption] = Field(default_factory=list)
    """Empty: the answer is free."""
    multi_select: bool = False
    """The answer is a list."""
    answer_type: str | None = None
    """JSON type of the answer, if the agent says: `string`, `number`, `integer`, `boolean`."""
    required: bool = False


class QuestionRequested(UniversalEvent):
    """The agent waits for an answer. Exactly one `question.resolved` follows."""

    type: Literal["question.requested"] = "question.requested"
    request_id: str
    """The request, to answer it by."""
    message: str = ""
    """What it is about."""
    questions: list[Question] = Field(default_factory=list)
    """`{id, question, header?, options: [{label, value?, description?}], multiSelect?, answerType?, required?}`."""
    url: str | None = None
    """A page to go to instead of answering here."""
    tool_call_id: str | None = None
    """The tool call that asks."""
    asked_at: datetime | None = None
    """When the agent sent it."""
    expires_at: datetime | None = None
    """When it is answered by `default` if nobody does."""
    default: str | None = None
    """The answer that is given at `expires_at`."""


class QuestionResolved(UniversalEvent):
    """The question was answered, declined or withdrawn."""

    type: Literal["question.resolved"] = "question.resolved"
    request_id: str
    """The request."""
    outcome: Literal["answered", "declined", "cancelled"]
    """What became of it."""
    answers: dict[str, Any] = Field(default_factory=dict)
    """By the questions' ids."""
    decided_by: DecidedBy | None = None
    """`user`, `policy`, `timeout` or `cancel` (of the turn)."""
    rule: str | None = None
    """The rule of the policy that decided."""
    actor: str | None = None
    """Who answered, if the server knows."""
