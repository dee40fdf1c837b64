"""What is checked before a sandbox is made: the provider's own checks, and that a server comes into it."""

from __future__ import annotations

from sandbox_agent_core.errors import ProviderError
from sandbox_agent_core.spi.provider import (
    Check,
    InstallsServer,
    Preflight,
    SandboxProvider,
    SandboxSpec,
    SupportsPreflight,
)

from sandbox_agent_client.sandboxes.wheels import server_wheels

__all__ = ["preflight"]


async def preflight(provider: SandboxProvider, spec: SandboxSpec | None = None) -> Preflight:
    """For a sandbox of that spec; without one, for what the client would bring by itself."""
    checks: list[Check] = []
    if isinstance(provider, SupportsPreflight):
        checks += (await provider.preflight()).checks
    if isinstance(provider, InstallsServer):
        try:
            checks.append(await provider.check_server(spec or SandboxSpec(wheels=server_wheels)))
        except ProviderError as exc:
            checks.append(Check(name="server", ok=False, message=exc.message, error=type(exc)))
    return Preflight(checks)
