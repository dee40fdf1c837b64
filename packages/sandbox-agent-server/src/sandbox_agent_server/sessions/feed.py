"""The logs of all sessions as one: from a cursor on, and then as they are written.

Nothing is kept of it: positions in logs are all that it has, and only of sessions in which something happens. Of each
session the entries come in order and without a gap; sessions take turns, so that none holds the others up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sandbox_agent_core.errors import InvalidRequest, SandboxAgentError, StorageError

from sandbox_agent_server.log.entry import Entry
from sandbox_agent_server.log.log import Cursor, SessionLog
from sandbox_agent_server.log.reading import last_seq_at
from sandbox_agent_server.sessions.archive import SessionArchive
from sandbox_agent_server.sessions.feed_cursor import FeedCursor, Range

__all__ = ["Feed", "FeedPiece"]

logger = logging.getLogger(__name__)

_CHUNK_SESSIONS: Final = 100
"""So many are looked for at a time by who catches up; a cursor may have to name each of them."""
_POSITION_BYTES: Final = 4096
"""What the positions in a cursor may take. Beyond, some entries are delivered again after a new connection."""
_SEQ_BYTES: Final = 16
_MAX_RANGES: Final = 16


_UNPLACED: Final = 1 << 62
"""The place of a session that the index could not take yet."""


class _Notice(NamedTuple):
    """The first that was written of a session since it was looked at."""

    first_seq: int
    offset: int
    time_ms: int


class FeedPiece(NamedTuple):
    """Neighbouring entries of one session."""

    session_id: str
    entries: list[Entry]


class _Bound(NamedTuple):
    place: int
    session_id: str


@dataclass(slots=True)
class _Followed:
    log: SessionLog
    place: int
    """In the order of creation."""
    cursor: Cursor
    until_ms: int
    """Everything up to then was delivered, and maybe more."""
    is_wanted: bool
    is_queued: bool = False

    @property
    def is_behind(self) -> bool:
        return self.cursor.after < self.log.last_seq


class Feed:
    """One reader's. To be closed, also when its opening failed."""

    def __init__(
        self,
        archive: SessionArchive,
        cursor: FeedCursor | None,
        *,
        wants: Callable[[str], bool] | None = None,
    ) -> None:
        """From the cursor on; None: from now on. `wants` is asked about each session in which something happens.

        Raises:
            InvalidRequest: the cursor is of a time that this server has not reached.
        """
        self._archive = archive
        self._activity = archive.activity
        self._wants = wants or (lambda _id: True)
        self._noticed: dict[str, _Notice] = {}
        self._changed = asyncio.Event()
        self._followed: dict[str, _Followed] = {}
        self._queue: deque[str] = deque()
        """Of those that may have something."""
        self._ranges: tuple[Range, ...] = ()
        self._found: deque[tuple[int, str]] = deque()
        """`(place, session)` that are to be followed next."""
        self._scanned = _Bound(0, "")
        """Up to there sessions were looked for."""
        self._finished = _Bound(0, "")
        """Up to there all of them are followed."""
        self._is_scans_turn = False
        self.is_closed = False
        self._activity.watch(self)
        self._is_scanning = cursor is not None
        """What the cursor does not name is looked for, in the order of creation."""
        self._begin(cursor or self._now())

    def _begin(self, cursor: FeedCursor) -> None:
        newest_ms = max(one.until_ms for one in cursor.ranges)
        if newest_ms > self._activity.now_ms:
            raise InvalidRequest(
                "the cursor is of a time that this server has not reached: its clock was set back, or it is another "
                "server. Begin anew."
            )
        self._ranges = cursor.ranges
        for session_id, seq in cursor.positions.items():
            self._follow(session_id, seq, until_ms=0)

    def _now(self) -> FeedCursor:
        until_ms = max(0, self._activity.last_ms - 1)
        positions = {}
        for _, session_id in self._archive.changed_since(until_ms, after=0, limit=1_000_000):
            try:
                positions[session_id] = self._archive.readable_log(session_id).last_seq
            except SandboxAgentError:
                continue  # nothing of it can be delivered
        return FeedCursor((Range(until_ms),), positions)

    # LogWatcher

    def written(self, session_id: str, first_seq: int, offset: int, time_ms: int) -> None:
        self._noticed.setdefault(session_id, _Notice(first_seq, offset, time_ms))
        self._changed.set()

    def end(self) -> None:
        self.is_closed = True
        self._changed.set()

    def close(self) -> None:
        self._activity.unwatch(self)
        self.end()

    # Reading

    @property
    def has_more(self) -> bool:
        """Maybe: `read` knows."""
        return bool(self._queue or self._found or self._noticed) or self._is_scanning

    async def changed(self, *, timeout_s: float) -> None:
        """Until something was written, the server stops, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def read(self, *, max_entries: int, max_bytes: int) -> FeedPiece | None:
        """The next; None when it is up to date."""
        while True:
            self._take_noticed()
            if (self._is_scans_turn or not self._queue) and self._is_scanning:
                await self._scan()
            self._is_scans_turn = not self._is_scans_turn
            if not self._queue:
                if self._is_scanning or self._noticed:
                    continue
                self._changed.clear()
                return None
            session_id = self._queue.popleft()
            piece = await self._read(session_id, max_entries=max_entries, max_bytes=max_bytes)
            if piece is not None:
                return piece

    async def _read(self, session_id: str, *, max_entries: int, max_bytes: int) -> FeedPiece | None:
        followed = self._followed.get(session_id)
        if followed is None:
            return None
        followed.is_queued = False
        log = followed.log
        if not followed.is_wanted:
            followed.cursor.skip(log.last_seq, log.file.size_bytes)
            followed.until_ms = log.last_time_ms - 1
            return None
        try:
            entries = await followed.cursor.read(limit=max_entries, max_bytes=max_bytes)
        except StorageError as exc:
            logger.error("session %s cannot be read: %s", session_id, exc.message)
            entries = []
        if not entries:
            if not self._archive.is_open(log):
                del self._followed[session_id]  # it was deleted
            return None
        last_ms = entries[-1].to_log_entry(session_id).time_ms
        followed.until_ms = max(followed.until_ms, last_ms - 1)
        if followed.is_behind:
            self._enqueue(session_id, followed)
        return FeedPiece(session_id, entries)

    def _take_noticed(self) -> None:
        noticed, self._noticed = self._noticed, {}
        waiting = {id for _, id in self._found} if noticed else set()
        for session_id, notice in noticed.items():
            followed = self._followed.get(session_id)
            if followed is not None and self._archive.is_open(followed.log):
                self._enqueue(session_id, followed)
                continue
            if session_id in waiting or self._will_be_found(session_id):
                continue
            self._follow(session_id, notice.first_seq - 1, until_ms=notice.time_ms - 1)
            if (followed := self._followed.get(session_id)) is not None:
                followed.cursor.skip(notice.first_seq - 1, notice.offset)

    def _will_be_found(self, session_id: str) -> bool:
        place = self._archive.place_of(session_id) if self._is_scanning else None
        return place is not None and place > self._scanned.place

    def _follow(self, session_id: str, after: int, *, until_ms: int) -> None:
        try:
            log = self._archive.readable_log(session_id)
        except SandboxAgentError as exc:
            logger.info("session %s is not followed: %s", session_id, exc.message)
            self._followed.pop(session_id, None)
            return
        # A log that lost its end in a power failure goes on from there.
        after = min(after, log.last_seq)
        place = self._archive.place_of(session_id)
        followed = self._followed[session_id] = _Followed(
            log=log,
            place=_UNPLACED if place is None else place,
            cursor=Cursor(log, after),
            until_ms=until_ms if after < log.last_seq else log.last_time_ms - 1,
            is_wanted=self._wants(session_id),
        )
        if followed.is_behind:
            self._enqueue(session_id, followed)

    def _enqueue(self, session_id: str, followed: _Followed) -> None:
        if not followed.is_queued:
            followed.is_queued = True
            self._queue.append(session_id)

    # Catching up

    async def _scan(self) -> None:
        """Follow the next session that something happened in since the cursor."""
        if not self._found:
            await asyncio.sleep(0)
            self._look_further()
        if not self._found:
            return
        place, session_id = self._found[0]
        if session_id not in self._followed:
            until_ms = self._until_ms(place)
            try:
                file = self._archive.readable_log(session_id).file
                after = await asyncio.to_thread(last_seq_at, file, until_ms) if until_ms else 0
            except (SandboxAgentError, OSError) as exc:
                logger.warning("session %s is not followed: %s", session_id, exc)
            else:
                self._follow(session_id, after, until_ms=until_ms)
        self._found.popleft()

    def _look_further(self) -> None:
        """The next sessions to follow, or the end of it: from then on what is written is told of."""
        self._finished = self._scanned
        self._found.extend(
            self._archive.changed_since(
                min(one.until_ms for one in self._ranges),
                after=self._scanned.place,
                limit=_CHUNK_SESSIONS,
            )
        )
        if self._found:
            self._scanned = _Bound(*self._found[-1])
        else:
            self._is_scanning = False

    def _until_ms(self, place: int) -> int:
        """Of a session that the cursor has no position of. Bounds that are gone make a range belong to the next."""
        for one in self._ranges:
            if one.last_session is None:
                return one.until_ms
            bound = self._archive.place_of(one.last_session)
            if bound is not None and place <= bound:
                return one.until_ms
        raise AssertionError("the last range has no end")

    # Where it is

    def cursor(self) -> FeedCursor:
        """After what was read so far. Lets go of sessions that nothing happens in."""
        self._take_noticed()
        until_ms = max(0, self._activity.last_ms - 1)
        for session_id, followed in list(self._followed.items()):
            is_told_by_time = not followed.is_behind and followed.log.last_time_ms <= until_ms
            if is_told_by_time and self._is_finished(followed):
                del self._followed[session_id]
        size = 0
        positions: dict[str, int] = {}
        for session_id, followed in sorted(
            self._followed.items(), key=lambda item: item[1].until_ms
        ):
            size += len(session_id) + _SEQ_BYTES
            if size <= _POSITION_BYTES:
                positions[session_id] = followed.cursor.after
            elif self._is_finished(followed):
                until_ms = min(until_ms, followed.until_ms)
        return FeedCursor(self._ranges_now(until_ms), positions)

    def _is_finished(self, followed: _Followed) -> bool:
        return not self._is_scanning or followed.place <= self._finished.place

    def _ranges_now(self, until_ms: int) -> tuple[Range, ...]:
        if not self._is_scanning:
            return (Range(until_ms),)
        if not self._finished.place:
            return self._ranges
        rest = [one for one in self._ranges if self._is_beyond(one)]
        ranges = [Range(until_ms, self._finished.session_id), *rest]
        while len(ranges) > _MAX_RANGES:  # more is delivered again, and nothing is lost
            first, second = ranges[-2:]
            ranges[-2:] = [Range(min(first.until_ms, second.until_ms))]
        return tuple(ranges)

    def _is_beyond(self, one: Range) -> bool:
        """It has sessions that were not looked for."""
        if one.last_session is None:
            return True
        place = self._archive.place_of(one.last_session)
        return place is not None and place > self._finished.place
