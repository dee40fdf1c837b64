"""Follows a log from a cursor: from the file until it is up to date, then within the very append."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, Generic, TypeVar

from sandbox_agent_server.log.log import Cursor, SessionLog
from sandbox_agent_server.log.views import Batch

__all__ = ["Follower", "at_once"]

_INLINE_ENTRIES: Final = 64
_PAGE_BYTES: Final = 256 * 1024
"""Each reader that takes nothing more holds as much in the buffer of its socket."""

Body = TypeVar("Body")


async def at_once() -> None:
    """Nothing is waited for."""


class Follower(Generic[Body]):
    """Sends every batch, in order, once. Slow or behind: it reads the file, in the task that runs `run`, and
    what is held for it is one batch at most. Up to date: `append` itself sends, without a hop.
    """

    def __init__(
        self,
        log: SessionLog,
        after: int,
        *,
        render: Callable[[Batch], Body | None],
        send: Callable[[Body], Coroutine[Any, Any, None]],
        drain: Callable[[], Awaitable[None]] = at_once,
        heartbeat: Body,
        heartbeat_s: float,
    ) -> None:
        """`render` gives None for a batch that needs no sending. `drain` waits until what was sent is on its
        way, so that a page is read only for a reader that has taken the one before."""
        self._log = log
        self._cursor = Cursor(log, after)
        self._render = render
        self._send = send
        self._drain = drain
        self._heartbeat = heartbeat
        self._heartbeat_s = heartbeat_s
        self._clock = asyncio.get_running_loop().time
        self._sent_at = self._clock()
        self._changed = asyncio.Event()
        self._rest: Awaitable[None] | None = None
        self._failure: Exception | None = None

    async def run(self) -> None:
        """Until the log is closed and everything was sent. Raises what `send` raises."""
        while True:
            await self._drain()
            if await self._send_page():
                # Catching up must not starve everybody else.
                await asyncio.sleep(0)
            elif self._log.is_closed:
                return
            else:
                await self._follow()

    # LogFollower

    def follow(self, batch: Batch) -> None:
        if batch.entries[0].seq <= self._cursor.after:
            self.end()  # the cursor is beyond the end: from the file, whatever of it is to be sent
            return
        try:
            body = self._render(batch)
            self._cursor.skip(batch.last_seq, self._log.file.size_bytes)
            if body is None:
                return
            self._sent_at = self._clock()
            self._rest = _begin(self._send(body))
        except Exception as exc:  # noqa: BLE001 - whatever it is, `run` raises it
            self._failure = exc
        if self._rest is not None or self._failure is not None:
            self.end()

    def end(self) -> None:
        self._log.detach(self)
        self._changed.set()

    async def _send_page(self) -> bool:
        """False when there is nothing more in the file. A call of its own, so that nothing holds the page
        while its reader is waited for."""
        entries = await self._cursor.read(max_bytes=_PAGE_BYTES)
        if not entries:
            return False
        batch = Batch(self._log.session_id, entries)
        if len(entries) <= _INLINE_ENTRIES:
            body = self._render(batch)
        else:
            body = await asyncio.to_thread(self._render, batch)
        if body is not None:
            del batch, entries
            await self._deliver(body)
        return True

    async def _follow(self) -> None:
        self._changed.clear()
        # Nothing was awaited since the cursor was found to be at the end.
        self._log.attach(self)
        try:
            async with asyncio.timeout_at(self._sent_at + self._heartbeat_s):
                await self._changed.wait()
        except TimeoutError:
            pass
        finally:
            self._log.detach(self)
        if self._failure is not None:
            raise self._failure
        rest, self._rest = self._rest, None
        if rest is not None:
            await rest
        elif self._clock() - self._sent_at >= self._heartbeat_s:
            await self._deliver(self._heartbeat)

    async def _deliver(self, body: Body) -> None:
        self._sent_at = self._clock()
        await self._send(body)


def _begin(work: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Run it as far as it gets without waiting. What remains is to be awaited; None when that is nothing."""
    try:
        waits_for = work.send(None)
    except StopIteration:
        return None
    return _Rest(work, waits_for)


class _Rest:
    """The rest of a coroutine that waits for something: whatever comes of that, it is the coroutine that hears it."""

    def __init__(self, work: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    yield waits_for
                except BaseException as exc:  # noqa: BLE001 - also that the task is cancelled
                    waits_for = self._work.throw(exc)
                else:
                    waits_for = self._work.send(None)
        except StopIteration:
            return
