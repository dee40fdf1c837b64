"""Of sandbox providers."""

from __future__ import annotations

from sandbox_agent_core.errors.general import SandboxAgentError

__all__ = [
    "CapabilityNotSupported",
    "ConfinementUnavailable",
    "PortNotOpen",
    "ProviderAuthError",
    "ProviderError",
    "ProviderNotInstalled",
    "ProviderQuotaExceeded",
    "ProviderTimeout",
    "ProviderUnavailable",
    "SandboxAsleep",
    "SandboxNotFound",
]


class ProviderError(SandboxAgentError):
    code = "provider_error"
    title = "Provider Error"
    http_status = 502


class ProviderNotInstalled(ProviderError):
    code = "provider_not_installed"
    title = "Provider Not Installed"


class ProviderAuthError(ProviderError):
    """The provider refused the credentials, or there are none; the message says which variable to set."""

    code = "provider_auth"
    title = "Provider Authentication Failed"
    http_status = 401


class ProviderQuotaExceeded(ProviderError):
    """Too many requests or sandboxes for the account."""

    code = "provider_quota_exceeded"
    title = "Provider Quota Exceeded"
    http_status = 429
    retryable = True


class ProviderTimeout(ProviderError):
    code = "provider_timeout"
    title = "Provider Timeout"
    http_status = 504
    retryable = True


class ProviderUnavailable(ProviderError):
    """The provider (or the Docker daemon) does not answer, or answers that it is down."""

    code = "provider_unavailable"
    title = "Provider Unavailable"
    http_status = 503
    retryable = True


class SandboxAsleep(ProviderError):
    """The sandbox is paused or stopped (`details.state`): resume it first."""

    code = "sandbox_asleep"
    title = "Sandbox Asleep"
    http_status = 503


class SandboxNotFound(ProviderError):
    """There is no such sandbox: it was destroyed, or its lifetime has lapsed."""

    code = "sandbox_not_found"
    title = "Sandbox Not Found"
    http_status = 404


class PortNotOpen(ProviderError):
    """The provider has no address for this port of the sandbox; the message says how to open it."""

    code = "port_not_open"
    title = "Port Not Open"
    http_status = 409


class CapabilityNotSupported(ProviderError):
    """The provider cannot do this; `details.capability` says what."""

    code = "capability_not_supported"
    title = "Capability Not Supported"
    http_status = 501


class ConfinementUnavailable(ProviderError):
    """This machine cannot confine agents; the message says what to install or to allow."""

    code = "confinement_unavailable"
    title = "Confinement Unavailable"
    http_status = 501
