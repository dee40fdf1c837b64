"""Daytona's API: who asks, where, and again when nothing has been done yet."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from sandbox_agent_core.provisioning.calls import patiently

from sandbox_agent_daytona.errors import daytona_errors

if TYPE_CHECKING:
    from daytona import AsyncDaytona

__all__ = ["Api", "call"]

T = TypeVar("T")

DEFAULT_API_URL = "https://app.daytona.io/api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    api_key: str | None = field(repr=False)
    api_url: str | None
    target: str | None

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncDaytona]:
        """One for each operation: it belongs to an event loop, and a provider to none.

        Raises:
            ProviderAuthError: there is no key.
        """
        # It takes seconds the first time.
        await asyncio.to_thread(_load_sdk)
        from daytona import AsyncDaytona, DaytonaConfig  # noqa: PLC0415 - loaded by now

        # Without a URL the SDK warns of an option of its own that nobody gave.
        url = self.api_url or os.environ.get("DAYTONA_API_URL") or DEFAULT_API_URL
        config = DaytonaConfig(api_key=self.api_key, api_url=url, target=self.target)
        with daytona_errors():
            client = AsyncDaytona(config)
        try:
            yield client
        finally:
            await client.close()  # type: ignore[no-untyped-call]  # the SDK forgot


async def call(
    ask: Callable[[], Awaitable[T]], *, sandbox: str | None = None, is_repeatable: bool = False
) -> T:
    """Ask again where Daytona had too much to do, which its SDK leaves to us.

    `is_repeatable`: doing it twice is the same as once.

    Raises:
        SandboxAgentError: as `daytona_errors` says.
    """

    async def once() -> T:
        with daytona_errors(sandbox=sandbox):
            return await ask()

    return await patiently(once, is_repeatable=is_repeatable)


def _load_sdk() -> None:
    # The package loads its parts when their names are asked for.
    assert importlib.import_module("daytona").AsyncDaytona
