"""One session's log: the only place that numbers entries and writes them, and those who follow it.

`append` is the one door. It writes a step in one go and hands it to the followers that are up to date, in the
same call: what an agent writes is on its way to the sockets in the callback that read it. Whoever is behind
reads the file. Nobody sees what is not written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.frames import LogEntry, extensions
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.frames.jsonrpc import notification

from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.log.activity import Activity
from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.entry import Draft, Entry, LineEncoder
from sandbox_agent_server.log.file import LogFile, Place, Quota, Torn
from sandbox_agent_server.log.reading import read_entries
from sandbox_agent_server.log.step import Step
from sandbox_agent_server.log.views import Batch

__all__ = [
    "RETRY_AT_MOST_S",
    "RETRY_EVERY_S",
    "Cursor",
    "LogFollower",
    "SessionLog",
    "retry_delays",
]

logger = logging.getLogger(__name__)

RETRY_EVERY_S: Final = 0.5
"""After a log could not be written, at first: each time it fails again this is doubled."""
RETRY_AT_MOST_S: Final = 5.0
_PAGE_BYTES: Final = 512 * 1024
_PAGE_ENTRIES: Final = 4096
_INLINE_BYTES: Final = 32 * 1024
"""Less is read where it is asked for: a thread costs more."""


def retry_delays() -> Iterator[float]:
    """Between the attempts to write what could not be written."""
    delay = RETRY_EVERY_S
    while True:
        yield delay
        delay = min(2 * delay, max(RETRY_AT_MOST_S, RETRY_EVERY_S))


class LogFollower(Protocol):
    """Up to date with a log, and told of every step."""

    def follow(self, batch: Batch) -> None:
        """Must not raise, and must not append."""
        ...

    def end(self) -> None:
        """The log is closed: the server stops, or the session was deleted."""
        ...


class SessionLog:
    def __init__(
        self,
        session_id: str,
        directory: Path,
        *,
        quota: Quota,
        syncer: Syncer,
        activity: Activity | None = None,
    ) -> None:
        """Open it. What a power failure tore is cut off, and said in an entry of its own. `activity`: of all logs
        of the server; default: of this one alone.

        Raises:
            StorageError: it cannot be read.
        """
        self.session_id = session_id
        self.file = LogFile(directory, quota)
        self._syncer = syncer
        self._activity = activity or Activity()
        self._encoder = LineEncoder()
        self._followers: dict[LogFollower, None] = {}
        self._stalled: Step | None = None
        self._unsaid: Torn | None = self.file.torn
        """A repair that no entry tells of yet."""
        self.is_closed = False
        self.last_time_ms = 0
        if self.file.last_line:
            try:
                last = LogEntry.from_wire(session_id, loads(self.file.last_line))
            except ValueError as exc:
                raise StorageError(f"{str(self.file.path)!r} is no log: {exc}") from exc
            self.last_time_ms = last.time_ms
        if self._unsaid is not None:
            logger.warning(
                "session %s: %s bytes at the end of its log are cut off: %s",
                session_id,
                self._unsaid.dropped_bytes,
                self._unsaid.reason,
            )
            try:
                self._say_repair(self._unsaid)
            except StorageError as exc:
                # It can be read all the same, and the next entry that can be written brings this one with it.
                logger.warning("session %s: %s", session_id, exc.message)

    @property
    def last_seq(self) -> int:
        return self.file.last_seq

    @property
    def next_seq(self) -> int:
        return self.file.last_seq + 1

    @property
    def is_stalled(self) -> bool:
        """A step waits for the disk, and nobody else gets in."""
        return self._stalled is not None

    @property
    def has_followers(self) -> bool:
        return bool(self._followers)

    # Writing

    @property
    def now_ms(self) -> int:
        """Never before the last entry of any log, even when the machine's clock is set back."""
        return max(self._activity.now_ms, self.last_time_ms)

    def append(self, step: Step) -> None:
        """Number a step, write it, show it, then do what was to be done after that.

        Raises:
            StorageError: nothing was written and nobody has seen anything. Also while an earlier step waits
                for the disk: the log would not be in the order in which things happened.
        """
        if self._stalled not in (None, step):
            raise StorageError(
                "the log cannot be written at the moment; free disk space and try again"
            )
        if step.drafts:
            self._write(step)
        step.commit()

    def keep_out_others(self, step: Step) -> None:
        """Nobody else gets in, from now until `append_patiently` has written this step, or given it up."""
        self._stalled = step

    def let_in_others(self) -> None:
        """Nobody waits for the disk any more."""
        self._stalled = None

    async def append_patiently(self, step: Step, *, retry_s: float, give_up: asyncio.Event) -> None:
        """For what an agent wrote: keep everybody else out until it could be written.

        Raises:
            StorageError: it could not for `retry_s`, or until `give_up` was set.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + retry_s
        self.keep_out_others(step)
        try:
            for delay in retry_delays():
                try:
                    self.append(step)
                except StorageError as exc:
                    if clock() >= deadline or give_up.is_set():
                        raise
                    logger.error("session %s: %s", self.session_id, exc.message)
                    try:
                        async with asyncio.timeout(delay):
                            await give_up.wait()
                    except TimeoutError:
                        pass
                else:
                    return
        finally:
            if self._stalled is step:
                self._stalled = None

    def _write(self, step: Step) -> None:
        assert step.first_seq == self.file.last_seq + 1, (
            "a step is appended before the next is made"
        )
        # One that had to wait for the disk comes after what was written meanwhile.
        now = max(step.time_ms, self._activity.last_ms)
        stamp = rfc3339(now).encode()
        encode = self._encoder.encode
        entries: list[Entry] = []
        # One entry is what a step of a streaming agent has; of many, the lines are joined once.
        if len(step.drafts) == 1:
            line = encode(step.drafts[0], step.first_seq, stamp)
            entries.append(Entry(step.first_seq, line, step.drafts[0], now))
            data = line + b"\n"
        else:
            lines: list[bytes] = []
            for seq, draft in enumerate(step.drafts, start=step.first_seq):
                line = encode(draft, seq, stamp)
                entries.append(Entry(seq, line, draft, now))
                lines.append(line)
            lines.append(b"")
            data = b"\n".join(lines)
        offset = self.file.size_bytes
        self.file.append(data, last_seq=entries[-1].seq, is_end=step.is_end)
        self._stalled = None
        self.last_time_ms = now
        if self._syncer.is_on:
            self._syncer.written(self.file, at_once=step.ends_turn)
        if self._followers:
            batch = Batch(self.session_id, entries)
            for follower in tuple(self._followers):
                follower.follow(batch)
        self._activity.written(self.session_id, step.first_seq, offset, now)
        if self._unsaid is not None:
            try:
                self._say_repair(self._unsaid)
            except StorageError as exc:
                logger.warning("session %s: %s", self.session_id, exc.message)

    def _say_repair(self, torn: Torn) -> None:
        """Raises: StorageError."""
        step = Step(self.next_seq, self.now_ms)
        params = {"droppedBytes": torn.dropped_bytes, "reason": torn.reason}
        frame = notification(extensions.LOG_REPAIRED, params)
        step.append(Draft("server", dumps(frame), frame, method=extensions.LOG_REPAIRED))
        self._unsaid = None
        try:
            self._write(step)
        except StorageError:
            self._unsaid = torn
            raise

    # Reading

    def attach(self, follower: LogFollower) -> None:
        """From the next step on. Whoever attaches has everything up to `last_seq`."""
        if self.is_closed:
            follower.end()
        else:
            self._followers[follower] = None

    def detach(self, follower: LogFollower) -> None:
        self._followers.pop(follower, None)

    # The end

    def rest(self) -> None:
        """Nothing is written for now."""
        self.file.rest()

    def close(self) -> None:
        """Nothing comes any more: followers end once they have read everything."""
        self.is_closed = True
        followers, self._followers = self._followers, {}
        for follower in followers:
            follower.end()
        self.file.rest()


class Cursor:
    """Reads a log forwards, off the event loop when there is much to read."""

    def __init__(self, log: SessionLog, after: int) -> None:
        self.after = after
        self._log = log
        self._offset: int | None = None
        """Of the line of the next entry, if that is known."""

    async def read(
        self, *, limit: int = _PAGE_ENTRIES, max_bytes: int = _PAGE_BYTES
    ) -> list[Entry]:
        """The next entries; none when it is up to date."""
        file = self._log.file
        if self.after >= file.last_seq:
            return []
        if self._offset is not None and file.size_bytes - self._offset <= _INLINE_BYTES:
            return self._read(limit, max_bytes)
        return await asyncio.to_thread(self._read, limit, max_bytes)

    def skip(self, last_seq: int, offset: int) -> None:
        """It was told what comes up to there."""
        self.after = last_seq
        self._offset = offset

    def _read(self, limit: int, max_bytes: int) -> list[Entry]:
        """Raises: StorageError."""
        file = self._log.file
        try:
            if self._offset is None:
                place = file.find(self.after + 1)
            else:
                place = Place(self.after + 1, self._offset)
            entries: list[Entry] = []
            while not entries:
                # What lies between the place and the cursor is skipped, and does not count.
                before = max(0, self.after + 1 - place.seq)
                found, place = read_entries(
                    file, self._log.session_id, place, limit=limit + before, max_bytes=max_bytes
                )
                if not found:
                    break
                entries = [entry for entry in found if entry.seq > self.after]
        except FileNotFoundError:
            return []  # deleted meanwhile
        except OSError as exc:
            raise StorageError(f"cannot read the log {str(file.path)!r}: {exc}") from exc
        if entries:
            self.after, self._offset = entries[-1].seq, place.offset
        return entries
