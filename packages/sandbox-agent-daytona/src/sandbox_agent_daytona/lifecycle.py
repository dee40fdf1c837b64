"""Sandboxes on their way from one state to another, which Daytona does not let be disturbed."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from sandbox_agent_core.errors import (
    ProviderError,
    ProviderTimeout,
    SandboxAsleep,
    SandboxNotFound,
)
from sandbox_agent_core.spi.provider import SandboxState

from sandbox_agent_daytona.api import call
from sandbox_agent_daytona.errors import PROVIDER

if TYPE_CHECKING:
    from daytona import AsyncDaytona, AsyncSandbox

__all__ = [
    "CREATE_LABEL",
    "LOOK_S",
    "find",
    "is_gone",
    "remove",
    "remove_made",
    "require_running",
    "settled",
    "sleep",
    "state_of",
    "wake",
]

TRANSITION_TIMEOUT_S = 300.0
"""Until a sandbox has started or stopped; one that was archived is fetched from an object store."""
REMOVE_TIMEOUT_S = 45.0
"""Until Daytona takes the order to destroy a sandbox."""
SETTLE_TIMEOUT_S = 50.0
"""For a sandbox to appear whose create was cancelled, so that it can be destroyed."""
LOOK_S = 0.5
CREATE_LABEL = "sandbox-agent-daytona-create"
"""Unique to one call of `create`, which removes only what carries it when it fails."""

_GONE = frozenset({"destroying", "destroyed"})
_ASLEEP = frozenset({"stopped", "archived", "paused"})
_BROKEN = frozenset({"error", "build_failed"})
_LASTING = _GONE | _ASLEEP | _BROKEN | {"started"}
# "Sandbox state change in progress", "not in a valid state to be destroyed" (daytonaio/daytona#2390).
_IN_BETWEEN = (400, 409)


def status_of(sandbox: AsyncSandbox) -> str:
    """Daytona's own word."""
    return "unknown" if sandbox.state is None else str(sandbox.state.value)


def state_of(sandbox: AsyncSandbox) -> SandboxState:
    status = status_of(sandbox)
    if status == "started":
        return "running"
    if status in ("paused", "pausing"):
        return "paused"
    return "stopped" if status in ("stopped", "stopping", "archived", "archiving") else "unknown"


def is_gone(sandbox: AsyncSandbox) -> bool:
    """Daytona tells of destroyed sandboxes for a while."""
    return status_of(sandbox) in _GONE


async def find(client: AsyncDaytona, name: str, *, timeout_s: float) -> AsyncSandbox:
    """By id or name.

    Raises:
        SandboxNotFound: there is none, or it is being destroyed.
    """
    ask = partial(client.get, name, request_timeout=timeout_s)
    sandbox = await call(ask, sandbox=name, is_repeatable=True)
    if is_gone(sandbox):
        raise SandboxNotFound(
            f"The Daytona sandbox {name!r} was destroyed.", provider=PROVIDER, sandbox=name
        )
    return sandbox


async def settled(client: AsyncDaytona, name: str, *, timeout_s: float) -> AsyncSandbox:
    """The sandbox, when it neither starts nor stops any more.

    Raises:
        SandboxNotFound
        ProviderTimeout: it does not get there.
    """
    deadline = time.monotonic() + TRANSITION_TIMEOUT_S
    while True:
        sandbox = await find(client, name, timeout_s=timeout_s)
        if status_of(sandbox) in _LASTING:
            return sandbox
        if time.monotonic() > deadline:
            raise ProviderTimeout(
                f"The Daytona sandbox {name!r} has been {status_of(sandbox)!r} for {TRANSITION_TIMEOUT_S:g} s.",
                provider=PROVIDER,
                sandbox=name,
            )
        await asyncio.sleep(LOOK_S)


async def wake(sandbox: AsyncSandbox) -> bool:
    """Start a settled one that is stopped, paused or archived; whether that was due.

    Raises:
        ProviderError: it is broken; the message has Daytona's reason.
    """
    if status_of(sandbox) in _BROKEN:
        raise _broken(sandbox)
    if status_of(sandbox) not in _ASLEEP:
        return False
    await call(partial(sandbox.start, timeout=TRANSITION_TIMEOUT_S), sandbox=sandbox.id)
    return True


async def sleep(sandbox: AsyncSandbox, *, keep_memory: bool) -> None:
    """Stop a settled one; freeze it with `keep_memory`, where Daytona can. One that sleeps stays as it is.

    Raises:
        ProviderError: it is broken, or is of a class that cannot be frozen.
    """
    if status_of(sandbox) in _BROKEN:
        raise _broken(sandbox)
    if status_of(sandbox) in _ASLEEP:
        return
    halt = sandbox.pause if keep_memory else sandbox.stop
    await call(partial(halt, timeout=TRANSITION_TIMEOUT_S), sandbox=sandbox.id)


async def remove(client: AsyncDaytona, name: str, *, timeout_s: float) -> None:
    """Until Daytona has taken the order. One that is gone is no error.

    Raises:
        ProviderError: Daytona refuses, also after a while.
    """
    deadline = time.monotonic() + REMOVE_TIMEOUT_S
    while True:
        try:
            sandbox = await find(client, name, timeout_s=timeout_s)
            order = partial(sandbox.delete, timeout=timeout_s)
            await call(order, sandbox=name, is_repeatable=True)
        except SandboxNotFound:
            return
        except ProviderError as exc:
            if exc.details.get("status") not in _IN_BETWEEN or time.monotonic() > deadline:
                raise
        else:
            return
        await asyncio.sleep(LOOK_S)


async def remove_made(
    client: AsyncDaytona,
    making: asyncio.Future[AsyncSandbox],
    *,
    name: str,
    create_id: str,
    timeout_s: float,
) -> None:
    """Daytona goes on with a create whose caller has left, so what it makes is waited for.

    Raises:
        ProviderTimeout: it takes too long.
    """

    async def is_removed() -> bool:
        """False when there is nothing yet. A sandbox that had the name before is left alone."""
        try:
            sandbox = await find(client, name, timeout_s=timeout_s)
        except SandboxNotFound:
            return False
        if sandbox.labels.get(CREATE_LABEL) == create_id:
            await remove(client, sandbox.id, timeout_s=timeout_s)
        return True

    try:
        async with asyncio.timeout(SETTLE_TIMEOUT_S):
            is_over = False
            while not (await is_removed() or is_over):
                # Once more after the answer: it may have come while we looked.
                is_over = making.done()
                await asyncio.sleep(0 if is_over else LOOK_S)
    except TimeoutError as exc:
        raise ProviderTimeout(f"Daytona has not made it yet: {exc}") from exc
    finally:
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)


def require_running(sandbox: AsyncSandbox) -> None:
    """Raises: ProviderError with `details.state`."""
    if status_of(sandbox) == "started":
        return
    if status_of(sandbox) in _BROKEN:
        raise _broken(sandbox)
    state = state_of(sandbox)
    kind = SandboxAsleep if state in ("paused", "stopped") else ProviderError
    raise kind(
        f"The Daytona sandbox {sandbox.id!r} is {status_of(sandbox)}. Resume it first.",
        provider=PROVIDER,
        sandbox=sandbox.id,
        state=state,
    )


def _broken(sandbox: AsyncSandbox) -> ProviderError:
    return ProviderError(
        f"The Daytona sandbox {sandbox.id!r} is broken ({status_of(sandbox)}): {sandbox.error_reason}",
        provider=PROVIDER,
        sandbox=sandbox.id,
        state=state_of(sandbox),
    )
