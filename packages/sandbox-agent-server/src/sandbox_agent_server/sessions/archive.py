"""What is kept of sessions: their logs, and the index over them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from sandbox_agent_core.errors import SessionNotFound, StorageError
from sandbox_agent_core.ids import is_session_id

from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.file import LOG_NAME, Quota
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.sessions.recovery import end_left_over, state_of_log
from sandbox_agent_server.sessions.state import RequestChange, SessionState
from sandbox_agent_server.settings import Settings
from sandbox_agent_server.store.index import IndexRow, RequestRow, SessionIndex

__all__ = ["SessionArchive"]

logger = logging.getLogger(__name__)

_OLDEST_AT_A_TIME: Final = 500


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
        self._quota = Quota(settings.limits.max_log_bytes, used_bytes=index.total_bytes())
        self._syncer = Syncer(settings.durability)
        self._logs: WeakValueDictionary[str, SessionLog] = WeakValueDictionary()
        """Of sessions that are live or being read."""
        self._unsaved: dict[str, list[RequestRow]] = {}
        """What the index could not take."""

    async def recover(self) -> bool:
        """Make the index again where there is none, and end what an earlier server left open. False: of one it
        could not be written."""
        if self._index.is_new:
            self._index_directories(self._directories())
            self._index.filled()
            self._quota.used_bytes = self._index.total_bytes()
        return self.end_left_open(())

    def end_left_open(self, live: Container[str]) -> bool:
        """Of sessions that are not live. False: of one it could not be written."""
        is_done = True
        for row in self._index.open_sessions():
            if row.id in live:
                continue
            try:
                self.open(row)
            except StorageError as exc:
                is_done = False
                logger.error("session %s cannot be recovered: %s", row.id, exc.message)
        return is_done

    async def close(self) -> None:
        """Whoever reads a log gets the rest of it, and its end."""
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
                quota=self._quota,
                syncer=self._syncer,
            )
        return log

    def row(self, session_id: str) -> IndexRow:
        """Raises: SessionNotFound."""
        row = self._index.get(session_id) if is_session_id(session_id) else None
        if row is None:
            raise SessionNotFound(
                f"there is no session {session_id!r}; GET /v1/sessions lists those there are",
                sessionId=session_id,
            )
        return row

    def page(self, *, before_key: int | None, limit: int) -> Sequence[IndexRow]:
        """Newest first."""
        return self._index.page(before_key=before_key, limit=limit)

    def requests(self, session_id: str) -> Sequence[RequestRow]:
        """Oldest first, resolved ones too."""
        return self._index.requests(session_id)

    def resolution(self, session_id: str, request_id: str) -> dict[str, Any] | None:
        return self._index.resolution(session_id, request_id)

    def state_of(self, row: IndexRow) -> SessionState | None:
        """As the index has it; None when that is of another version."""
        native_modes = self._native_modes(row.state.get("settings", {}).get("agent", ""))
        return SessionState.from_wire(row.state, native_modes=native_modes)

    def open(self, row: IndexRow) -> tuple[SessionLog, SessionState]:
        """The log of a session that is not live, and what it says; with an end of what was left open.

        Raises:
            StorageError: it cannot be read.
        """
        log = self.log(row.id)
        # A power failure may have taken from the log what the index has.
        known = self.state_of(row) if row.seq <= log.last_seq else None
        if known is not None and row.seq == log.last_seq and not known.is_open:
            return log, known
        try:
            state, changes = state_of_log(log, self._native_modes, known=known, seq=row.seq)
        except ValueError as exc:
            raise StorageError(
                f"{str(log.file.path)!r} is no log of session {row.id!r} any more: {exc}",
                path=str(log.file.path),
            ) from exc
        step = end_left_over(log, state)
        if step is not None:
            log.append(step)
            log.rest()
            state, changes = step.state, changes + step.changes
            logger.info("session %s: ended what an earlier server left open", log.session_id)
        self.save(log, state, changes)
        return log, state

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
        """Of sessions, oldest first."""
        try:
            found = [path / LOG_NAME for path in self._index.sessions_dir.iterdir()]
        except FileNotFoundError:
            return []
        logs = [path for path in found if path.is_file()]
        return [path.parent for path in sorted(logs, key=_first_time)]

    def _index_directories(self, directories: Sequence[Path]) -> None:
        """Make the index again. Blocks."""
        for directory in directories:
            if not is_session_id(directory.name):
                continue
            try:
                log = self.log(directory.name)
                state, changes = state_of_log(log, self._native_modes)
            except (StorageError, ValueError) as exc:
                logger.error("%s is not indexed: %s", directory, exc)
                continue
            self.save(log, state, changes)
            log.rest()
        if directories:
            logger.warning("made the index again from %d logs", len(directories))


def _first_time(log: Path) -> str:
    """When its session was made, to sort by: the time in its first line."""
    with log.open("rb") as file:
        head = file.read(256)
    _, _, rest = head.partition(b'"time":"')
    return rest[:24].decode("ascii", "replace")
