"""Universal events: what happened in a session, typed, one class for each type."""

from __future__ import annotations

from sandbox_agent_core.events.agent import AgentExited, AgentStarted, AgentUnparsed, AgentUpdate
from sandbox_agent_core.events.context import CompactionTrigger, ContextCompacted
from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.events.fault import ErrorReported, Fault
from sandbox_agent_core.events.hook import HookRequested, HookResolved
from sandbox_agent_core.events.host_tool import HostToolCalled, HostToolResolved
from sandbox_agent_core.events.mcp import McpServerStatus, McpStatus
from sandbox_agent_core.events.message import (
    MessageCompleted,
    MessageDelta,
    ReasoningCompleted,
    ReasoningDelta,
    Role,
)
from sandbox_agent_core.events.parsing import EVENT_CLASSES, Event, is_delta, parse_event
from sandbox_agent_core.events.plan import PlanEntry, PlanUpdated
from sandbox_agent_core.events.request import (
    DecidedBy,
    PermissionOption,
    PermissionRequested,
    PermissionResolved,
    Question,
    QuestionOption,
    QuestionRequested,
    QuestionResolved,
)
from sandbox_agent_core.events.session import (
    Continuity,
    ForkedFrom,
    LogDamaged,
    LogRepaired,
    SessionCreated,
    SessionEnded,
    SessionResumed,
    SessionRewound,
    SessionUpdated,
)
from sandbox_agent_core.events.settings import (
    Command,
    CommandsUpdated,
    ConfigChanged,
    ConfigOption,
    ModeChanged,
    PermissionModeChanged,
)
from sandbox_agent_core.events.task import (
    TaskEnded,
    TaskKind,
    TaskStarted,
    TaskStatus,
    TaskUpdated,
)
from sandbox_agent_core.events.tokens import TokenUsage
from sandbox_agent_core.events.tool import (
    Diff,
    Hunk,
    Location,
    ToolCallFields,
    ToolCompleted,
    ToolKind,
    ToolStarted,
    ToolStatus,
    ToolUpdated,
)
from sandbox_agent_core.events.turn import (
    LimitKind,
    StopReason,
    TurnDiff,
    TurnDropped,
    TurnEnded,
    TurnLimits,
    TurnOrigin,
    TurnQueued,
    TurnStarted,
    TurnSteered,
)
from sandbox_agent_core.events.usage import Cost, TurnUse, UsageUpdated

__all__ = [
    "EVENT_CLASSES",
    "AgentExited",
    "AgentStarted",
    "AgentUnparsed",
    "AgentUpdate",
    "Command",
    "CommandsUpdated",
    "CompactionTrigger",
    "ConfigChanged",
    "ConfigOption",
    "ContextCompacted",
    "Continuity",
    "Cost",
    "DecidedBy",
    "Diff",
    "ErrorReported",
    "Event",
    "Fault",
    "ForkedFrom",
    "HookRequested",
    "HookResolved",
    "HostToolCalled",
    "HostToolResolved",
    "Hunk",
    "LimitKind",
    "Location",
    "LogDamaged",
    "LogRepaired",
    "McpServerStatus",
    "McpStatus",
    "MessageCompleted",
    "MessageDelta",
    "ModeChanged",
    "PermissionModeChanged",
    "PermissionOption",
    "PermissionRequested",
    "PermissionResolved",
    "PlanEntry",
    "PlanUpdated",
    "Question",
    "QuestionOption",
    "QuestionRequested",
    "QuestionResolved",
    "ReasoningCompleted",
    "ReasoningDelta",
    "Role",
    "SessionCreated",
    "SessionEnded",
    "SessionResumed",
    "SessionRewound",
    "SessionUpdated",
    "StopReason",
    "TaskEnded",
    "TaskKind",
    "TaskStarted",
    "TaskStatus",
    "TaskUpdated",
    "TokenUsage",
    "ToolCallFields",
    "ToolCompleted",
    "ToolKind",
    "ToolStarted",
    "ToolStatus",
    "ToolUpdated",
    "TurnDiff",
    "TurnDropped",
    "TurnEnded",
    "TurnLimits",
    "TurnOrigin",
    "TurnQueued",
    "TurnStarted",
    "TurnSteered",
    "TurnUse",
    "UniversalEvent",
    "UsageUpdated",
    "is_delta",
    "parse_event",
]
