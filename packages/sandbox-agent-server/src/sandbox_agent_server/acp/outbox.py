"""What one ACP client was told, and will be: a log of its own, in which each message has its place for good.

The messages of a session are in the session's log too; here they are in the order of all that the client hears.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.lenient import as_dict

from sandbox_agent_server.jsonio import loads
from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.entry import Draft, Entry
from sandbox_agent_server.log.file import Quota
from sandbox_agent_server.log.log import Cursor, SessionLog, retry_delays
from sandbox_agent_server.log.step import Step
from sandbox_agent_server.log.views import Batch
from sandbox_agent_server.runtime.tasks import TaskOwner

__all__ = ["Message", "Outbox", "draft", "payload_of", "source_of"]

logger = logging.getLogger(__name__)

_PAYLOAD: Final = b',"payload":'
"""Never within a JSON string, and the annotations of an outbox have no member of that name."""


@dataclass(frozen=True, slots=True)
class Message:
    """To the client."""

    cursor: int
    """Its place, from 1 without gaps."""
    session_id: str | None
    """The ACP session that it belongs to; None: to the connection, as do the answers that open a session."""
    raw: bytes
    """One line of JSON."""


class Outbox:
    def __init__(self, name: str, directory: Path, *, quota: Quota, syncer: Syncer) -> None:
        """Raises: StorageError."""
        self.log = SessionLog(name, directory, quota=quota, syncer=syncer)
        self._unwritten: deque[list[Draft]] = deque()
        """What the disk did not take. It is in the log of its session, which held the agent back."""
        self._tasks = TaskOwner(name)

    def put(
        self, raw: bytes, frame: Frame, *, session_id: str | None = None, source: Any = None
    ) -> None:
        """Never raises: what cannot be written is written later, in its order."""
        self.put_all([draft(raw, frame, session_id=session_id, source=source)])

    def put_all(self, drafts: list[Draft]) -> None:
        if self._unwritten or not self._write(drafts):
            self._unwritten.append(drafts)
            if len(self._unwritten) == 1:
                self._tasks.spawn(self._write_later(), name="outbox")

    async def messages(self, after: int = 0) -> AsyncIterator[Message]:
        """Everything after a cursor, and then what comes; ends when the connection does."""
        cursor = Cursor(self.log, after)
        waiter = _Waiter()
        while True:
            while entries := await cursor.read():
                for entry in entries:
                    yield message_of(entry)
            if self.log.is_closed:
                return
            waiter.clear()
            self.log.attach(waiter)
            try:
                if cursor.after >= self.log.last_seq:
                    await waiter.wait()
            finally:
                self.log.detach(waiter)

    def rest(self) -> None:
        """Nothing is written for now: give back what the file takes."""
        self.log.rest()

    async def close(self) -> None:
        """Readers get the rest, and their end."""
        await self._tasks.cancel()
        while self._unwritten and self._write(self._unwritten[0]):
            self._unwritten.popleft()
        self.log.close()

    def _write(self, drafts: list[Draft]) -> bool:
        step = Step(self.log.next_seq, self.log.now_ms)
        step.drafts.extend(drafts)
        try:
            self.log.append(step)
        except StorageError as exc:
            logger.error("%s: %s", self.log.session_id, exc.message)
            return False
        return True

    async def _write_later(self) -> None:
        for delay in retry_delays():
            await asyncio.sleep(delay)
            while self._unwritten and self._write(self._unwritten[0]):
                self._unwritten.popleft()
            if not self._unwritten:
                return


class _Waiter:
    """A follower that only wakes somebody."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.clear, self.wait = self._event.clear, self._event.wait

    def follow(self, _batch: Batch) -> None:
        self._event.set()

    def end(self) -> None:
        self._event.set()


def draft(raw: bytes, frame: Frame, *, session_id: str | None, source: Any) -> Draft:
    """`source`: `[session, seq]` of the entry that it was made of."""
    return Draft(
        "agent",
        raw,
        frame,
        method=frame.get("method") if isinstance(frame.get("method"), str) else None,
        item_id=session_id,
        annotations=None if source is None else {"source": source},
    )


def message_of(entry: Entry) -> Message:
    at = entry.line.index(_PAYLOAD)
    head = loads(entry.line[:at] + b"}")
    return Message(entry.seq, head.get("itemId"), entry.line[at + len(_PAYLOAD) : -1])


def source_of(entry: Entry) -> tuple[str, int] | None:
    """The session, and the seq of the entry in its log, that a message was made of."""
    head = loads(entry.line[: entry.line.index(_PAYLOAD)] + b"}")
    source = as_dict(head.get("annotations")).get("source")
    return (source[0], source[1]) if isinstance(source, list) and source[0] else None


def payload_of(entry: Entry) -> bytes:
    """The message in a line of the log."""
    return entry.line[entry.line.index(_PAYLOAD) + len(_PAYLOAD) : -1]
