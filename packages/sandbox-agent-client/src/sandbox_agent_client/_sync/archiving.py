# Generated from `_async/archiving.py` by `scripts/unasync.py`: do not edit.
"""All sessions of a server on their way into a store. What is behind is asked of the store, so a death loses nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Final

from sandbox_agent_core.api.sessions import BUSY_STATUSES, SessionInfo
from sandbox_agent_core.errors import InvalidRequest, SessionNotFound, StorageError
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import TranscriptStore
from sandbox_agent_core.stores.writing import stored_seq

from sandbox_agent_client._calls import events as event_calls
from sandbox_agent_client._calls import sessions as calls
from sandbox_agent_client._sync.connection import Connection
from sandbox_agent_client._sync.event_stream import EventStreamSync
from sandbox_agent_client._sync.recorder import Recorder

__all__ = ["Archiving"]

logger = logging.getLogger(__name__)

IDLE_S: Final = 300.0
"""After so long without an entry others may write the session."""
PAGE_SESSIONS: Final = 100

OnStored = Callable[[SessionInfo, int], object]


class Archiving:
    def __init__(self, connection: Connection, *, on_stored: OnStored | None = None) -> None:
        """Raises: InvalidRequest: the client has no store."""
        if connection.store is None:
            raise InvalidRequest("Where to? The client has no `persistence`.")
        self._connection = connection
        self._store: TranscriptStore = connection.store
        self._on_stored = on_stored
        self._infos: dict[str, SessionInfo] = {}
        """Of sessions that have said something."""

    def run(self, *, live: bool) -> None:
        """Raises: as `Service.store_sessions`."""
        store = self._store
        self._connection.portal.run(lambda: store.list_sessions(limit=1))
        # Asked for before anything is looked at: what comes meanwhile is in the stream.
        page = self._connection.call(event_calls.all_events().page(None, limit=1))
        failed = 0
        with closing(self._behind()) as behind:
            for info in behind:
                failed += not self._catch_up(info, is_patient=not live)
        if live:
            self._follow(page.next_cursor)
        elif failed:
            raise StorageError(f"{failed} sessions could not be stored whole: try again.")

    def _behind(self) -> Generator[SessionInfo, None, None]:
        """Sessions with entries that the store does not have, newest first."""
        cursor: str | None = None
        while True:
            page = self._connection.call(calls.list_page(limit=PAGE_SESSIONS, cursor=cursor))
            for info in page.sessions:
                if self._is_behind(info):
                    yield info
            cursor = page.next_cursor
            if cursor is None:
                return

    def _is_behind(self, info: SessionInfo) -> bool:
        try:
            stored = self._connection.portal.run(lambda: stored_seq(self._store, info))
        except StorageError:
            return True  # its recorder says it, and tries again
        return stored < info.last_seq

    def _catch_up(self, info: SessionInfo, *, is_patient: bool) -> bool:
        """What the server has is stored, or will be by another one. One that takes long goes on in the background, unless somebody
        is patient."""
        recorder = self._recorder(info)
        if recorder is None:
            return True
        if is_patient:
            last = recorder.begin_sync()
            last.over.wait()
            is_stored = last.is_stored
        else:
            is_stored = recorder.sync()
        if is_stored and info.status not in BUSY_STATUSES:
            self._connection.forget_recorder(info.id)
        return is_stored or recorder.is_others

    def _follow(self, cursor: str) -> None:
        stream = EventStreamSync(self._connection, event_calls.all_events(), cursor)
        with closing(stream.entries()) as entries:
            for entry in entries:
                info = self._info_of(entry)
                recorder = None if info is None else self._recorder(info)
                if recorder is not None:
                    recorder.observe(entry)

    def _info_of(self, entry: LogEntry) -> SessionInfo | None:
        """None: it was deleted meanwhile."""
        id = entry.session_id
        # One that was deleted may be made again under its id.
        if id not in self._infos or entry.method == extensions.SESSION_CREATED:
            try:
                self._infos[id] = self._connection.call(calls.get(id))
            except SessionNotFound as exc:
                logger.info("session %s is not stored: %s", id, exc.message)
                return None
        return self._infos[id]

    def _recorder(self, info: SessionInfo) -> Recorder | None:
        recorder = self._connection.recorder(info)
        if recorder is not None:
            recorder.idle_s = IDLE_S
            recorder.on_stored = self._on_stored
        return recorder
