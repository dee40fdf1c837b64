"""Bodies of `/`, `/v1/agents` and `/v1/health`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = [
    "AgentAbilities",
    "AgentConfig",
    "AgentCredential",
    "AgentInfo",
    "AgentList",
    "AgentServerStatus",
    "Health",
    "InstallArtifact",
    "InstallProgress",
    "InstallRequest",
    "InstallResult",
    "InstallStatus",
    "Root",
]


class AgentConfig(ResponseBody):
    """What the agent itself offers, from a session in an empty directory."""

    agent_info: dict[str, Any] | None = Field(default=None, description="ACP `agentInfo`.")
    capabilities: dict[str, Any] = Field(
        default_factory=dict, description="ACP `agentCapabilities` as the agent stated them."
    )
    modes: list[dict[str, Any]] = Field(
        default_factory=list, description="`{id, name, description?}`."
    )
    models: list[dict[str, Any]] = Field(
        default_factory=list, description="`{id, name, description?}`."
    )
    thought_levels: list[dict[str, Any]] = Field(
        default_factory=list, description="`{id, name, description?}`."
    )
    config_options: list[dict[str, Any]] = Field(
        default_factory=list, description="ACP config options, complete."
    )
    mode: str | None = Field(default=None, description="What a new session starts with.")
    model: str | None = None
    thought_level: str | None = None


class AgentCredential(ResponseBody):
    """A place where the server looked for an agent's credentials and found some. Never a secret."""

    source: str = Field(description="`$NAME` of a variable, or the path of a login file.")
    provider: str | None = Field(default=None, description="Who takes it: `anthropic`, `openai`, …")
    kind: str | None = Field(default=None, description="`api_key` or `oauth`.")
    expires_at: str | None = Field(default=None, description="RFC 3339, UTC.")
    expired: bool = False
    problem: str | None = Field(
        default=None, description="Why it cannot be used, or not for long; what to do."
    )


class AgentAbilities(ResponseBody):
    """What a user interface can expect of an agent. What the server does for every agent alike is true of every agent."""

    plan_mode: bool = Field(description="A mode in which it plans and changes nothing.")
    permissions: bool = Field(description="It asks before it does something.")
    questions: bool = Field(description="Its model can ask a person a question.")
    tool_calls: bool
    tool_results: bool
    text_messages: bool
    images: bool = Field(description="In a prompt.")
    file_attachments: bool = Field(description="Files that are in the prompt itself.")
    session_lifecycle: bool = Field(description="Events tell when a session starts, resumes, ends.")
    error_events: bool
    reasoning: bool = Field(description="What the model thinks, if it shows that.")
    status: bool = Field(description="Events tell what a turn is doing.")
    command_execution: bool
    file_changes: bool
    mcp_tools: bool
    streaming_deltas: bool
    item_started: bool = Field(description="A tool call is told when it begins.")
    shared_process: bool = Field(description="One process for several sessions.")


class AgentServerStatus(ResponseBody):
    """Of the processes of an agent, all of its sessions together."""

    status: Literal["running", "stopped"]
    uptime_ms: int | None = Field(default=None, description="Of the one that runs longest.")


class AgentInfo(ResponseBody):
    id: str
    title: str = Field(default="", description="Empty from a server that does not tell.")
    installed: bool
    version: str | None = None
    path: str | None = None
    install_hint: str | None = Field(
        default=None, description="What to run when it is not installed."
    )
    permission_modes: list[str] = Field(
        default_factory=list, description="Modes that every agent has, whatever its own are called."
    )
    credentials_available: bool | None = Field(
        default=None,
        description="Whether it finds something to log in with in its environment or its login files; "
        "null when it is not known where it looks.",
    )
    credentials: list[AgentCredential] = Field(default_factory=list, description="Best first.")
    base_url_providers: list[str] = Field(
        default_factory=list,
        description="Providers that `baseUrl` of a session can name; the first is the main one.",
    )
    agent_options_schema: dict[str, Any] | None = Field(
        default=None,
        description="JSON schema of `agentOptions` of a session; null when the agent takes none. Properties that can "
        "loosen a policy or trust are marked `risky`.",
    )
    allowed_agent_options: list[str] = Field(
        default_factory=list,
        description="Those that this server takes (`allowed_options` of its configuration).",
    )
    capabilities: AgentAbilities | None = Field(
        default=None, description="Null from a server that does not tell."
    )
    server_status: AgentServerStatus | None = Field(
        default=None, description="Null when no process of it runs."
    )
    config_options: list[dict[str, Any]] | None = Field(
        default=None,
        description="With `?config=true`: what a new session can be set to (model, mode, thought level, the agent's own), "
        "as ACP config options, of an agent that is installed and answers.",
    )
    config: AgentConfig | None = Field(
        default=None, description="With `?config=true`, of an agent that is installed and answers."
    )
    config_error: dict[str, Any] | None = Field(
        default=None, description="Why there is no `config`: a problem document."
    )


class AgentList(ResponseBody):
    agents: list[AgentInfo]


class Health(ResponseBody):
    """Whoever shows no token gets `status` alone."""

    status: str = Field(description="`ok`.")
    version: str | None = None
    uptime_s: float | None = None
    inspector: bool | None = Field(
        default=None,
        description="Whether the Inspector is at `/ui/`. None: an older server, or one of another make.",
    )
    heartbeat_s: float | None = Field(
        default=None,
        description="After so many seconds of silence an event stream has a heartbeat. None: an older server.",
    )


class Root(ResponseBody):
    """Whoever shows no token gets no `version`."""

    name: str = "Sandbox Agent"
    version: str | None = None
    docs: str = Field(default="/openapi.json", description="Where the API is described.")


class InstallRequest(RequestBody):
    version: str | None = Field(
        default=None,
        validation_alias=AliasChoices("version", "agentVersion"),
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]{0,127}$",
        description="A version or a tag such as `latest`; else the one that was tested. "
        "`agentVersion` is another name for it.",
    )
    reinstall: bool = Field(default=False, description="Also when it is there already.")
    agent_process_version: str | None = Field(
        default=None, description="Taken for compatibility: agents have no adapter process here."
    )


class InstallArtifact(ResponseBody):
    kind: Literal["native_agent", "agent_process"] = "native_agent"
    path: str = Field(description="The program to run.")
    source: Literal["registry", "fallback", "local_path", "builtin"]
    version: str | None = None


class InstallResult(ResponseBody):
    already_installed: bool = Field(alias="already_installed")
    artifacts: list[InstallArtifact] = Field(
        default_factory=list, description="What was installed; none if it was there."
    )
    version: str | None = Field(default=None, description="The version that is installed now.")
    path: str | None = Field(default=None, description="Its program.")
    note: str | None = Field(
        default=None, description="What a person should know: another copy comes first on the PATH."
    )


class InstallProgress(ResponseBody):
    agent: str
    step: Literal[
        "waiting",
        "resolving",
        "downloading",
        "unpacking",
        "bringing_node",
        "running_npm",
        "running_pip",
        "starting",
        "finishing",
    ] = Field(
        description="`waiting`: for another installation of the same agent. `bringing_node`: the agent wants "
        "a newer Node.js than there is. `starting`: what does not start is not installed."
    )
    version: str | None = None
    done_bytes: int | None = None
    total_bytes: int | None = Field(default=None, description="When the registry says it.")


class InstallStatus(ResponseBody):
    """Whether an agent is being installed now, also when a session that waits for it has begun that."""

    running: bool
    progress: InstallProgress | None = Field(
        default=None, description="The latest of what runs; null when it has only begun."
    )
