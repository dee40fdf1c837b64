"""Only raised by the client."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.errors.general import NotFound, SandboxAgentError

__all__ = [
    "CallbackError",
    "ClientClosed",
    "CommandFailed",
    "NoSandbox",
    "NotServed",
    "OutputInvalid",
    "PoolClosed",
    "PoolExhausted",
    "ServerStartFailed",
    "ServerUnreachable",
    "StreamGap",
    "WorkspaceSetupFailed",
]


class ClientClosed(SandboxAgentError, RuntimeError):
    """The client, or the block that it was opened by, has been left; its sessions live on at the server. Make another
    one. Also a `RuntimeError`."""

    code = "client_closed"
    title = "Client Closed"


class PoolClosed(ClientClosed):
    """The pool is not open, or was closed while somebody waited for a sandbox of it."""

    code = "pool_closed"
    title = "Pool Closed"


class PoolExhausted(SandboxAgentError):
    """No sandbox of the pool was ready in time; `details`: `pool`, `inUse`, `starting`, `maxSize`."""

    code = "pool_exhausted"
    title = "Pool Exhausted"
    http_status = 503
    retryable = True


class NoSandbox(SandboxAgentError, RuntimeError):
    """The client was made by `connect`, and knows no sandbox to pause, to take along or to destroy: that takes `start`,
    with `ref=` for one that exists. Also a `RuntimeError`."""

    code = "no_sandbox"
    title = "No Sandbox"


class NotServed(NotFound):
    """The server has no such route: it is an older one than this client is for, or another program that speaks a part of
    the same API. `health()` says which version it is."""

    code = "not_served"
    title = "Not Served"


class CallbackError(SandboxAgentError):
    """A callback raised: one that was to answer the agent, whose request was refused, or `prepare` of a pool.
    `__cause__` is what it raised."""

    code = "callback_error"
    title = "Callback Error"


class CommandFailed(SandboxAgentError):
    """A command in the sandbox did not end with 0; `details`: `command`, `exitCode`, `signal`, `timedOut`."""

    code = "command_failed"
    title = "Command Failed"


class WorkspaceSetupFailed(CommandFailed):
    """A command of a workspace's `setup` failed, so its sandbox was removed again; `details.output` is the last that it
    wrote."""

    code = "workspace_setup_failed"
    title = "Workspace Setup Failed"


class OutputInvalid(SandboxAgentError):
    """The agent answered, and not with the type that was asked for, also after having been asked again.

    `details`: `problems`, `text` (the last answer), `turnId`, `stopReason`, and `limit` when one stopped the turn.
    `result` is the `PromptResult` of the last turn.
    """

    code = "output_invalid"
    title = "Output Invalid"
    result: Any = None


class ServerUnreachable(SandboxAgentError):
    code = "server_unreachable"
    title = "Server Unreachable"
    http_status = 503
    retryable = True


class ServerStartFailed(SandboxAgentError):
    """The server in the sandbox did not become healthy; `details.log` has its last lines."""

    code = "server_start_failed"
    title = "Server Start Failed"


class StreamGap(SandboxAgentError):
    """The stream skipped a seq. Never expected: it means that a proxy or a server lost events."""

    code = "stream_gap"
    title = "Stream Gap"
