"""Vercel's API: who asks, where, and again when Vercel says that it has done nothing yet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox_agent_core.provisioning.calls import patiently

from sandbox_agent_vercel.errors import vercel_errors

if TYPE_CHECKING:
    from vercel.sandbox import SandboxClient, SandboxCredentials

__all__ = ["Api", "call"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    base_url: str | None
    token: str | None = field(repr=False)
    team_id: str | None
    project_id: str | None
    request_timeout_s: float

    @asynccontextmanager
    async def client(self) -> AsyncIterator[SandboxClient]:
        """One for each operation: it belongs to an event loop, and a provider to none."""
        import httpx2  # noqa: PLC0415 - the SDK is imported on first use
        from vercel.sandbox import SandboxClient, SandboxServiceOptions  # noqa: PLC0415

        options: dict[str, Any] = {"base_url": self.base_url}
        if self.token is not None:
            options["credentials_factory"] = self._credentials
        client = SandboxClient.create(
            options=SandboxServiceOptions(**options),
            httpx_client_factory=lambda: httpx2.AsyncClient(timeout=self.request_timeout_s),
        )
        try:
            yield client
        finally:
            await client.aclose()

    async def _credentials(self) -> SandboxCredentials:
        from vercel.sandbox import SandboxCredentials  # noqa: PLC0415 - the SDK on first use

        assert self.token is not None
        return SandboxCredentials(
            token=self.token, team_id=self.team_id or "", project_id=self.project_id or ""
        )


async def call(ask: Callable[[], Awaitable[T]], *, sandbox: str | None = None) -> T:
    """Ask again where Vercel had too much to do, which the SDK leaves to us.

    Raises:
        SandboxAgentError: as `vercel_errors` says.
    """

    async def once() -> T:
        with vercel_errors(sandbox=sandbox):
            return await ask()

    return await patiently(once)
