"""What is kept of sessions: their logs, and the index over them."""

from __future__ import annotations

import asyncio
import errno
import logging
import stat
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from sandbox_agent_core.errors import SessionDamaged, SessionNotFound, StorageError
from sandbox_agent_core.ids import is_session_id

from sandbox_agent_server.log.activity import MAX_LEAD_MS, Activity
from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.file import LOG_NAME, Quota, remove_log
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.sessions.fold import RequestChange
from sandbox_agent_server.sessions.recovery import end_left_over, state_of_log
from sandbox_agent_server.sessions.state import SessionState
from sandbox_agent_server.settings import Settings
from sandbox_agent_server.store.index import IndexRow, RequestRow, SessionIndex

__all__ = ["Known", "SessionArchive"]

logger = logging.getLogger(__name__)

_OLDEST_AT_A_TIME: Final = 500
_NO_SESSION: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What comes of reading a log that is none."""
_FOR_NOW: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Why a log cannot be read that has nothing wrong with it."""


class Known(NamedTuple):
    state: SessionState
    seq: int
    """Of its last entry."""
    updated_ms: int
    """Time of that entry."""


class SessionArchive:
    """Sessions that nothing happens in are a row and a file, and cost no memory."""

    def __init__(
        self,
        index: SessionIndex,
        settings: Settings,
        native_modes: Callable[[str], Mapping[str, str]],
    ) -> None:
        """`native_modes`: of an agent by its name, as its definition says."""
        self._index = index
        self._settings = settings
        self._native_modes = native_modes
        self.quota = Quota(settings.limits.max_log_bytes, used_bytes=index.total_bytes())
        self._syncer = Syncer(settings.durability)
        wall_ms = time.time_ns() // 1_000_000
        self.activity = Activity(last_ms=index.newest_ms(until_ms=wall_ms + MAX_LEAD_MS))
        self._logs: WeakValueDictionary[str, SessionLog] = WeakValueDictionary()
        """Of sessions that are live or being read."""
        self._unsaved: dict[str, list[RequestRow]] = {}
        """What the index could not take."""
        self.on_removed: Callable[[str], None] = lambda _session_id: None
        """Told of a session of which nothing is kept any more."""

    async def recover(self) -> bool:
        """Make the index again where there is none, and end what an earlier server left open. False: of one it
        could not be written."""
        if self._index.is_new:
            self._index_directories(self._directories())
            self._index.filled()
            self.quota.used_bytes = self._index.total_bytes()
        return self.end_left_open(())

    def end_left_open(self, live: Container[str]) -> bool:
        """Of sessions that are not live. False: of one it could not be written."""
        is_done = True
        for row in self._index.open_sessions():
            if row.id in live:
                continue
            try:
                self.open(row)
            except SessionDamaged as exc:
                logger.error("session %s cannot be recovered: %s", row.id, exc.message)
            except StorageError as exc:
                is_done = False
                logger.error("session %s cannot be recovered: %s", row.id, exc.message)
        return is_done

    async def close(self) -> None:
        """Whoever reads a log gets the rest of it, and its end."""
        self.activity.close()
        for log in list(self._logs.values()):
            log.close()
        await self._syncer.close()

    # Reading

    def has(self, session_id: str) -> bool:
        return self._index.get(session_id) is not None

    def log(self, session_id: str) -> SessionLog:
        """Of a session that is there or about to be. Raises: StorageError."""
        log = self._logs.get(session_id)
        if log is None:
            log = self._logs[session_id] = SessionLog(
                session_id,
                self._index.sessions_dir / session_id,
                quota=self.quota,
                syncer=self._syncer,
                activity=self.activity,
            )
        return log

    def is_open(self, log: SessionLog) -> bool:
        """It is the log of its session: that was not deleted, and perhaps made again."""
        return self._logs.get(log.session_id) is log

    def row(self, session_id: str) -> IndexRow:
        """Raises: SessionNotFound."""
        row = self._index.get(session_id) if is_session_id(session_id) else None
        if row is None:
            raise SessionNotFound(
                f"there is no session {session_id!r}; GET /v1/sessions lists those there are",
                sessionId=session_id,
            )
        return row

    def page(self, *, before_key: int | None, limit: int) -> tuple[Sequence[IndexRow], bool]:
        """Newest first, at most `limit` and `max_page_bytes`, and whether there are more."""
        rows = self._index.page(
            before_key=before_key, limit=limit, max_bytes=self._settings.limits.max_page_bytes
        )
        return rows, bool(rows) and self._index.has_before(rows[-1].key)

    def place_of(self, session_id: str) -> int | None:
        """In the order of creation; None of one that is not there. Raises: StorageError."""
        return self._index.key_of(session_id)

    def changed_since(self, since_ms: int, *, after: int, limit: int) -> list[tuple[int, str]]:
        """`(place, id)` of sessions that were written to later than that, in the order of creation.

        Raises: StorageError.
        """
        rows = self._index.changed_since(since_ms, after_key=after, limit=limit)
        known = {id for _, id in rows}
        # What runs is ahead of its row, and so is what the index could not take.
        for id in (*self._logs, *self._unsaved):
            log = self._logs.get(id)
            if id not in known and (log is None or log.last_time_ms > since_ms):
                key = self._index.key_of(id)
                if key is not None and key > after:
                    rows.append((key, id))
        return sorted(rows)[:limit]

    def agent_of(self, session_id: str) -> str | None:
        """As the index has it. Raises: StorageError."""
        row = self._index.get(session_id)
        settings = None if row is None else row.state.get("settings")
        agent = settings.get("agent") if isinstance(settings, dict) else None
        return agent if isinstance(agent, str) else None

    def requests(
        self, session_id: str, *, after_key: int, limit: int
    ) -> tuple[Sequence[RequestRow], bool]:
        """Oldest first, resolved ones too: at most `limit` and `max_page_bytes`, and whether there are more.

        Raises: SessionDamaged, StorageError.
        """
        try:
            rows = self._index.requests(
                session_id,
                after_key=after_key,
                limit=limit,
                max_bytes=self._settings.limits.max_page_bytes,
            )
        except ValueError as exc:
            logger.error("session %s: its requests are read from its log: %s", session_id, exc)
            return self._requests_of_log(session_id), False
        return rows, bool(rows) and self._index.has_requests_after(session_id, rows[-1].key)

    def resolution(self, session_id: str, request_id: str) -> dict[str, Any] | None:
        """Raises: SessionDamaged, StorageError."""
        try:
            return self._index.resolution(session_id, request_id)
        except ValueError:
            found = [one for one in self._requests_of_log(session_id) if one.id == request_id]
            return found[0].resolution if found else None

    def _requests_of_log(self, session_id: str) -> Sequence[RequestRow]:
        try:
            _, changes = state_of_log(self.readable_log(session_id), self._native_modes)
        except _NO_SESSION as exc:
            raise _damaged(session_id, str(exc)) from exc
        found: dict[str, RequestRow] = {}
        for one in changes:
            asked = found[one.id].asked if one.id in found else one.asked
            found[one.id] = RequestRow(id=one.id, asked=asked, resolution=one.resolution)
        return list(found.values())

    def state_of(self, row: IndexRow) -> SessionState | None:
        """As the index has it; None when that is of another version, or damaged."""
        settings = row.state.get("settings")
        agent = settings.get("agent") if isinstance(settings, dict) else None
        return SessionState.from_wire(row.state, native_modes=self._native_modes(str(agent)))

    def open(self, row: IndexRow) -> tuple[SessionLog, SessionState]:
        """The log of a session that is not live, and what it says; with an end of what was left open.

        Raises:
            SessionDamaged: it says nothing of a session.
            StorageError: an end cannot be written.
        """
        log = self.readable_log(row.id)
        # A power failure may have taken from the log what the index has.
        known = self.state_of(row) if row.seq <= log.last_seq else None
        if known is not None and row.seq == log.last_seq and not known.is_open:
            return log, known
        try:
            state, changes = state_of_log(log, self._native_modes, known=known, seq=row.seq)
            step = end_left_over(log, state)
        except _NO_SESSION as exc:
            raise _damaged(row.id, f"{str(log.file.path)!r} is no log of a session: {exc}") from exc
        if step is not None:
            log.append(step)
            log.rest()
            state, changes = step.state, changes + step.changes
            logger.info("session %s: ended what an earlier server left open", log.session_id)
        self.save(log, state, changes)
        return log, state

    def look(self, row: IndexRow) -> Known:
        """A session that is not live, without reading its log when the index knows all that is in it.

        Raises:
            SessionDamaged, StorageError.
        """
        state = self.state_of(row)
        if state is not None and self._has_size(row):
            return Known(state, row.seq, row.updated_ms)
        try:
            log, known = self.open(row)
        except StorageError as exc:
            if state is None:
                raise
            logger.warning("session %s: %s", row.id, exc.message)
            return Known(state, row.seq, row.updated_ms)
        return Known(known, log.last_seq, log.last_time_ms)

    def _has_size(self, row: IndexRow) -> bool:
        """Its log is there and as long as the index says."""
        try:
            status = (self._index.sessions_dir / row.id / LOG_NAME).stat()
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == row.size_bytes

    def readable_log(self, session_id: str) -> SessionLog:
        """Raises: SessionDamaged, StorageError."""
        try:
            log = self.log(session_id)
        except StorageError as exc:
            if isinstance(exc.__cause__, OSError) and exc.__cause__.errno in _FOR_NOW:
                raise
            raise _damaged(session_id, exc.message) from exc
        if not log.last_seq:
            raise _damaged(session_id, f"{str(log.file.path)!r} is gone or has nothing in it")
        return log

    # Writing

    def save(
        self, log: SessionLog, state: SessionState, changes: Iterable[RequestChange] = ()
    ) -> None:
        """What the index cannot take now it takes with the next change, or from the log."""
        rows = self._unsaved.pop(log.session_id, [])
        rows += [
            RequestRow(id=one.id, asked=one.asked, resolution=one.resolution) for one in changes
        ]
        row = IndexRow(
            id=log.session_id,
            seq=log.last_seq,
            updated_ms=log.last_time_ms,
            size_bytes=log.file.size_bytes,
            is_open=state.is_open,
            state=state.to_wire(),
        )
        try:
            self._index.save(row, rows)
        except StorageError as exc:
            logger.error("session %s: %s", log.session_id, exc.message)
            self._unsaved[log.session_id] = rows

    def remove(self, log: SessionLog) -> None:
        """With everything that is kept of the session. Raises: StorageError."""
        log.close()
        self._logs.pop(log.session_id, None)
        self._unsaved.pop(log.session_id, None)
        log.file.delete()
        self._index.delete(log.session_id)
        self.on_removed(log.session_id)

    def remove_unread(self, row: IndexRow) -> None:
        """One whose log cannot be opened. Raises: StorageError."""
        self._logs.pop(row.id, None)
        self._unsaved.pop(row.id, None)
        remove_log(self._index.sessions_dir / row.id)
        self.quota.give_back(row.size_bytes)
        self._index.delete(row.id)
        self.on_removed(row.id)

    async def remove_old(self) -> None:
        """What is older, or more, than is to be kept: least recently written first, and never one that is live or
        being read."""
        settings = self._settings
        oldest_ms = 0.0
        if settings.retention_days is not None:
            oldest_ms = time.time() * 1000 - settings.retention_days * 86_400_000
        total = self._index.total_bytes()
        for session_id, updated_ms, size_bytes in self._index.oldest(limit=_OLDEST_AT_A_TIME):
            is_too_much = settings.retention_bytes is not None and total > settings.retention_bytes
            if updated_ms >= oldest_ms and not is_too_much:
                return
            if session_id in self._logs:
                continue  # live, or being read
            try:
                self.remove(self.log(session_id))
            except StorageError as exc:
                logger.error("session %s cannot be removed: %s", session_id, exc.message)
                continue
            total -= size_bytes
            logger.info("session %s was removed: it is older than what is kept", session_id)
            await asyncio.sleep(0)

    # Making the index again

    def _directories(self) -> Sequence[Path]:
        """Of sessions, oldest first. Raises: StorageError."""
        try:
            found = [
                path for path in self._index.sessions_dir.iterdir() if is_session_id(path.name)
            ]
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise StorageError(
                f"cannot read the logs in {str(self._index.sessions_dir)!r}: {exc.strerror}"
            ) from exc
        return sorted(filter(_is_kept, found), key=_first_time)

    def _index_directories(self, directories: Sequence[Path]) -> None:
        """Make the index again. Blocks."""
        for directory in directories:
            try:
                log = self.log(directory.name)
                state, changes = state_of_log(log, self._native_modes)
            except (StorageError, *_NO_SESSION) as exc:
                logger.error("%s is damaged: %s", directory, exc)
                self._save_damaged(directory.name)
                continue
            self.save(log, state, changes)
            log.rest()
        if directories:
            logger.warning("made the index again from %d logs", len(directories))

    def _save_damaged(self, session_id: str) -> None:
        """So that it is listed, and can be purged."""
        row = IndexRow(id=session_id, seq=0, updated_ms=0, size_bytes=0, is_open=False, state={})
        try:
            self._index.save(row)
        except StorageError as exc:
            logger.error("session %s: %s", session_id, exc.message)


def _damaged(session_id: str, reason: str) -> SessionDamaged:
    return SessionDamaged(
        f"session {session_id!r} is damaged: {reason}. DELETE /v1/sessions/{session_id}?purge=true removes it",
        sessionId=session_id,
        reason=reason,
    )


def _is_kept(directory: Path) -> bool:
    """An empty one is what is left of a session that was removed, or never came to be."""
    try:
        return directory.is_dir() and next(directory.iterdir(), None) is not None
    except OSError:
        return True


def _first_time(directory: Path) -> str:
    """When its session was made, to sort by: the time in its first line."""
    try:
        with (directory / LOG_NAME).open("rb") as file:
            head = file.read(256)
    except OSError:
        return ""
    _, _, rest = head.partition(b'"time":"')
    return rest[:24].decode("ascii", "replace")
