"""Bodies of `/v1/sessions`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import ConfigDict, Field, SkipValidation, field_validator
from typing_extensions import TypedDict

from sandbox_agent_core.api.base import RequestBody, ResponseBody
from sandbox_agent_core.api.base_urls import BaseUrls, check_base_urls
from sandbox_agent_core.api.host_tools import RegisterHostTools
from sandbox_agent_core.api.policy import PermissionMode, PermissionPolicy
from sandbox_agent_core.api.requests import OnReject
from sandbox_agent_core.events.session import ForkedFrom
from sandbox_agent_core.events.usage import Cost
from sandbox_agent_core.ids import SESSION_ID_PATTERN

__all__ = [
    "BUSY_STATUSES",
    "TITLE_MAX_CHARS",
    "AgentImplementation",
    "Choice",
    "ConfigOption",
    "CreateSession",
    "HookSupport",
    "PatchSession",
    "ResumeSession",
    "SessionHooks",
    "SessionInfo",
    "SessionList",
    "SessionStatus",
    "SessionUsage",
    "TaskInfo",
]

SessionStatus = Literal[
    "starting", "idle", "running", "background", "waiting", "dormant", "ended", "damaged"
]
"""`running`: a turn runs, also one that the agent began by itself. `background`: no turn, but background tasks
run. `waiting`: a person must answer. `dormant`: the agent is not running; the next prompt resumes it.
`damaged`: what is kept of it cannot be read; it can only be purged."""

BUSY_STATUSES: Final[frozenset[SessionStatus]] = frozenset(
    {"starting", "running", "background", "waiting"}
)
"""The agent is at work or waits for a person: its sandbox is in use."""


TITLE_MAX_CHARS: Final = 200


class SessionHooks(RequestBody):
    """Which hooks of the session are asked. Whoever follows it answers them, as it answers permissions."""

    before_tool: bool = Field(
        default=False,
        description="Before a tool runs; of an agent without hooks, before it gets a permission.",
    )
    after_tool: bool = Field(
        default=False,
        description="After it. An agent without hooks does not ask, and nothing can be added.",
    )


class HookSupport(ResponseBody):
    """How the hooks of a session reach its caller; null: they are not asked."""

    before_tool: Literal["native", "permission"] | None = Field(
        default=None,
        description="`permission`: only what the agent asks a permission for is seen.",
    )
    after_tool: Literal["native", "observed"] | None = Field(
        default=None, description="`observed`: by `tool.completed`, without effect."
    )


class CreateSession(RequestBody):
    agent: str = Field(min_length=1, description="Name of the agent, as in `GET /v1/agents`.")
    id: str | None = Field(
        default=None,
        pattern=f"^{SESSION_ID_PATTERN}$",
        description="Chosen by the caller; else made.",
    )
    cwd: str | None = Field(
        default=None,
        description="Absolute path of the workspace; default: the server's own directory.",
    )
    additional_directories: list[str] = Field(
        default_factory=list,
        description="Absolute paths that the agent works on besides; for permissions and `fs/*` requests they are as "
        "the workspace. Refused by an agent that takes none.",
    )
    mcp_servers: list[dict[str, Any]] = Field(
        default_factory=list,
        repr=False,
        description="ACP `McpServer` objects, passed to the agent.",
    )
    model: str | None = None
    mode: str | None = Field(
        default=None,
        description="`ask`, `accept-edits`, `read-only`, `plan` or `bypass`, which every agent has; or a "
        "mode id of the agent's own (`modes` of the session), after `native:` where it has the same name. "
        "Default: `ask`.",
    )
    thought_level: str | None = None
    system_prompt: str | None = Field(
        default=None,
        description="Added to the agent's own; to an agent that takes none it is said before the first prompt.",
    )
    env: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="Added to the agent's environment. Never logged or stored.",
    )
    base_url: BaseUrls | None = Field(
        default=None,
        description="Where its model requests go instead of to the provider: a URL for the agent's main "
        "provider, or `{provider: URL}`. http or https, without keys in it: it is stored and shown.",
    )
    trust_workspace: bool | None = Field(
        default=None,
        description="Whether hooks, plugins and MCP programs that the workspace brings along run. What "
        "they may do without asking is the session's affair either way. Default: the server's setting.",
    )
    tools: RegisterHostTools | None = Field(
        default=None,
        description="Functions of the client that the agent can call, as of `POST /v1/sessions/{id}/tools`.",
    )
    permission_policy: PermissionPolicy | None = None
    hooks: SessionHooks = Field(
        default_factory=SessionHooks,
        description="Ask whoever follows the session before and after each tool.",
    )
    on_reject: OnReject | None = Field(
        default=None,
        description="Whether a turn goes on after a permission was refused, by whomever, unless the answer says it. "
        "`stop` is possible everywhere; `continue` is refused by an agent that cannot be told so. Default: as the "
        "agent does it.",
    )
    agent_options: dict[str, Any] = Field(
        default_factory=dict,
        description="What only this agent has: `agentOptionsSchema` of `GET /v1/agents` says what it takes. Stored "
        "and shown, so no secrets belong in it.",
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Yours; stored and given back."
    )
    title: str | None = Field(
        default=None,
        max_length=TITLE_MAX_CHARS,
        description="What people call the session. Default: what its agent calls it, if it does.",
    )
    diffs: bool | None = Field(
        default=None,
        description="Whether `turn.diff` tells what each turn has done to the files. Default: the server's setting.",
    )
    context: str | None = Field(
        default=None,
        description="Earlier conversation, put before the first prompt (how a client carries a "
        "transcript into a new sandbox).",
    )

    @field_validator("base_url")
    @classmethod
    def _is_fit_to_be_shown(cls, base_url: BaseUrls | None) -> BaseUrls | None:
        return None if base_url is None else check_base_urls(base_url)


class PatchSession(RequestBody):
    """Members left out stay as they are."""

    mode: str | None = None
    model: str | None = None
    thought_level: str | None = None
    config_options: dict[str, str | bool] = Field(
        default_factory=dict, description="Option id -> value, see `configOptions` of the session."
    )
    permission_policy: PermissionPolicy | None = None
    metadata: dict[str, Any] | None = Field(default=None, description="Replaces the whole.")
    title: str | None = Field(
        default=None,
        max_length=TITLE_MAX_CHARS,
        description="Empty: as the agent calls it. Told to agents that take it.",
    )


class ResumeSession(RequestBody):
    """What a server forgets when it stops, because it is never written to disk."""

    env: dict[str, str] = Field(
        default_factory=dict, repr=False, description="As in CreateSession."
    )
    mcp_servers: list[dict[str, Any]] = Field(
        default_factory=list, repr=False, description="Replaces the session's, when given."
    )
    tools: RegisterHostTools | None = Field(
        default=None, description="As in CreateSession; replaces the session's, when given."
    )


class SessionUsage(ResponseBody):
    """Of all turns of a session together, as far as its agent tells."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_read_tokens: int = 0
    cached_write_tokens: int = 0
    thought_tokens: int = 0
    total_tokens: int = 0
    cost: Cost | None = Field(
        default=None,
        description="`{amount, currency, estimated}`; `estimated` when that of any turn is.",
    )


class TaskInfo(ResponseBody):
    """A background task that runs."""

    task_id: str
    kind: Literal["shell", "agent", "other"]
    title: str
    tool_call_id: str | None = Field(default=None, description="The tool call that started it.")
    turn_id: str | None = Field(default=None, description="The turn in which it was started.")
    started_at: str = Field(description="RFC 3339, UTC.")


class Choice(TypedDict):
    """A mode, a model or a thought level that can be chosen."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    id: str
    name: str
    description: NotRequired[str]


class ConfigOption(TypedDict):
    """An option of an agent, as ACP has it; `value` of `set_config_option` is one of `options`, or a boolean."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    id: str
    name: str
    type: NotRequired[str]
    category: NotRequired[str]
    description: NotRequired[str]
    currentValue: NotRequired[Any]
    options: NotRequired[list[dict[str, Any]]]


class AgentImplementation(TypedDict):
    """What an agent says of itself."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    name: str
    title: NotRequired[str]
    version: NotRequired[str]


# Not validated: whatever an agent offers is shown.
Choices = Annotated[list[Choice], SkipValidation]


class SessionInfo(ResponseBody):
    id: str
    agent: str
    cwd: str
    title: str | None = Field(
        default=None, description="As somebody called it, or as its agent does."
    )
    first_prompt: str | None = Field(
        default=None,
        description="The beginning of it, in one line: for lists, of a session without a title.",
    )
    last_prompt: str | None = Field(default=None, description="The beginning of the newest.")
    status: SessionStatus
    created_at: str = Field(description="RFC 3339, UTC.")
    updated_at: str = Field(description="Time of the last log entry.")
    ended_at: str | None = None
    last_seq: int = Field(description="Cursor of the newest log entry.")
    damage: str | None = Field(
        default=None, description="Of a `damaged` session: what is wrong with what is kept of it."
    )
    agent_session_id: str | None = Field(
        default=None, description="The agent's own id (ACP sessionId)."
    )
    agent_info: Annotated[AgentImplementation | None, SkipValidation] = None
    capabilities: dict[str, Any] = Field(
        default_factory=dict, description="ACP `agentCapabilities` as the agent stated them."
    )
    mode: str | None = None
    modes: Choices = Field(default_factory=list, description="`{id, name, description?}`.")
    permission_mode: PermissionMode | None = Field(
        default=None,
        description="How permissions are decided; null when the agent is in a mode of its own of which nobody "
        "knows what it allows.",
    )
    model: str | None = None
    models: Choices = Field(default_factory=list, description="`{id, name, description?}`.")
    thought_level: str | None = None
    thought_levels: Choices = Field(default_factory=list)
    additional_directories: list[str] = Field(
        default_factory=list, description="As in CreateSession."
    )
    base_url: BaseUrls | None = Field(default=None, description="As in CreateSession.")
    trust_workspace: bool = Field(
        default=False,
        description="Whether hooks, plugins and MCP programs that the workspace brings along run.",
    )
    config_options: Annotated[list[ConfigOption], SkipValidation] = Field(
        default_factory=list, description="ACP config options, complete."
    )
    forked_from: ForkedFrom | None = Field(
        default=None, description="The session that it is a fork of, and how it came to its memory."
    )
    continuity: Literal["fresh", "native", "replayed", "lost"] = Field(
        default="fresh", description="How the agent's memory reached the process that runs now."
    )
    current_turn_id: str | None = Field(
        default=None, description="The turn that runs: of a prompt, or the agent's own."
    )
    tasks: list[TaskInfo] = Field(
        default_factory=list, description="Background tasks that run, oldest first."
    )
    usage: SessionUsage = Field(
        default_factory=SessionUsage, description="Tokens and cost of its turns so far."
    )
    queued_turns: int = 0
    pending_requests: int = 0
    unparsed: int = Field(
        default=0,
        description="What the agent wrote that is no protocol message (`agent.unparsed` events).",
    )
    permission_policy: PermissionPolicy = Field(default_factory=PermissionPolicy)
    hooks: HookSupport = Field(default_factory=HookSupport)
    on_reject: OnReject | None = Field(default=None, description="As in CreateSession.")
    agent_options: dict[str, Any] = Field(
        default_factory=dict, description="As in CreateSession, in camelCase."
    )
    mcp_servers: list[str] = Field(
        default_factory=list,
        description="Names of the MCP servers that its agent was given: the session's own, and those of its directory.",
    )
    tools: list[str] = Field(
        default_factory=list,
        description="Names of the functions of a client that its agent can call.",
    )
    skills: list[str] = Field(
        default_factory=list, description="Names of the skills that its agent was given."
    )
    warnings: list[str] = Field(
        default_factory=list,
        description="What of the configuration of its directory its agent was not given, and why.",
    )
    metadata: dict[str, Any] = Field(default_factory=dict)


class SessionList(ResponseBody):
    sessions: list[SessionInfo]
    next_cursor: str | None = None
