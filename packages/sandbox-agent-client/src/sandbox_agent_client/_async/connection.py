"""What a client and its sessions share: the transport, the streams that are open, the store."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

import httpx
from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.errors import ClientClosed, SandboxAgentError, SessionNotFound
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import Lease, SupportsLeases, TranscriptStore
from sandbox_agent_core.stores.writing import LEASE_TTL_S, new_holder

from sandbox_agent_client._async._backend import Event, Lock, Portal, finish, let_others_begin
from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._async.recorder import CLOSE_TIMEOUT_S, Recorder
from sandbox_agent_client._async.stream import follow
from sandbox_agent_client._async.transport import Transport
from sandbox_agent_client._async.watch import Watch
from sandbox_agent_client._calls import Call
from sandbox_agent_client._calls import events as event_calls
from sandbox_agent_client._calls import sessions as calls
from sandbox_agent_client._calls import turns as turn_calls
from sandbox_agent_client._calls.events import BEHIND_ALL, AnySource
from sandbox_agent_client._failures import read_json
from sandbox_agent_client._places import Place, SessionPlace, read_entry

__all__ = ["Connection", "WatchedTurn"]

logger = logging.getLogger(__name__)

PAGE_ENTRIES = 1000
MIN_PAGE_ENTRIES = 100
"""Some are no events."""
SETTLE_TIMEOUT_S = 300.0
"""From the last byte of an upload to the answer: an archive of many files is put in its place then."""
LEAVE_TIMEOUT_S = 30.0
"""For the cancel and the end of a turn whose stream was left."""

T = TypeVar("T")


class WatchedTurn(NamedTuple):
    """A turn that is cancelled when nobody watches it any more."""

    session_id: str
    turn_id: str


class Connection:
    def __init__(
        self,
        transport: Transport,
        *,
        portal: Portal,
        store: TranscriptStore | None,
        closes_store: bool = False,
        reconnect_timeout_s: float | None,
    ) -> None:
        """`closes_store`: with itself. Others may use one that was given to the client."""
        self.transport = transport
        self.portal = portal
        self.store = store
        self._closes_store = closes_store
        self.cancel_on_exit: set[WatchedTurn] = set()
        self._leaving: dict[WatchedTurn, Event] = {}
        """Turns that are being cancelled, and what tells of their ends."""
        self.is_local = False
        """Paths of its sandbox are paths of this machine."""
        self._called_at = time.monotonic()
        self._open_answers = 0
        self.is_answered_by_hand = False
        """Somebody has called `respond`: who only watches a stream may do so later."""
        self._reconnect_timeout_s = reconnect_timeout_s
        self.interrupts: set[Interrupt] = set()
        """Of all that is followed: set when the client is closed."""
        self._is_closing = False
        self._watches: set[Watch] = set()
        self.sandbox: Mapping[str, Any] | None = None
        """Where its server runs, if that is known: `SandboxRef.to_json()`."""
        self._holder = new_holder()
        self._recorders: dict[str, Recorder] = {}
        self._deleted: set[tuple[str, str]] = set()
        """Sessions, and when they were made: streams of them may go on for a moment."""
        self._making_recorder = Lock()

    @property
    def reconnect_timeout_s(self) -> float | None:
        """How long what is followed tries to come back; None for ever."""
        return self._reconnect_timeout_s

    @property
    def is_closed(self) -> bool:
        return self.transport.is_closed

    @property
    def called_at(self) -> float:
        """When it was last used: now, while something is transferred."""
        if self._open_answers:
            self._called_at = time.monotonic()
        return self._called_at

    @called_at.setter
    def called_at(self, moment: float) -> None:
        self._called_at = moment

    async def call(self, call: Call[T]) -> T:
        self._called_at = time.monotonic()
        return await self.transport.call(call)

    @asynccontextmanager
    async def open(
        self,
        call: Call[Any],
        *,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        read_s: float | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """As `Transport.open`."""
        opening = self.transport.open(call, content=content, headers=headers, read_s=read_s)
        self._open_answers += 1
        try:
            async with opening as response:
                yield response
        finally:
            self._called_at = time.monotonic()
            self._open_answers -= 1

    async def send(
        self, call: Call[T], content: Any, *, headers: Mapping[str, str] | None = None
    ) -> T:
        """Bytes of any length as the body of a call; its answer."""
        given = {"Content-Type": "application/octet-stream", **(headers or {})}
        opening = self.open(call, content=content, headers=given, read_s=SETTLE_TIMEOUT_S)
        async with opening as response:
            answer = await response.aread()
        return call.parse(read_json(answer, "The server's answer"))

    async def follow(
        self, info: SessionInfo, after: int, interrupt: Interrupt, *, is_awaited: bool = False
    ) -> AsyncGenerator[LogEntry, None]:
        """Live entries; ends when `interrupt` is set or the client is closed. `is_awaited`: somebody waits for them,
        so a sandbox that sleeps is woken."""
        recorder = await self.recorder(info)
        source, place = event_calls.session_events(info.id), SessionPlace(info.id, after)
        following = self.follow_source(source, place, interrupt, is_awaited=is_awaited)
        async with aclosing(following) as entries:
            async for entry in entries:
                if recorder is not None:
                    recorder.observe(entry)
                yield entry

    async def follow_source(
        self, source: AnySource, place: Place, interrupt: Interrupt, *, is_awaited: bool = False
    ) -> AsyncGenerator[LogEntry, None]:
        """As `follow`, of any source."""
        self.interrupts.add(interrupt)
        if self._is_closing:
            interrupt.set()  # `close` may have gone by
        entries = follow(
            self.transport,
            source,
            place,
            interrupt=interrupt,
            reconnect_timeout_s=self._reconnect_timeout_s,
            is_awaited=is_awaited,
        )
        try:
            async with aclosing(entries):
                async for entry in entries:
                    yield entry
        finally:
            self.interrupts.discard(interrupt)

    async def history(
        self, info: SessionInfo, after: int, *, deltas: bool = True
    ) -> AsyncGenerator[LogEntry, None]:
        """The entries that are there now, page by page."""
        while True:
            source = event_calls.session_events(info.id, deltas=deltas)
            page = await self.call(source.page(after, limit=PAGE_ENTRIES))
            for wire in page.events:
                yield read_entry(info.id, wire)
            if not page.has_more:
                return
            after = page.next_cursor

    async def history_backwards(
        self,
        info: SessionInfo,
        after: int,
        before: int | None,
        *,
        deltas: bool = True,
        wanted: int | None = None,
    ) -> AsyncGenerator[LogEntry, None]:
        """As `history`, the newest first. Of entries that are `wanted` no more are fetched than it may take."""
        size = PAGE_ENTRIES if wanted is None else min(max(wanted, MIN_PAGE_ENTRIES), PAGE_ENTRIES)
        source = event_calls.session_events(info.id, deltas=deltas)
        begin: int | None = BEHIND_ALL if before is None else before
        while begin is not None:
            page = await self.call(source.page(after, limit=size, before=begin))
            for wire in reversed(page.events):
                yield read_entry(info.id, wire)
            begin = page.previous_cursor

    async def recorder(self, info: SessionInfo) -> Recorder | None:
        """None without a store, of what was deleted, and when the client is closed."""
        if self.store is None:
            return None
        async with self._making_recorder:
            if self._is_closing or (info.id, info.created_at) in self._deleted:
                return None
            known = self._recorders.get(info.id)
            if known is not None and known.info.created_at == info.created_at:
                return known
            if known is not None:  # of a session that somebody else deleted
                await known.stop()
            made = self._recorders[info.id] = Recorder(
                self.store,
                self.portal,
                info,
                holder=self._holder,
                sandbox=self.sandbox,
                history=lambda after: self.history(info, after),
            )
            return made

    async def record(self, info: SessionInfo) -> None:
        """The session is to be stored, though nobody may follow it. Waits for nothing."""
        recorder = await self.recorder(info)
        if recorder is not None:
            recorder.catch_up()

    async def sync(self, info: SessionInfo) -> None:
        """The store has all that the server has; or what keeps it from that is told by the log, and it catches up."""
        recorder = await self.recorder(info)
        if recorder is not None:
            await recorder.sync()

    async def claim(self, session_id: str) -> Lease | None:
        """Nobody else writes the session from now on. Raises: SessionOwned."""
        store = self.store
        if not isinstance(store, SupportsLeases):
            return None
        return await self.portal.run(
            lambda: store.acquire_lease(session_id, holder=self._holder, ttl_s=LEASE_TTL_S)
        )

    async def disclaim(self, lease: Lease | None) -> None:
        store = self.store
        if lease is not None and isinstance(store, SupportsLeases):
            await self.portal.run(lambda: store.release_lease(lease))

    async def end(self, session_id: str) -> None:
        await self.call(calls.delete(session_id))
        if self.store is not None:
            await self.sync(await self.call(calls.get(session_id)))

    async def delete(self, session_id: str) -> None:
        """At the server and in the store.

        Raises:
            SessionNotFound: neither knows it.
        """
        store = self.store
        purge = calls.delete(session_id, purge=True)
        if store is None:
            await self.call(purge)
        else:
            try:
                info = await self.call(calls.get(session_id))
                self._deleted.add((info.id, info.created_at))
                await self.forget_recorder(session_id)
                await self.call(purge)
            except SessionNotFound:
                if await self.portal.run(lambda: store.get_session(session_id)) is None:
                    raise
                await self.forget_recorder(session_id)
            await self.portal.run(lambda: store.delete_session(session_id))
        for watch in self._watches:
            if watch.session_id == session_id:
                watch.end()

    async def forget_recorder(self, session_id: str) -> None:
        """Nothing more of the session is stored, until it is asked for again."""
        recorder = self._recorders.pop(session_id, None)
        if recorder is not None:
            await recorder.stop()

    def begins_to_leave(self, turn: WatchedTurn) -> None:
        """Nobody watches it any more; `leave` follows."""
        if turn in self.cancel_on_exit:
            self._leaving.setdefault(turn, Event())

    async def leave(self, turn: WatchedTurn, info: SessionInfo) -> None:
        """Cancel the turn, if it is one to be cancelled, and wait for its end."""
        if turn not in self.cancel_on_exit:
            return
        self.begins_to_leave(turn)
        self.cancel_on_exit.discard(turn)
        try:
            await finish(lambda: self._cancel(turn, wait=True), timeout_s=LEAVE_TIMEOUT_S)
            await finish(lambda: self.sync(info), timeout_s=LEAVE_TIMEOUT_S)
        except TimeoutError as exc:
            logger.warning("session %s: turn %s has not ended: %s", *turn, exc)
        finally:
            self._leaving.pop(turn).set()

    async def left_behind(self, session_id: str) -> None:
        """Turns of the session whose streams were left, and that are to be cancelled, have ended."""
        if not self.cancel_on_exit and not self._leaving:
            return
        await let_others_begin()
        for turn, end in list(self._leaving.items()):
            if turn.session_id == session_id:
                await end.wait(LEAVE_TIMEOUT_S)

    async def _cancel(self, turn: WatchedTurn, *, wait: bool) -> None:
        try:
            await self.call(turn_calls.cancel(turn.session_id, turn.turn_id, wait=wait))
        except SandboxAgentError as exc:
            logger.warning("session %s: turn %s not cancelled: %s", *turn, exc)

    def watching(self, watch: Watch) -> None:
        """Something of it runs in the background: end it with the client."""
        if self.is_closed:
            raise ClientClosed("The client is closed.")
        self._watches.add(watch)

    async def close(self) -> None:
        """End every stream, store what is left, disconnect. Nothing is left running."""
        left, self.cancel_on_exit = list(self.cancel_on_exit), set()
        # All of them are told before one of them is waited for.
        for wait in (False, True):
            for turn in left:
                await finish(partial(self._cancel, turn, wait=wait), timeout_s=LEAVE_TIMEOUT_S)
        watches, self._watches = self._watches, set()
        for watch in watches:
            watch.end()
        self._is_closing = True
        for interrupt in list(self.interrupts):
            interrupt.set()
        for watch in watches:
            await watch.stop()
        await self._end_recorders()
        await self.transport.close()
        if self.store is not None and self._closes_store:
            await self.portal.run(self.store.close)

    async def _end_recorders(self) -> None:
        """Within a time, whatever the stores do."""
        async with self._making_recorder:  # one that is being made is among them
            recorders, self._recorders = list(self._recorders.values()), {}
        until = time.monotonic() + CLOSE_TIMEOUT_S
        for recorder, last in [(one, one.begin_sync()) for one in recorders]:
            await last.over.wait(max(0.0, until - time.monotonic()))
            if not last.is_stored:
                logger.warning("session %s: newest entries not stored", recorder.info.id)
        for recorder in recorders:
            await recorder.stop()
