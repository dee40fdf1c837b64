"""Run coding agents in sandboxes, watch and steer them: the SDK of sandbox-agent.

    async with SandboxAgent.start(sandbox="docker") as client:
        session = await client.create_session(agent="claude", cwd="/repo")
        async for event in session.prompt_stream("Fix the failing test"):
            ...

`SandboxAgentSync` is the same without `async`. Events, errors and the options of each agent are classes of this
module; `errors` holds the errors alone.
"""

from sandbox_agent_core import agent_options
from sandbox_agent_core import errors as _errors
from sandbox_agent_core.agent_options import *  # noqa: F403
from sandbox_agent_core.api.agents import AgentInfo, Health, InstallProgress, InstallResult
from sandbox_agent_core.api.config import (
    McpLocalConfig,
    McpRemoteConfig,
    SkillsConfig,
    SkillSource,
)
from sandbox_agent_core.api.files import (
    FileChange,
    FileEntry,
    FileMatch,
    FileStat,
    FileWritten,
    FoundFiles,
    FoundText,
)
from sandbox_agent_core.api.git import (
    GitCloneProgress,
    GitCloneResult,
    GitCredentials,
    GitDiff,
    GitStatus,
    SessionDiff,
)
from sandbox_agent_core.api.long_work import RewindResult, SteerResult
from sandbox_agent_core.api.policy import PermissionPolicy, PermissionRule
from sandbox_agent_core.api.ports import ListeningPort
from sandbox_agent_core.api.processes import ProcessConfig, ProcessGap, ProcessInfo
from sandbox_agent_core.api.prompts import CancelResult
from sandbox_agent_core.api.requests import Resolution
from sandbox_agent_core.api.sessions import SessionHooks, SessionInfo, TaskInfo
from sandbox_agent_core.api.turns import TurnInfo, TurnSummary
from sandbox_agent_core.changes import ChangedFile, ChangeTotals
from sandbox_agent_core.content import Prompt
from sandbox_agent_core.errors import *  # noqa: F403
from sandbox_agent_core.events import (
    AgentExited,
    AgentStarted,
    AgentUnparsed,
    AgentUpdate,
    CommandsUpdated,
    ConfigChanged,
    ContextCompacted,
    Cost,
    Diff,
    ErrorReported,
    Event,
    Fault,
    ForkedFrom,
    HookRequested,
    HookResolved,
    HostToolCalled,
    HostToolResolved,
    Hunk,
    LimitKind,
    Location,
    LogDamaged,
    LogRepaired,
    McpServerStatus,
    McpStatus,
    MessageCompleted,
    MessageDelta,
    ModeChanged,
    PermissionModeChanged,
    PermissionOption,
    PermissionRequested,
    PermissionResolved,
    PlanEntry,
    PlanUpdated,
    Question,
    QuestionOption,
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
    TokenUsage,
    ToolCallFields,
    ToolCompleted,
    ToolStarted,
    ToolUpdated,
    TurnDiff,
    TurnDropped,
    TurnEnded,
    TurnLimits,
    TurnQueued,
    TurnStarted,
    TurnSteered,
    TurnUse,
    UniversalEvent,
    UsageUpdated,
)
from sandbox_agent_core.frames import LogEntry
from sandbox_agent_core.spi.confinement import Confinement
from sandbox_agent_core.spi.provider import (
    Endpoint,
    PortUrl,
    SandboxInfo,
    SandboxProvider,
    SandboxRef,
    SandboxSpec,
)
from sandbox_agent_core.view import Transcript

from sandbox_agent_client import errors
from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client._async.event_stream import EventStream
from sandbox_agent_client._async.files import FileReader, Files
from sandbox_agent_client._async.git import Git
from sandbox_agent_client._async.pool import SandboxPool
from sandbox_agent_client._async.ports import Ports
from sandbox_agent_client._async.processes import Process, Processes
from sandbox_agent_client._async.requests import (
    AfterTool,
    BeforeTool,
    HostToolCall,
    PermissionRequest,
    QuestionRequest,
)
from sandbox_agent_client._async.sandbox import Sandbox
from sandbox_agent_client._async.session import Session
from sandbox_agent_client._async.terminals import Terminal, Terminals
from sandbox_agent_client._async.turn import Turn
from sandbox_agent_client._calls.sessions import SessionOptions
from sandbox_agent_client._commands import CommandResult, OutputChunk
from sandbox_agent_client._page import Page
from sandbox_agent_client._result import BackgroundTask, FollowUp, PromptResult, StructuredResult
from sandbox_agent_client._sync.client import SandboxAgentSync
from sandbox_agent_client._sync.event_stream import EventStreamSync
from sandbox_agent_client._sync.files import FileReaderSync, FilesSync
from sandbox_agent_client._sync.git import GitSync
from sandbox_agent_client._sync.pool import SandboxPoolSync
from sandbox_agent_client._sync.ports import PortsSync
from sandbox_agent_client._sync.processes import ProcessesSync, ProcessSync
from sandbox_agent_client._sync.requests import (
    AfterToolSync,
    BeforeToolSync,
    HostToolCallSync,
    PermissionRequestSync,
    QuestionRequestSync,
)
from sandbox_agent_client._sync.sandbox import SandboxSync
from sandbox_agent_client._sync.session import SessionSync
from sandbox_agent_client._sync.terminals import TerminalsSync, TerminalSync
from sandbox_agent_client._sync.turn import TurnSync
from sandbox_agent_client.batch import BatchSummary, Budget, TrialResult
from sandbox_agent_client.batch.runner import run_batch
from sandbox_agent_client.content import Audio, File, Image, Link, Text
from sandbox_agent_client.credentials import Credential, LocalCredentials, local_credentials
from sandbox_agent_client.mcp import McpHttp, McpStdio
from sandbox_agent_client.persistence import (
    MemoryTranscriptStore,
    SessionRecord,
    SqliteTranscriptStore,
    TranscriptStore,
)
from sandbox_agent_client.sandboxes.local import LocalProvider
from sandbox_agent_client.sandboxes.pool import PoolStatus
from sandbox_agent_client.sandboxes.progress import StartupStep
from sandbox_agent_client.tools import Tool
from sandbox_agent_client.trials.synchronous import run_batch_sync
from sandbox_agent_client.workspace import Workspace

__all__ = [
    "AfterTool",
    "AfterToolSync",
    "AgentExited",
    "AgentInfo",
    "AgentStarted",
    "AgentUnparsed",
    "AgentUpdate",
    "Audio",
    "BackgroundTask",
    "BatchSummary",
    "BeforeTool",
    "BeforeToolSync",
    "Budget",
    "CancelResult",
    "ChangeTotals",
    "ChangedFile",
    "CommandResult",
    "CommandsUpdated",
    "ConfigChanged",
    "Confinement",
    "ContextCompacted",
    "Cost",
    "Credential",
    "Diff",
    "Endpoint",
    "ErrorReported",
    "Event",
    "EventStream",
    "EventStreamSync",
    "Fault",
    "File",
    "FileChange",
    "FileEntry",
    "FileMatch",
    "FileReader",
    "FileReaderSync",
    "FileStat",
    "FileWritten",
    "Files",
    "FilesSync",
    "FollowUp",
    "ForkedFrom",
    "FoundFiles",
    "FoundText",
    "Git",
    "GitCloneProgress",
    "GitCloneResult",
    "GitCredentials",
    "GitDiff",
    "GitStatus",
    "GitSync",
    "Health",
    "HookRequested",
    "HookResolved",
    "HostToolCall",
    "HostToolCallSync",
    "HostToolCalled",
    "HostToolResolved",
    "Hunk",
    "Image",
    "InstallProgress",
    "InstallResult",
    "LimitKind",
    "Link",
    "ListeningPort",
    "LocalCredentials",
    "LocalProvider",
    "Location",
    "LogDamaged",
    "LogEntry",
    "LogRepaired",
    "McpHttp",
    "McpLocalConfig",
    "McpRemoteConfig",
    "McpServerStatus",
    "McpStatus",
    "McpStdio",
    "MemoryTranscriptStore",
    "MessageCompleted",
    "MessageDelta",
    "ModeChanged",
    "OutputChunk",
    "Page",
    "PermissionModeChanged",
    "PermissionOption",
    "PermissionPolicy",
    "PermissionRequest",
    "PermissionRequestSync",
    "PermissionRequested",
    "PermissionResolved",
    "PermissionRule",
    "PlanEntry",
    "PlanUpdated",
    "PoolStatus",
    "PortUrl",
    "Ports",
    "PortsSync",
    "Process",
    "ProcessConfig",
    "ProcessGap",
    "ProcessInfo",
    "ProcessSync",
    "Processes",
    "ProcessesSync",
    "Prompt",
    "PromptResult",
    "Question",
    "QuestionOption",
    "QuestionRequest",
    "QuestionRequestSync",
    "QuestionRequested",
    "QuestionResolved",
    "ReasoningCompleted",
    "ReasoningDelta",
    "Resolution",
    "RewindResult",
    "Sandbox",
    "SandboxAgent",
    "SandboxAgentSync",
    "SandboxInfo",
    "SandboxPool",
    "SandboxPoolSync",
    "SandboxProvider",
    "SandboxRef",
    "SandboxSpec",
    "SandboxSync",
    "Session",
    "SessionCreated",
    "SessionDiff",
    "SessionEnded",
    "SessionHooks",
    "SessionInfo",
    "SessionOptions",
    "SessionRecord",
    "SessionResumed",
    "SessionRewound",
    "SessionSync",
    "SessionUpdated",
    "SkillSource",
    "SkillsConfig",
    "SqliteTranscriptStore",
    "StartupStep",
    "SteerResult",
    "StructuredResult",
    "TaskEnded",
    "TaskInfo",
    "TaskStarted",
    "TaskUpdated",
    "Terminal",
    "TerminalSync",
    "Terminals",
    "TerminalsSync",
    "Text",
    "TokenUsage",
    "Tool",
    "ToolCallFields",
    "ToolCompleted",
    "ToolStarted",
    "ToolUpdated",
    "Transcript",
    "TranscriptStore",
    "TrialResult",
    "Turn",
    "TurnDiff",
    "TurnDropped",
    "TurnEnded",
    "TurnInfo",
    "TurnLimits",
    "TurnQueued",
    "TurnStarted",
    "TurnSteered",
    "TurnSummary",
    "TurnSync",
    "TurnUse",
    "UniversalEvent",
    "UsageUpdated",
    "Workspace",
    "errors",
    "local_credentials",
    "run_batch",
    "run_batch_sync",
]
# Two lines, because type checkers read no sum of them.
__all__ += agent_options.__all__
__all__ += _errors.__all__
