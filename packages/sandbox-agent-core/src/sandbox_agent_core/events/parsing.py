"""Reading events from the wire. What cannot be understood is passed through, never refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

from pydantic import ValidationError

from sandbox_agent_core.events.agent import AgentExited, AgentStarted, AgentUnparsed, AgentUpdate
from sandbox_agent_core.events.context import ContextCompacted
from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.events.fault import ErrorReported
from sandbox_agent_core.events.hook import HookRequested, HookResolved
from sandbox_agent_core.events.host_tool import HostToolCalled, HostToolResolved
from sandbox_agent_core.events.mcp import McpStatus
from sandbox_agent_core.events.message import (
    MessageCompleted,
    MessageDelta,
    ReasoningCompleted,
    ReasoningDelta,
)
from sandbox_agent_core.events.plan import PlanUpdated
from sandbox_agent_core.events.request import (
    PermissionRequested,
    PermissionResolved,
    QuestionRequested,
    QuestionResolved,
)
from sandbox_agent_core.events.session import (
    LogDamaged,
    LogRepaired,
    SessionCreated,
    SessionEnded,
    SessionResumed,
    SessionRewound,
    SessionUpdated,
)
from sandbox_agent_core.events.settings import (
    CommandsUpdated,
    ConfigChanged,
    ModeChanged,
    PermissionModeChanged,
)
from sandbox_agent_core.events.task import TaskEnded, TaskStarted, TaskUpdated
from sandbox_agent_core.events.tool import ToolCompleted, ToolStarted, ToolUpdated
from sandbox_agent_core.events.turn import (
    TurnDiff,
    TurnDropped,
    TurnEnded,
    TurnQueued,
    TurnStarted,
    TurnSteered,
)
from sandbox_agent_core.events.usage import UsageUpdated
from sandbox_agent_core.frames.entry import Sender
from sandbox_agent_core.frames.jsonrpc import Frame
from sandbox_agent_core.lenient import as_int, as_str

__all__ = ["EVENT_CLASSES", "Event", "is_delta", "parse_event"]

Event = (
    SessionCreated
    | SessionUpdated
    | SessionResumed
    | SessionRewound
    | SessionEnded
    | TurnQueued
    | TurnStarted
    | TurnSteered
    | TurnEnded
    | TurnDiff
    | TurnDropped
    | MessageDelta
    | MessageCompleted
    | ReasoningDelta
    | ReasoningCompleted
    | ToolStarted
    | ToolUpdated
    | ToolCompleted
    | TaskStarted
    | TaskUpdated
    | TaskEnded
    | PlanUpdated
    | PermissionRequested
    | PermissionResolved
    | QuestionRequested
    | QuestionResolved
    | HookRequested
    | HookResolved
    | HostToolCalled
    | HostToolResolved
    | UsageUpdated
    | ContextCompacted
    | ModeChanged
    | PermissionModeChanged
    | ConfigChanged
    | CommandsUpdated
    | McpStatus
    | AgentStarted
    | AgentExited
    | AgentUnparsed
    | AgentUpdate
    | LogRepaired
    | LogDamaged
    | ErrorReported
)
"""Every event there is: a `match` over it can be checked for completeness."""

EVENT_CLASSES: dict[str, type[UniversalEvent]] = {
    cls.model_fields["type"].default: cls for cls in get_args(Event)
}
"""The class of each event type, in the order of the documentation."""

_DELTAS = frozenset({"message.delta", "reasoning.delta"})
_SENDERS = frozenset(get_args(Sender))
_EPOCH = datetime.fromtimestamp(0, UTC)


def is_delta(type: str) -> bool:
    """True for the events that `deltas=false` leaves out, because a later event repeats them."""
    return type in _DELTAS


def parse_event(wire: Mapping[str, Any], payload: Frame | None = None) -> Event:
    """The typed event. Never raises: an unknown type, or data that does not fit, is an `AgentUpdate`."""
    kind, data = wire.get("type"), wire.get("data")
    cls = EVENT_CLASSES.get(kind) if isinstance(kind, str) else None
    if cls is None or not isinstance(data, Mapping):
        return _passed_through(wire, payload)
    flat = {
        **data,
        "seq": wire.get("seq"),
        "sessionId": wire.get("sessionId"),
        "time": wire.get("time"),
        "type": kind,
        "turnId": wire.get("turnId"),
        "sender": wire.get("sender"),
        "payload": payload,
    }
    try:
        return cls.model_validate(flat)  # type: ignore[return-value]
    except ValidationError:
        return _passed_through(wire, payload)


def _passed_through(wire: Mapping[str, Any], payload: Frame | None) -> AgentUpdate:
    kind, sender, data = wire.get("type"), wire.get("sender"), wire.get("data")
    if kind == "agent.update" and isinstance(data, Mapping) and "updateType" in data:
        kind, data = data["updateType"], data.get("update")
    return AgentUpdate(
        seq=as_int(wire.get("seq")) or 0,
        session_id=as_str(wire.get("sessionId")) or "",
        time=_time(wire.get("time")),
        turn_id=as_str(wire.get("turnId")),
        sender=sender if isinstance(sender, str) and sender in _SENDERS else "server",  # type: ignore[arg-type]
        update_type=as_str(kind) or "unknown",
        update=data,
        payload=payload,
    )


def _time(text: Any) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return _EPOCH
    return time if time.tzinfo else time.replace(tzinfo=UTC)
