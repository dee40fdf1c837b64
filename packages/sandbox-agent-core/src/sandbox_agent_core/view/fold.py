"""The reducer: events in, transcript out. The same in the server, in the SDK and in the Inspector.

Folding a log with its deltas and without them gives the same transcript, once everything that was
streamed is completed: a completion replaces the deltas before it, and an item has the place of its
first completion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from sandbox_agent_core.events import (
    AgentExited,
    AgentStarted,
    AgentUnparsed,
    AgentUpdate,
    CommandsUpdated,
    ConfigChanged,
    ConfigOption,
    ContextCompacted,
    ErrorReported,
    HookRequested,
    HookResolved,
    HostToolCalled,
    HostToolResolved,
    LogDamaged,
    LogRepaired,
    McpStatus,
    MessageCompleted,
    MessageDelta,
    ModeChanged,
    PermissionModeChanged,
    PermissionRequested,
    PermissionResolved,
    PlanUpdated,
    QuestionRequested,
    QuestionResolved,
    ReasoningCompleted,
    ReasoningDelta,
    SessionCreated,
    SessionEnded,
    SessionResumed,
    SessionRewound,
    SessionUpdated,
    TaskEnded,
    TaskStarted,
    TaskUpdated,
    ToolCompleted,
    ToolStarted,
    ToolUpdated,
    TurnDiff,
    TurnDropped,
    TurnEnded,
    TurnQueued,
    TurnStarted,
    TurnSteered,
    UniversalEvent,
    UsageUpdated,
)
from sandbox_agent_core.events.agent import OUT_OF_MEMORY
from sandbox_agent_core.view.model import (
    ContextUsage,
    NoticeItem,
    PlanItem,
    QueuedPrompt,
    SessionEnd,
    SteeredPrompt,
    Transcript,
    TurnChanges,
)
from sandbox_agent_core.view.requests import Requests
from sandbox_agent_core.view.segments import Segments
from sandbox_agent_core.view.streams import Streams
from sandbox_agent_core.view.tasks import Tasks
from sandbox_agent_core.view.tools import Tools

__all__ = ["TranscriptFolder", "fold"]


def fold(events: Iterable[UniversalEvent]) -> Transcript:
    """The transcript of a session's events, in order of `seq`."""
    folder = TranscriptFolder()
    for event in events:
        folder.apply(event)
    return folder.transcript


class TranscriptFolder:
    """A transcript that follows its session. An event that was applied before changes nothing."""

    def __init__(self) -> None:
        view = self._view = Transcript()
        self._seq = 0
        self._given_title: str | None = None
        self._agent_title: str | None = None
        self._segments = Segments(view)
        self._streams = Streams(self._segments)
        self._tools = Tools(self._segments)
        self._tasks = Tasks(view.tasks)
        self._requests = Requests(self._segments, view.pending_requests)

    @property
    def transcript(self) -> Transcript:
        """The transcript up to the last event. It keeps changing; `model_copy(deep=True)` does not."""
        self._streams.settle()
        self._tools.settle()
        self._view.seq = self._seq
        return self._view

    def apply(self, event: UniversalEvent) -> None:
        """Take in the next event."""
        if event.seq <= self._seq:
            return
        self._begin_with(event)
        self._seq = event.seq
        _REDUCERS[type(event)](self, event)

    def apply_open(self, deltas: Iterable[MessageDelta | ReasoningDelta]) -> None:
        """Take in deltas that no completion has repeated, of a log whose other deltas were left out.

        In order of `seq`, after all other events. The transcript is as if they had come in their places.
        """
        for event in deltas:
            self._begin_with(event)
            self._seq = max(self._seq, event.seq)
            self._streams.delta(event)
            self._segments.sort(event.turn_id)

    def _begin_with(self, event: UniversalEvent) -> None:
        if not self._seq:
            self._view.session_id = event.session_id

    def _session_created(self, event: SessionCreated) -> None:
        view = self._view
        view.agent, view.cwd = event.agent, event.cwd
        view.model, view.mode = event.model, event.mode
        view.metadata = event.metadata
        view.title = self._given_title = event.title

    def _session_updated(self, event: SessionUpdated) -> None:
        # Modes have events of their own, which say what became of the requested one.
        view = self._view
        if event.model is not None:
            view.model = _current(view.config_options, "model") or event.model
        if event.metadata is not None:
            view.metadata = event.metadata
        if event.title is not None:
            self._given_title = event.title or None
            view.title = self._given_title or self._agent_title

    def _session_resumed(self, event: SessionResumed) -> None:
        self._view.ended = None
        self._notice(event, "session_resumed", code=event.continuity, text=event.reason or "")

    def _session_rewound(self, event: SessionRewound) -> None:
        if event.conversation:
            for turn_id in event.turn_ids:
                self._segments.turn(turn_id).rewound = True

    def _session_ended(self, event: SessionEnded) -> None:
        self._view.ended = SessionEnd(reason=event.reason, detail=event.detail, time=event.time)

    def _turn_queued(self, event: TurnQueued) -> None:
        prompt = QueuedPrompt(turn_id=event.turn_id, prompt=event.content, queued_at=event.time)
        self._view.queued.append(prompt)

    def _turn_dropped(self, event: TurnDropped) -> None:
        self._unqueue(event.turn_id)

    def _turn_started(self, event: TurnStarted) -> None:
        self._unqueue(event.turn_id)
        # A session that was ended may be resumed.
        self._view.ended = None
        turn = self._segments.start(event.turn_id)
        turn.started_at = event.time
        turn.origin, turn.task_id = event.origin, event.task_id
        turn.emulated = event.emulated or None
        if event.origin != "agent":
            turn.prompt = event.content

    def _turn_steered(self, event: TurnSteered) -> None:
        steered = SteeredPrompt(content=event.content, time=event.time)
        self._segments.turn(event.turn_id).steered.append(steered)

    def _turn_ended(self, event: TurnEnded) -> None:
        turn = self._segments.turn(event.turn_id)
        turn.stop_reason, turn.error, turn.limit = event.stop_reason, event.error, event.limit
        turn.usage, turn.cost, turn.model_calls = event.usage, event.cost, event.model_calls
        turn.ended_at = event.time

    def _turn_diff(self, event: TurnDiff) -> None:
        self._segments.turn(event.turn_id).changes = TurnChanges(
            path=event.path,
            files=event.files,
            totals=event.totals,
            truncated=event.truncated,
            skipped=event.skipped,
        )

    def _unqueue(self, turn_id: str | None) -> None:
        self._view.queued = [one for one in self._view.queued if one.turn_id != turn_id]

    def _plan_updated(self, event: PlanUpdated) -> None:
        for item in self._segments.turn(event.turn_id).items:
            if isinstance(item, PlanItem):
                item.entries = event.entries
                return
        plan = PlanItem(seq=event.seq, time=event.time, entries=event.entries)
        self._segments.put(plan, event.turn_id)

    def _permission_requested(self, event: PermissionRequested) -> None:
        self._requests.requested(event)
        self._tools.announce(event)

    def _mode_changed(self, event: ModeChanged) -> None:
        self._view.mode = event.mode_id

    def _permission_mode_changed(self, event: PermissionModeChanged) -> None:
        self._view.permission_mode = event.permission_mode

    def _config_changed(self, event: ConfigChanged) -> None:
        view = self._view
        if event.options is not None:
            view.config_options = event.options
        elif event.config_id is not None:
            view.config_options = [
                _set(option, event.value) if option.id == event.config_id else option
                for option in view.config_options
            ]
        if event.config_id == "model" and isinstance(event.value, str):
            view.model = event.value
        view.model = _current(view.config_options, "model") or view.model
        view.mode = _current(view.config_options, "mode") or view.mode

    def _commands_updated(self, event: CommandsUpdated) -> None:
        self._view.commands = event.commands

    def _usage_updated(self, event: UsageUpdated) -> None:
        if event.turn is not None:
            turn = self._segments.turn(event.turn_id)
            turn.usage, turn.cost = event.turn.usage, event.turn.cost
            turn.model_calls = event.turn.model_calls
        told = event.model_fields_set.intersection(event._data_fields()) - {"turn"}
        if told:
            usage = self._view.usage = self._view.usage or ContextUsage()
            for name in told:
                setattr(usage, name, getattr(event, name))

    def _context_compacted(self, event: ContextCompacted) -> None:
        sizes = [str(size) for size in (event.pre_tokens, event.post_tokens) if size is not None]
        tokens = f" ({' -> '.join(sizes)} tokens)" if sizes else ""
        text = f"The context was compacted{tokens}."
        self._notice(
            event, "context_compacted", code=event.trigger, text=text, detail=event.summary
        )

    def _agent_exited(self, event: AgentExited) -> None:
        if event.expected:
            return
        how = f"signal {event.signal}" if event.signal is not None else f"code {event.exit_code}"
        if event.reason == OUT_OF_MEMORY:
            how = "the sandbox was out of memory"
        text = f"The agent's process ended unexpectedly ({how})."
        self._notice(event, "agent_exited", text=text, detail=event.stderr_tail or None)

    def _error(self, event: ErrorReported) -> None:
        self._notice(event, "error", code=event.code, text=event.message)

    def _mcp_status(self, event: McpStatus) -> None:
        if event.status in ("failed", "needs-auth", "slow"):
            text = f"The MCP server {event.server!r}: {event.status}."
            self._notice(event, "mcp_status", code=event.status, text=text, detail=event.error)

    def _log_repaired(self, event: LogRepaired) -> None:
        text = f"The end of the log was damaged: {event.dropped_bytes} bytes of it are lost."
        self._notice(event, "log_repaired", text=text, detail=event.reason)

    def _log_damaged(self, event: LogDamaged) -> None:
        text = f"A part of the log is damaged: {event.lost_bytes} bytes cannot be read."
        self._notice(event, "log_damaged", text=text, detail=event.reason)

    def _agent_update(self, event: AgentUpdate) -> None:
        if event.update_type == "session_info_update" and isinstance(event.update, dict):
            title = event.update.get("title")
            if isinstance(title, str):
                self._agent_title = title
                self._view.title = self._given_title or title

    def _notice(
        self,
        event: UniversalEvent,
        notice: Literal[
            "error",
            "agent_exited",
            "session_resumed",
            "context_compacted",
            "log_repaired",
            "log_damaged",
            "mcp_status",
        ],
        *,
        text: str,
        code: str | None = None,
        detail: str | None = None,
    ) -> None:
        item = NoticeItem(
            seq=event.seq, time=event.time, notice=notice, code=code, text=text, detail=detail
        )
        self._segments.put(item, event.turn_id)


def _set(option: ConfigOption, value: Any) -> ConfigOption:
    return option.model_copy(update={"current_value": value})


def _current(options: list[ConfigOption], category: str) -> str | None:
    for option in options:
        if option.category == category and isinstance(option.current_value, str):
            return option.current_value
    return None


# Not of the folder: with a reference to itself it would keep the whole transcript until the next collection.
_REDUCERS: Final[dict[type[UniversalEvent], Callable[[TranscriptFolder, Any], None]]] = {
    SessionCreated: TranscriptFolder._session_created,
    SessionUpdated: TranscriptFolder._session_updated,
    SessionResumed: TranscriptFolder._session_resumed,
    SessionRewound: TranscriptFolder._session_rewound,
    SessionEnded: TranscriptFolder._session_ended,
    TurnQueued: TranscriptFolder._turn_queued,
    TurnStarted: TranscriptFolder._turn_started,
    TurnSteered: TranscriptFolder._turn_steered,
    TurnEnded: TranscriptFolder._turn_ended,
    TurnDiff: TranscriptFolder._turn_diff,
    TurnDropped: TranscriptFolder._turn_dropped,
    MessageDelta: lambda folder, event: folder._streams.delta(event),
    MessageCompleted: lambda folder, event: folder._streams.completed(event),
    ReasoningDelta: lambda folder, event: folder._streams.delta(event),
    ReasoningCompleted: lambda folder, event: folder._streams.completed(event),
    ToolStarted: lambda folder, event: folder._tools.apply(event),
    ToolUpdated: lambda folder, event: folder._tools.apply(event),
    ToolCompleted: lambda folder, event: folder._tools.apply(event),
    TaskStarted: lambda folder, event: folder._tasks.started(event),
    TaskUpdated: lambda folder, event: folder._tasks.updated(event),
    TaskEnded: lambda folder, event: folder._tasks.ended(event),
    PlanUpdated: TranscriptFolder._plan_updated,
    PermissionRequested: TranscriptFolder._permission_requested,
    PermissionResolved: lambda folder, event: folder._requests.resolved(event),
    QuestionRequested: lambda folder, event: folder._requests.requested(event),
    QuestionResolved: lambda folder, event: folder._requests.resolved(event),
    HookRequested: lambda folder, event: folder._requests.requested(event),
    HookResolved: lambda folder, event: folder._requests.resolved(event),
    HostToolCalled: lambda folder, event: folder._requests.requested(event),
    HostToolResolved: lambda folder, event: folder._requests.resolved(event),
    UsageUpdated: TranscriptFolder._usage_updated,
    ContextCompacted: TranscriptFolder._context_compacted,
    ModeChanged: TranscriptFolder._mode_changed,
    PermissionModeChanged: TranscriptFolder._permission_mode_changed,
    ConfigChanged: TranscriptFolder._config_changed,
    CommandsUpdated: TranscriptFolder._commands_updated,
    McpStatus: TranscriptFolder._mcp_status,
    AgentStarted: lambda _folder, _event: None,
    AgentExited: TranscriptFolder._agent_exited,
    AgentUnparsed: lambda _folder, _event: None,
    AgentUpdate: TranscriptFolder._agent_update,
    LogRepaired: TranscriptFolder._log_repaired,
    LogDamaged: TranscriptFolder._log_damaged,
    ErrorReported: TranscriptFolder._error,
}
