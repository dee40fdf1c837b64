"""The agent itself: its process, and what it said that has no type here."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from sandbox_agent_core.events.envelope import UniversalEvent

__all__ = ["OUT_OF_MEMORY", "AgentExited", "AgentStarted", "AgentUnparsed", "AgentUpdate"]

OUT_OF_MEMORY: Final = "out_of_memory"
"""A reason of `agent.exited`, and of the error that the turn ends with."""


class AgentStarted(UniversalEvent):
    """The agent's process runs."""

    type: Literal["agent.started"] = "agent.started"
    pid: int | None = None
    """Process id, in the sandbox."""
    command: list[str] = Field(default_factory=list)
    """What was run."""
    version: str | None = None
    """Of the agent, if known."""
    mcp_servers: list[str] = Field(default_factory=list)
    """Names of the MCP servers that it was given: those of the session, and those of its directory."""
    tools: list[str] = Field(default_factory=list)
    """Names of the functions of a client that it can call."""
    skills: list[str] = Field(default_factory=list)
    """Names of the skills that it was given."""
    warnings: list[str] = Field(default_factory=list)
    """What of the configuration of its directory it was not given, and why."""


class AgentExited(UniversalEvent):
    """The agent's process is gone. A turn that was running ends as `interrupted`."""

    type: Literal["agent.exited"] = "agent.exited"
    exit_code: int | None = None
    """Absent when a signal ended it."""
    signal: int | str | None = None
    """The signal that ended it."""
    stderr_tail: str = ""
    """The last that it wrote to stderr."""
    expected: bool = False
    """We stopped it (the session ended, it was idle)."""
    reason: str | None = None
    """`server_stopped`: the server was gone, and its agents with it. `out_of_memory`: the kernel killed it, because the
    sandbox had no memory left."""
    memory_limit_bytes: int | None = None
    """How much memory the sandbox has; only with `out_of_memory`, where it is known."""


class AgentUnparsed(UniversalEvent):
    """The agent wrote something that is not a protocol message."""

    type: Literal["agent.unparsed"] = "agent.unparsed"
    text: str = ""
    """What it wrote."""
    reason: str = ""
    """What is wrong with it."""
    method: str | None = None
    """The request or notification that was lost with it, as far as its beginning tells."""
    rpc_id: Any = None
    """The JSON-RPC id of a request that was lost: it was answered with an error."""


class AgentUpdate(UniversalEvent):
    """Something that has no type here, passed through: a new update, an extension, a request."""

    type: Literal["agent.update"] = "agent.update"
    update_type: str
    """The kind of update (`session_info_update`), or the method of the frame (`_auth/status_update`)."""
    update: Any = None
    """Its content, unchanged."""
