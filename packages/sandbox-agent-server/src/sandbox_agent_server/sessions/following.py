"""The logs of this server on their way into a transcript store. A reader like any other: nothing waits for it.

Where it is in each log is asked of the store, so it holds nothing that a death could lose: `LogWriter` says how.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import LeaseLost, SandboxAgentError, SessionOwned, StorageError
from sandbox_agent_core.spi.persistence import TranscriptStore
from sandbox_agent_core.stores.writing import (
    BATCH_ENTRIES,
    BATCH_S,
    RENEW_AFTER_S,
    LogWriter,
    Retries,
    stored_seq,
)

from sandbox_agent_server.log.log import Cursor, SessionLog
from sandbox_agent_server.sessions.archive import SessionArchive
from sandbox_agent_server.sessions.reader import SessionReader

__all__ = ["StoreFollower", "holder_of"]

logger = logging.getLogger(__name__)

_HOLDER_FILE: Final = "store-holder"
_PAGE_SESSIONS: Final = 100
_IDLE_S: Final = 300.0
"""After so long without an entry others may write the session."""
_LAST_ROUND_S: Final = 5.0
"""For what the end of the server has written. What is not stored then is when the next one begins."""


@dataclass(slots=True)
class _Followed:
    log: SessionLog
    cursor: Cursor
    writer: LogWriter
    written_at: float


class StoreFollower:
    def __init__(
        self,
        store: TranscriptStore,
        archive: SessionArchive,
        reader: SessionReader,
        *,
        holder: str,
    ) -> None:
        self._store = store
        self._archive = archive
        self._reader = reader
        self._holder = holder
        self._followed: dict[str, _Followed] = {}
        self._behind: dict[str, None] = {}
        """Sessions that may have something to store, in the order of their turns."""
        self._put_off: dict[str, tuple[float, Retries]] = {}
        """Those that another one writes, or that cannot be read, and when they are tried again."""
        self._retries = Retries(lambda text: logger.warning("store: %s", text))
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()
        self._deadline: asyncio.Timeout | None = None

    # LogWatcher

    def written(self, session_id: str, _first_seq: int, _offset: int, _time_ms: int) -> None:
        self._behind[session_id] = None
        self._changed.set()

    def end(self) -> None:
        self._ending.set()
        self._changed.set()
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + _LAST_ROUND_S)

    # The task

    async def open(self) -> None:
        """Raises: StorageError: nobody answers there, or not to us."""
        await self._store.list_sessions(limit=1)

    async def run(self) -> None:
        """Until `end`, and then what is left, for as long as that may take."""
        self._archive.activity.watch(self)
        try:
            async with asyncio.timeout(None) as self._deadline:
                await self._look_behind()
                while not self._ending.is_set():
                    pause_s = await self._round()
                    await self._wait(pause_s)
                while self._behind and not self._retries.is_failing:
                    await self._round()
        except TimeoutError:
            logger.warning("store: the newest entries are not stored yet")
        except Exception:
            logger.exception("store: nothing more is stored until the server is started again")
        finally:
            self._deadline = None
            self._archive.activity.unwatch(self)
            await self._close()

    async def _wait(self, pause_s: float) -> None:
        if self._retries.is_failing:
            await self._pause(pause_s)
            return
        try:
            async with asyncio.timeout(pause_s):
                await self._changed.wait()
        except TimeoutError:
            return
        await self._pause(BATCH_S)

    async def _pause(self, pause_s: float) -> None:
        """Or until `end`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._ending.wait()

    async def _look_behind(self) -> None:
        """Which logs have what an earlier server could not store."""
        for session_id in self._all_sessions():
            while not self._ending.is_set():
                try:
                    info = self._reader.info(session_id)
                    if await stored_seq(self._store, info) < info.last_seq:
                        self._behind[session_id] = None
                except StorageError as exc:
                    await self._pause(self._retries.after(exc))
                    continue
                except SandboxAgentError as exc:
                    logger.info("session %s is not stored: %s", session_id, exc.message)
                break

    def _all_sessions(self) -> Iterator[str]:
        before: int | None = None
        while True:
            rows, has_more = self._archive.page(before_key=before, limit=_PAGE_SESSIONS)
            yield from [row.id for row in rows]
            if not has_more:
                return
            before = rows[-1].key

    async def _round(self) -> float:
        """A batch of each session that has one. How long to wait then, when nothing is written."""
        self._changed.clear()
        now = time.monotonic()
        for session_id, (due_at, _) in self._put_off.items():
            if due_at <= now:
                self._behind[session_id] = None
        behind, self._behind = self._behind, {}
        try:
            while behind:
                session_id = next(iter(behind))
                if await self._advance(session_id):
                    self._behind[session_id] = None
                del behind[session_id]
            await self._tend()
        except StorageError as exc:
            self._behind = behind | self._behind
            return self._retries.after(exc)
        self._retries.worked()
        if self._behind:
            return 0.0
        due = [due_at for due_at, _ in self._put_off.values()]
        return max(0.0, min([RENEW_AFTER_S, *(due_at - time.monotonic() for due_at in due)]))

    async def _advance(self, session_id: str) -> bool:
        """Store a batch of the session. True: there is more. Raises: StorageError."""
        put_off = self._put_off.get(session_id)
        if put_off is not None and put_off[0] > time.monotonic():
            return False
        try:
            followed = self._follow(session_id)
        except SandboxAgentError as exc:
            logger.info("session %s is not stored: %s", session_id, exc.message)
            self._put_off.pop(session_id, None)
            return False
        writer = followed.writer
        try:
            after = await writer.next_seq() - 1
            if followed.cursor.after != after:
                followed.cursor = Cursor(followed.log, after)
            try:
                entries = await followed.cursor.read(limit=BATCH_ENTRIES)
            except StorageError as exc:  # of the log, not of the store
                self._try_later(session_id, exc)
                return False
            await writer.write([entry.to_log_entry(session_id) for entry in entries])
        except (SessionOwned, LeaseLost) as exc:
            self._try_later(session_id, exc)
            return False
        followed.written_at = time.monotonic()
        self._put_off.pop(session_id, None)
        # Nothing is read of a log whose file somebody removed.
        return bool(entries) and followed.cursor.after < followed.log.last_seq

    def _try_later(self, session_id: str, exc: SandboxAgentError) -> None:
        known = self._put_off.get(session_id)
        retries = known[1] if known is not None else Retries(_say(session_id))
        self._put_off[session_id] = time.monotonic() + retries.after(exc), retries

    def _follow(self, session_id: str) -> _Followed:
        """Raises: SessionNotFound, SessionDamaged, StorageError: of what is no log of a session (any more)."""
        known = self._followed.get(session_id)
        if known is not None and self._archive.is_open(known.log):
            return known
        log = self._archive.readable_log(session_id)
        writer = LogWriter(self._store, self._reader.info(session_id), holder=self._holder)
        made = _Followed(log, Cursor(log, 0), writer, time.monotonic())
        self._followed[session_id] = made
        return made

    async def _tend(self) -> None:
        """Renew leases, and let go of sessions at rest. Raises: StorageError."""
        for session_id, followed in list(self._followed.items()):
            try:
                if time.monotonic() - followed.written_at < _IDLE_S:
                    await followed.writer.tend()
                    continue
                await followed.writer.close()
            except LeaseLost:
                pass
            if session_id not in self._behind and session_id not in self._put_off:
                del self._followed[session_id]

    async def _close(self) -> None:
        followed, self._followed = self._followed, {}
        try:
            async with asyncio.timeout(_LAST_ROUND_S):
                for one in followed.values():
                    await one.writer.close()
                await self._store.close()
        except (StorageError, TimeoutError) as exc:
            logger.info("store: leases lapse by themselves: %s", exc)


def _say(session_id: str) -> Callable[[str], None]:
    return lambda text: logger.warning("session %s: %s", session_id, text)


def holder_of(data_dir: Path) -> str:
    """The same after a restart, which so need not wait for a lease of its own to lapse: a directory has one server.

    Raises: StorageError.
    """
    kept = data_dir / _HOLDER_FILE
    try:
        if not kept.exists():
            kept.write_text(secrets.token_hex(8), encoding="utf-8")
        return f"{platform.node()}:{kept.read_text(encoding='utf-8')}"
    except OSError as exc:
        raise StorageError(f"cannot write {str(kept)!r}: {exc.strerror}") from exc
