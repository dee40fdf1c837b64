"""Calls of a vendor's API that are too many, too slow, or cancelled half-way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from sandbox_agent_core.errors import (
    ProviderError,
    ProviderQuotaExceeded,
    ProviderTimeout,
    ProviderUnavailable,
    SandboxNotFound,
)
from sandbox_agent_core.provisioning.machine import CommandResult

__all__ = ["TOO_MANY_REQUESTS", "patiently", "to_its_end", "within"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS = 3
FIRST_PAUSE_S = 0.5
TOO_MANY_REQUESTS = 429
SETTLE_TIMEOUT_S = 60.0
"""For an answer to a call that was cancelled, so that what it made can be removed."""
KILL_GRACE_S = 5.0
"""For a vendor to end a command that takes too long, before we stop listening to it."""


async def patiently(ask: Callable[[], Awaitable[T]], *, is_repeatable: bool = False) -> T:
    """Ask again when the answer was 429 (`details.status`): nothing has been done then.

    `is_repeatable`: doing it twice is the same as once, so ask again also when the vendor was down.
    """
    pause = FIRST_PAUSE_S
    for _ in range(ATTEMPTS - 1):
        try:
            return await ask()
        except ProviderQuotaExceeded as exc:
            if exc.details.get("status") != TOO_MANY_REQUESTS:
                raise
        except ProviderUnavailable:
            if not is_repeatable:
                raise
        await asyncio.sleep(pause)
        pause *= 2
    return await ask()


async def to_its_end(
    doing: Coroutine[Any, Any, T], *, undo: Callable[[T], Coroutine[Any, Any, None]] | None = None
) -> T:
    """What is cancelled half-way goes on at the vendor's, and cannot be removed before it is there: so it is waited
    for, undone, and only then the cancellation goes on."""
    task = asyncio.ensure_future(doing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=SETTLE_TIMEOUT_S)
        if not task.done():
            task.cancel()
        elif not task.cancelled() and (exc := task.exception()):
            logger.info("cancelled while it was refused: %s", exc)
        elif undo is not None and not task.cancelled():
            await undo(task.result())
        raise


async def within(
    timeout_s: float, running: Awaitable[CommandResult], *, provider: str, sandbox: str
) -> CommandResult:
    """A command that the vendor ends after `timeout_s`, which it tells in different ways.

    Raises:
        ProviderTimeout: it did not end in time.
    """
    clock = asyncio.get_running_loop().time
    ends = clock() + timeout_s
    too_slow = ProviderTimeout(
        f"A command in the sandbox did not end within {timeout_s:g} s.",
        provider=provider,
        sandbox=sandbox,
    )
    try:
        async with asyncio.timeout(timeout_s + KILL_GRACE_S):
            done = await running
    except TimeoutError as exc:
        raise too_slow from exc
    except SandboxNotFound:
        raise
    except ProviderError as exc:
        if clock() < ends:
            raise
        raise too_slow from exc
    if done.exit_code != 0 and clock() >= ends:
        raise too_slow
    return done
