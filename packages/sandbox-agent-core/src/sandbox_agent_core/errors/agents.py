"""Of agents: what they refuse, how they fail, and how they are installed."""

from __future__ import annotations

from sandbox_agent_core.errors.general import (
    InvalidRequest,
    NotFound,
    PermissionDenied,
    SandboxAgentError,
)

__all__ = [
    "AgentAuthRequired",
    "AgentError",
    "AgentNotInstallable",
    "AgentNotInstalled",
    "AgentOptionForbidden",
    "AgentOptionsInvalid",
    "AgentOverloaded",
    "AgentProcessExited",
    "AgentRateLimited",
    "AgentStartFailed",
    "ContextOverflow",
    "InstallFailed",
    "InstallForbidden",
    "IntegrityMismatch",
    "NodeMissing",
    "PlatformNotSupported",
    "PythonMissing",
    "QuotaExceeded",
    "RegistryAuthRequired",
    "RegistryUnavailable",
    "UnsupportedAgent",
]


class UnsupportedAgent(InvalidRequest):
    code = "unsupported_agent"
    title = "Unsupported Agent"


class AgentNotInstallable(InvalidRequest):
    """Nothing here can install this agent, or this version of it; the message says what to do instead."""

    code = "agent_not_installable"
    title = "Agent Not Installable"


class AgentOptionsInvalid(InvalidRequest):
    """`agentOptions` of a session do not fit the agent. `details.problems` has `{option, problem}` for each that is
    wrong, and `details.known` what the agent takes."""

    code = "agent_options_invalid"
    title = "Agent Options Invalid"


class InstallForbidden(PermissionDenied):
    """The server uses only what is installed (`require_preinstalled`)."""

    code = "install_forbidden"
    title = "Install Forbidden"


class AgentOptionForbidden(PermissionDenied):
    """The server does not take this option of the agent: `[agents.NAME] allowed_options` says which it does.
    `details` carry `option` and `allowed`."""

    code = "agent_option_forbidden"
    title = "Agent Option Forbidden"


class AgentNotInstalled(NotFound):
    code = "agent_not_installed"
    title = "Agent Not Installed"


class AgentAuthRequired(SandboxAgentError):
    """The agent has no usable credentials; the message says which variable to set or what to run."""

    code = "agent_auth_required"
    title = "Agent Authentication Required"
    http_status = 424


class InstallFailed(SandboxAgentError):
    """An agent could not be installed; what was installed before still is. `details.agent` names it."""

    code = "install_failed"
    title = "Install Failed"


class IntegrityMismatch(InstallFailed):
    """What was downloaded is not what the registry announced; it was thrown away."""

    code = "integrity_mismatch"
    title = "Integrity Mismatch"


class NodeMissing(InstallFailed):
    """The agent is JavaScript, and there is no Node.js, or one that is too old."""

    code = "node_missing"
    title = "Node.js Missing"


class PlatformNotSupported(InstallFailed):
    """The agent has no program for this operating system, processor or C library."""

    code = "platform_not_supported"
    title = "Platform Not Supported"


class PythonMissing(InstallFailed):
    """The agent is a Python program, and there is no Python that is new enough for it."""

    code = "python_missing"
    title = "Python Missing"


class RegistryAuthRequired(InstallFailed):
    """The npm registry wants other credentials than the npm configuration holds."""

    code = "registry_auth_required"
    title = "Registry Authentication Required"


class RegistryUnavailable(InstallFailed):
    """The npm registry could not be reached, or failed, or broke off, also after trying again."""

    code = "registry_unavailable"
    title = "Registry Unavailable"
    http_status = 503
    retryable = True


class AgentError(SandboxAgentError):
    """The agent answered a request with an error; `details` carry its `code`, `message` and `data`."""

    code = "agent_error"
    title = "Agent Error"
    http_status = 502


class AgentOverloaded(AgentError):
    """The model provider has more requests than it can answer, from whomever they are."""

    code = "agent_overloaded"
    title = "Agent Overloaded"
    http_status = 503
    retryable = True


class AgentRateLimited(AgentError):
    """The model provider took no more requests of the agent for now: a rate limit."""

    code = "agent_rate_limited"
    title = "Agent Rate Limited"
    http_status = 429
    retryable = True


class AgentStartFailed(AgentError):
    code = "agent_start_failed"
    title = "Agent Start Failed"


class ContextOverflow(AgentError):
    """The conversation is longer than the model can read. Compacting the session, or another one, helps."""

    code = "context_overflow"
    title = "Context Overflow"


class QuotaExceeded(AgentError):
    """What the account or its plan allows is used up: waiting for a moment does not help."""

    code = "quota_exceeded"
    title = "Quota Exceeded"
    http_status = 429


class AgentProcessExited(AgentError):
    """The agent's process ended; `details` carry `exitCode` or `signal`, and `stderrTail`; also
    `reason: "out_of_memory"` and `memoryLimitBytes` when the kernel killed it for want of memory."""

    code = "agent_process_exited"
    title = "Agent Process Exited"
