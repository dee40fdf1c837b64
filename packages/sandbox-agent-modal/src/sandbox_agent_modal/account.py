"""Who asks Modal, for which app: clients, and sandboxes found again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox_agent_core.provisioning.calls import to_its_end

from sandbox_agent_modal.errors import modal_errors, not_found

if TYPE_CHECKING:
    from modal import App, Client, Sandbox

__all__ = ["Account", "attached", "detach"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    app_name: str
    environment: str | None
    token_id: str | None
    token_secret: str | None = field(repr=False)
    request_timeout_s: float

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """The SDK's own for the credentials of the environment; else one for the operation."""
        import modal  # noqa: PLC0415 - the SDK is imported on first use

        if self.token_id is None or self.token_secret is None:
            yield await self.ask(modal.Client.from_env.aio())
            return
        opening = modal.Client.from_credentials.aio(self.token_id, self.token_secret)
        client = await to_its_end(self.ask(opening), undo=_close)
        try:
            yield client
        finally:
            await to_its_end(_close(client))

    async def ask(
        self, asking: Awaitable[T], *, sandbox: str | None = None, timeout_s: float | None = None
    ) -> T:
        """The SDK itself tries again what Modal has not done, some of it for ever.

        Raises:
            SandboxAgentError: as `modal_errors` says.
        """
        with modal_errors(sandbox=sandbox):
            async with asyncio.timeout(timeout_s or self.request_timeout_s):
                return await asking

    async def make_app(self, client: Client) -> App:
        """The app, made when it is missing."""
        return await self.ask(self._lookup(client, create=True))

    async def find_app(self, client: Client) -> App | None:
        from modal.exception import NotFoundError  # noqa: PLC0415 - the SDK on first use

        async def find() -> App | None:
            try:
                return await self._lookup(client, create=False)
            except NotFoundError:
                return None

        return await self.ask(find())

    async def _lookup(self, client: Client, *, create: bool) -> App:
        import modal  # noqa: PLC0415 - the SDK is imported on first use

        return await modal.App.lookup.aio(
            self.app_name,
            client=client,
            environment_name=self.environment,
            create_if_missing=create,
        )

    async def tagged(self, client: Client, app: App, tags: Mapping[str, str]) -> Sequence[Sandbox]:
        """Those that run and have all the tags."""
        import modal  # noqa: PLC0415 - the SDK is imported on first use

        async def collect() -> Sequence[Sandbox]:
            listing = modal.Sandbox.list.aio(app_id=app.app_id, tags=dict(tags), client=client)
            return [sandbox async for sandbox in listing]

        return await self.ask(collect())

    @asynccontextmanager
    async def running(self, sandbox_id: str) -> AsyncIterator[Sandbox]:
        """Modal also knows sandboxes that have ended.

        Raises:
            SandboxNotFound
        """
        import modal  # noqa: PLC0415 - the SDK is imported on first use

        async with self.client() as client:
            finding = modal.Sandbox.from_id.aio(sandbox_id, client=client)
            sandbox = await self.ask(finding, sandbox=sandbox_id)
            if sandbox.returncode is not None:
                raise not_found(sandbox_id)
            async with attached(sandbox):
                yield sandbox


@asynccontextmanager
async def attached(sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    """Lets go of the connection that the SDK keeps to the machine it runs on."""
    try:
        yield sandbox
    finally:
        await to_its_end(detach(sandbox))


async def detach(sandbox: Sandbox) -> None:
    detach: Any = sandbox.detach  # untyped
    await detach.aio()


async def _close(client: Client) -> None:
    await client.close.aio()
