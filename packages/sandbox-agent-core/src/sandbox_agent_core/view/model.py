"""A session as people see it: turns and what happened in them. Made by `view.fold`, from events alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from sandbox_agent_core.changes import ChangedFile, ChangeTotals
from sandbox_agent_core.content import ContentBlock
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.events.message import Role
from sandbox_agent_core.events.plan import PlanEntry
from sandbox_agent_core.events.request import DecidedBy, PermissionOption, Question
from sandbox_agent_core.events.settings import Command, ConfigOption
from sandbox_agent_core.events.task import TaskKind, TaskStatus
from sandbox_agent_core.events.tokens import TokenUsage
from sandbox_agent_core.events.tool import ToolCallFields, ToolStatus
from sandbox_agent_core.events.turn import LimitKind, StopReason, TurnOrigin
from sandbox_agent_core.events.usage import Cost
from sandbox_agent_core.wire.model import WireModel

__all__ = [
    "ContextUsage",
    "Item",
    "MessageItem",
    "NoticeItem",
    "PermissionItem",
    "PlanItem",
    "QuestionItem",
    "QueuedPrompt",
    "ReasoningItem",
    "RequestItem",
    "SessionEnd",
    "SteeredPrompt",
    "Task",
    "ToolItem",
    "Transcript",
    "Turn",
    "TurnChanges",
]


class _View(WireModel):
    """Written to by the fold, so not frozen; on the wire everything that has a value."""

    model_config = ConfigDict(frozen=False)

    def _is_written(self, name: str) -> bool:
        return getattr(self, name) is not None


class _Item(_View):
    seq: int
    """Of the event that put it here."""
    time: datetime


class MessageItem(_Item):
    type: Literal["message"] = "message"
    id: str | None = None
    role: Role = "assistant"
    text: str = ""
    attachments: list[ContentBlock] = Field(default_factory=list)
    """Its blocks that are not text."""
    parent_tool_call_id: str | None = None
    streaming: bool = False
    """More may come: it ends in deltas that no completion has repeated yet."""
    late: bool = False


class ReasoningItem(_Item):
    type: Literal["reasoning"] = "reasoning"
    id: str | None = None
    text: str = ""
    attachments: list[ContentBlock] = Field(default_factory=list)
    parent_tool_call_id: str | None = None
    streaming: bool = False
    late: bool = False


class ToolItem(_Item, ToolCallFields):
    """A tool call with all that is known of it. `terminal_output` is all that its terminal printed."""

    # Stated again because pydantic takes the configuration of the last base.
    model_config = ConfigDict(frozen=False)

    type: Literal["tool"] = "tool"
    status: ToolStatus = "pending"
    reason: str | None = None
    ended_at: datetime | None = None
    late: bool = False


class PlanItem(_Item):
    """The latest plan of a turn."""

    type: Literal["plan"] = "plan"
    entries: list[PlanEntry] = Field(default_factory=list)


class PermissionItem(_Item):
    """`outcome` is absent while it is pending."""

    type: Literal["permission"] = "permission"
    request_id: str
    tool_call: ToolCallFields | None = None
    command: str | None = None
    paths: list[str] = Field(default_factory=list)
    options: list[PermissionOption] = Field(default_factory=list)
    expires_at: datetime | None = None
    default: str | None = None
    outcome: Literal["selected", "cancelled"] | None = None
    option_id: str | None = None
    option_kind: str | None = None
    option_name: str | None = None
    decided_by: DecidedBy | None = None
    rule: str | None = None
    reply: str | None = None
    scope: str | None = None
    message: str | None = None
    updated_input: dict[str, Any] | None = None
    on_reject: str | None = None
    actor: str | None = None
    resolved_at: datetime | None = None


class QuestionItem(_Item):
    """`outcome` is absent while it is pending."""

    type: Literal["question"] = "question"
    request_id: str
    message: str = ""
    questions: list[Question] = Field(default_factory=list)
    url: str | None = None
    tool_call_id: str | None = None
    expires_at: datetime | None = None
    default: str | None = None
    outcome: Literal["answered", "declined", "cancelled"] | None = None
    answers: dict[str, Any] | None = None
    decided_by: DecidedBy | None = None
    rule: str | None = None
    actor: str | None = None
    resolved_at: datetime | None = None


class HookItem(_Item):
    """What a hook of the session was asked; `outcome` is absent while it is pending."""

    type: Literal["hook"] = "hook"
    request_id: str
    hook: str = ""
    tool_call: ToolCallFields | None = None
    command: str | None = None
    paths: list[str] = Field(default_factory=list)
    output: Any = None
    expires_at: datetime | None = None
    default: str | None = None
    outcome: Literal["decided", "cancelled"] | None = None
    decision: Literal["allow", "deny", "ask"] | None = None
    message: str | None = None
    updated_input: dict[str, Any] | None = None
    context: str | None = None
    decided_by: DecidedBy | None = None
    rule: str | None = None
    actor: str | None = None
    resolved_at: datetime | None = None


class HostToolItem(_Item):
    """A function of a client that was called; `outcome` is absent while it is pending."""

    type: Literal["host_tool"] = "host_tool"
    request_id: str
    tool: str = ""
    input: dict[str, Any] = Field(default_factory=dict)
    client: str | None = None
    expires_at: datetime | None = None
    default: str | None = None
    outcome: Literal["returned", "failed", "cancelled"] | None = None
    content: list[dict[str, Any]] = Field(default_factory=list)
    decided_by: DecidedBy | None = None
    rule: str | None = None
    resolved_at: datetime | None = None


class NoticeItem(_Item):
    """Something the reader should know that is no message."""

    type: Literal["notice"] = "notice"
    notice: Literal[
        "error",
        "agent_exited",
        "session_resumed",
        "context_compacted",
        "log_repaired",
        "log_damaged",
        "mcp_status",
    ]
    code: str | None = None
    """The error's code; the continuity of a resume; what a compaction was triggered by."""
    text: str = ""
    detail: str | None = None
    """More lines: the end of the agent's stderr, the summary that a compaction left."""


Item = Annotated[
    MessageItem
    | ReasoningItem
    | ToolItem
    | PlanItem
    | PermissionItem
    | QuestionItem
    | HookItem
    | HostToolItem
    | NoticeItem,
    Field(discriminator="type"),
]
RequestItem = PermissionItem | QuestionItem | HookItem | HostToolItem


class SteeredPrompt(_View):
    """What was said into a turn while it ran."""

    content: list[ContentBlock] = Field(default_factory=list)
    time: datetime


class TurnChanges(_View):
    """What became of the files while a turn ran. `turn.diff` has the patch."""

    path: str = ""
    files: list[ChangedFile] = Field(default_factory=list)
    totals: ChangeTotals = Field(default_factory=ChangeTotals)
    truncated: bool = False
    skipped: str | None = None


class Turn(_View):
    """A prompt and what came of it, or a turn of the agent's own. Without an id: what happened between turns."""

    id: str | None = None
    origin: TurnOrigin | None = None
    task_id: str | None = None
    """The background task that made the agent begin, in a turn of its own."""
    emulated: bool | None = None
    """The agent has no operation of its own for `origin`: it was asked in words."""
    prompt: list[ContentBlock] | None = None
    steered: list[SteeredPrompt] = Field(default_factory=list)
    """What it took while it ran, in order."""
    rewound: bool | None = None
    """The session went back to before it: it is no part of the conversation any more."""
    items: list[Item] = Field(default_factory=list)
    stop_reason: StopReason | None = None
    """Absent while it runs."""
    error: Fault | None = None
    limit: LimitKind | None = None
    """Which of its limits stopped it."""
    usage: TokenUsage | None = None
    """While it runs, what it has used so far, of agents that tell; so is `cost`."""
    cost: Cost | None = None
    model_calls: int | None = None
    changes: TurnChanges | None = None
    """Absent: it changed no files, or nothing is known yet."""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Task(_View):
    """A background task. `status` is absent while it runs."""

    id: str
    kind: TaskKind = "other"
    title: str = ""
    tool_call_id: str | None = None
    turn_id: str | None = None
    """The turn that started it."""
    status: TaskStatus | None = None
    summary: str | None = None
    error: Fault | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class QueuedPrompt(_View):
    turn_id: str | None = None
    prompt: list[ContentBlock] = Field(default_factory=list)
    queued_at: datetime


class ContextUsage(_View):
    context_used: int | None = None
    context_size: int | None = None
    cost: Cost | None = None
    model: str | None = None


class SessionEnd(_View):
    reason: str
    detail: str | None = None
    time: datetime


class Transcript(_View):
    session_id: str | None = None
    seq: int = 0
    """Of the last event in it: the cursor to continue from."""
    agent: str | None = None
    cwd: str | None = None
    title: str | None = None
    model: str | None = None
    mode: str | None = None
    permission_mode: str | None = None
    metadata: dict[str, Any] | None = None
    """What is attached to the session."""
    turns: list[Turn] = Field(default_factory=list)
    tasks: list[Task] = Field(default_factory=list)
    """Background tasks, running and over, in the order of their begins."""
    queued: list[QueuedPrompt] = Field(default_factory=list)
    pending_requests: list[str] = Field(default_factory=list)
    """Ids of the permissions and questions that nobody has answered."""
    config_options: list[ConfigOption] = Field(default_factory=list)
    commands: list[Command] = Field(default_factory=list)
    usage: ContextUsage | None = None
    ended: SessionEnd | None = None

    def items(self) -> list[Item]:
        """The items of all turns, in order."""
        return [item for turn in self.turns for item in turn.items]

    def pending(self) -> list[RequestItem]:
        """The permissions and questions that nobody has answered."""
        waiting = set(self.pending_requests)
        return [
            item
            for item in self.items()
            if isinstance(item, (PermissionItem, QuestionItem)) and item.request_id in waiting
        ]
