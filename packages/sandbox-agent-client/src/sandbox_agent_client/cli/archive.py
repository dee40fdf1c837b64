"""Where sessions are read: at a server, in a store on this machine, or both."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from sandbox_agent_core.api.sessions import BUSY_STATUSES, SessionInfo
from sandbox_agent_core.api.turns import TurnSummary
from sandbox_agent_core.events import Event, TurnStarted, is_delta
from sandbox_agent_core.ids import is_session_id
from sandbox_agent_core.lenient import as_dict, as_str
from sandbox_agent_core.projection import project
from sandbox_agent_core.turn_summaries import first_words, turn_after
from sandbox_agent_core.view import Transcript

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.cli.local_sessions import delete_local_log, local_store, run_of
from sandbox_agent_client.cli.names import find, near
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.target import Target
from sandbox_agent_client.errors import Conflict, SandboxAgentError, SessionNotFound, StorageError
from sandbox_agent_client.persistence import (
    SessionRecord,
    SqliteTranscriptStore,
    TranscriptStore,
    open_store,
    read_entries,
    read_transcript,
)

__all__ = [
    "Archive",
    "Place",
    "Row",
    "ServerArchive",
    "StoreArchive",
    "is_busy",
    "open_archives",
    "open_stored",
    "place_of",
]

ENTRIES_TO_THE_PROMPT = (20, 100)
"""Read at once, and then: before the first prompt an agent tells of itself, most of them in a few entries. A session of one
that tells more than this is listed without its prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    id: str
    agent: str
    status: str
    created_at: str
    cwd: str | None
    title: str | None = None
    first_prompt: str | None = None
    """The beginning of it, when it was asked for."""

    def to_wire(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "agent": self.agent,
            "status": self.status,
            "createdAt": self.created_at,
            "cwd": self.cwd,
            "title": self.title,
            "firstPrompt": self.first_prompt,
        }


class Archive(Protocol):
    async def rows(self, limit: int | None = None) -> list[Row]: ...

    async def found(self, limit: int, *, search: str | None = None) -> list[Row]:
        """The newest with all of these words in what a person remembers of a session, and with their first prompts."""
        ...

    async def knows(self, session_id: str) -> bool: ...

    async def transcript(self, session_id: str) -> Transcript:
        """Raises: SessionNotFound."""
        ...

    async def turns(self, session_id: str, *, tail: int | None = None) -> list[TurnSummary]:
        """Oldest first; the last so many, when there is a `tail`. Raises: SessionNotFound."""
        ...

    def events(
        self, session_id: str, after: int, *, deltas: bool = True, tail: int | None = None
    ) -> AsyncIterator[Event]:
        """Oldest first; the last so many, when there is a `tail`. Raises: SessionNotFound."""
        ...

    async def event_texts(self, session_id: str) -> str:
        """All events, a line of JSON each. Raises: SessionNotFound."""
        ...

    async def delete(self, session_id: str) -> None:
        """Raises: SessionNotFound; Conflict: somebody is using it."""
        ...


class ServerArchive:
    def __init__(self, client: SandboxAgent) -> None:
        self.client = client

    async def rows(self, limit: int | None = None) -> list[Row]:
        return [_row(session.info) for session in await self.client.list_sessions(limit=limit)]

    async def found(self, limit: int, *, search: str | None = None) -> list[Row]:
        sessions = await self.client.list_sessions(limit=limit, q=search)
        return [_row(session.info) for session in sessions]

    async def knows(self, session_id: str) -> bool:
        try:
            await self.client.get_session(session_id)
        except SessionNotFound:
            return False
        return True

    async def transcript(self, session_id: str) -> Transcript:
        return await (await self.client.get_session(session_id)).transcript()

    async def turns(self, session_id: str, *, tail: int | None = None) -> list[TurnSummary]:
        session = await self.client.get_session(session_id)
        return (await session.turns(reverse=True, limit=tail))[::-1]

    async def events(
        self, session_id: str, after: int, *, deltas: bool = True, tail: int | None = None
    ) -> AsyncIterator[Event]:
        session = await self.client.get_session(session_id)
        if tail is None:
            async for event in session.events(after=after, deltas=deltas):
                yield event
            return
        newest = session.events(after=after, deltas=deltas, reverse=True, limit=tail)
        for event in reversed([event async for event in newest]):
            yield event

    async def event_texts(self, session_id: str) -> str:
        return await (await self.client.get_session(session_id)).export("jsonl")

    async def delete(self, session_id: str) -> None:
        await self.client.delete_session(session_id)


class StoreArchive:
    def __init__(self, store: TranscriptStore, *, is_ours: bool = True) -> None:
        """`is_ours`: that of `run`, whose sessions have a directory for their server."""
        self.store = store
        self.is_ours = is_ours

    async def rows(self, limit: int | None = None) -> list[Row]:
        return [self._row(record) for record in await self.store.list_sessions(limit=limit)]

    async def found(self, limit: int, *, search: str | None = None) -> list[Row]:
        words = (search or "").casefold().split()
        found: list[Row] = []
        for record in await self.store.list_sessions():
            if len(found) == limit:
                break
            row = replace(self._row(record), first_prompt=await self._first_prompt(record.id))
            if _is_about(row, record.settings.get("metadata"), words):
                found.append(row)
        return found

    async def knows(self, session_id: str) -> bool:
        return await self.store.get_session(session_id) is not None

    async def transcript(self, session_id: str) -> Transcript:
        await self._check(session_id)
        return await read_transcript(self.store, session_id)

    async def turns(self, session_id: str, *, tail: int | None = None) -> list[TurnSummary]:
        turns: dict[str, TurnSummary] = {}
        async for event in self.events(session_id, 0, deltas=False):
            if event.turn_id is None:
                continue
            turn = turn_after(turns.get(event.turn_id), event)
            if turn is not None:
                turns[turn.id] = turn
        return sorted(turns.values(), key=lambda turn: turn.seq)[-(tail or 0) :]

    async def events(
        self, session_id: str, after: int, *, deltas: bool = True, tail: int | None = None
    ) -> AsyncIterator[Event]:
        await self._check(session_id)
        last: deque[Event] = deque(maxlen=tail)
        async for entry in read_entries(self.store, session_id, after=after):
            event = project(entry)
            if event is None or (is_delta(event.type) and not deltas):
                continue
            if tail is None:
                yield event
            else:
                last.append(event)
        for event in last:
            yield event

    async def event_texts(self, session_id: str) -> str:
        lines = [
            json.dumps(event.to_wire(), ensure_ascii=False, separators=(",", ":")) + "\n"
            async for event in self.events(session_id, 0)
        ]
        return "".join(lines)

    async def delete(self, session_id: str) -> None:
        await self._check(session_id)
        if self.is_ours:
            delete_local_log(session_id)
        await self.store.delete_session(session_id)

    async def can_go_on(self, session_id: str) -> bool:
        """Somebody may write more of it."""
        record = await self.store.get_session(session_id)
        return record is not None and record.ended_at is None

    async def end(self, session_id: str) -> None:
        """Raises: SessionNotFound; Conflict: somebody is using it."""
        record = await self.store.get_session(session_id)
        if record is None:
            raise _unknown(session_id)
        if pid := self.is_ours and run_of(session_id):
            raise Conflict(f"Session {session_id!r} is running here, in process {pid}: end that.")
        if record.ended_at is None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            await self.store.put_session(replace(record, ended_at=now))

    def _row(self, record: SessionRecord) -> Row:
        return Row(
            id=record.id,
            agent=record.agent,
            status=self._status(record.id, is_over=record.ended_at is not None),
            created_at=record.created_at,
            cwd=record.cwd,
            title=as_str(record.settings.get("title")),
        )

    async def _first_prompt(self, session_id: str) -> str | None:
        after = 0
        for limit in ENTRIES_TO_THE_PROMPT:
            entries = await self.store.entries(session_id, after=after, limit=limit)
            for entry in entries:
                event = project(entry)
                if isinstance(event, TurnStarted) and event.text:
                    return first_words(event.text)
            if len(entries) < limit:
                break
            after = entries[-1].seq
        return None

    def _status(self, session_id: str, *, is_over: bool) -> str:
        if is_over:
            return "ended"
        return "running" if self.is_ours and run_of(session_id) is not None else "dormant"

    async def _check(self, session_id: str) -> None:
        if not await self.knows(session_id):
            raise _unknown(session_id)


@dataclass(frozen=True, slots=True)
class Place:
    """A session, and where it was found."""

    id: str
    archive: Archive


@asynccontextmanager
async def open_archives(
    target: Target, *, store: str | None = None, may_be_new: bool = False
) -> AsyncIterator[list[Archive]]:
    """The server of the target; else what is on this machine: its server, when one runs, and the store of `run`. With
    `store` that alone, and the server that a target of this store names.

    Raises:
        StorageError: there is no such `store`.
    """
    async with AsyncExitStack() as stack:
        found: list[Archive] = []
        if store is not None:
            if target.store is not None and target.url is not None:
                found.append(ServerArchive(await stack.enter_async_context(target.open())))
            opened = await stack.enter_async_context(open_stored(store, may_be_new=may_be_new))
            found.append(StoreArchive(opened, is_ours=False))
        else:
            if target.url is not None:
                try:
                    found.append(ServerArchive(await stack.enter_async_context(target.open())))
                except SandboxAgentError as exc:
                    if not target.is_daemon:
                        raise
                    print(f"sandbox-agent: warning: {plain(exc.message)}", file=sys.stderr)
            if target.url is None or target.is_daemon:
                found.append(StoreArchive(await stack.enter_async_context(open_stored(None))))
        yield found


@asynccontextmanager
async def open_stored(
    store: str | None, *, may_be_new: bool = False
) -> AsyncIterator[TranscriptStore]:
    """That of a URL or path; None: that of `run`.

    Raises:
        StorageError: there is no such file: a typo makes none, unless it `may_be_new`. InvalidRequest: there is no such store.
    """
    opened = local_store() if store is None else open_store(store)
    if (
        not may_be_new
        and store is not None
        and isinstance(opened, SqliteTranscriptStore)
        and not opened.path.is_file()
    ):
        raise StorageError(f"There is no store {store!r}.")
    try:
        yield opened
    finally:
        await opened.close()


def is_busy(info: SessionInfo) -> bool:
    """Its agent is at work or will be, or waits for a person."""
    return info.status in BUSY_STATUSES or info.queued_turns > 0


async def place_of(archives: Sequence[Archive], name: str) -> Place:
    """By id, the beginning of it, or title.

    Raises:
        SessionNotFound: there is none. InvalidRequest: it could be several.
    """
    for archive in archives:
        if is_session_id(name) and await archive.knows(name):
            return Place(name, archive)
    rows = [(row, archive) for archive in archives for row in await archive.rows()]
    found = find(
        name,
        rows,
        what="sessions",
        ids=lambda one: (one[0].id,),
        titles=lambda one: (one[0].title,) if one[0].title else (),
    )
    if found is None:
        titles = [row.title for row, _ in rows if row.title]
        hint = near(name, [*(row.id for row, _ in rows), *titles])
        raise SessionNotFound(f"There is no session {name!r}.{hint} `sessions list` has them all.")
    row, archive = found
    return Place(row.id, archive)


def _row(info: SessionInfo) -> Row:
    return Row(
        id=info.id,
        agent=info.agent,
        status=info.status,
        created_at=info.created_at,
        cwd=info.cwd,
        title=info.title,
        first_prompt=info.first_prompt,
    )


def _is_about(row: Row, metadata: Any, words: Sequence[str]) -> bool:
    known = [row.title, row.first_prompt, row.id, row.agent, row.cwd]
    known += [f"{name}:{value}" for name, value in as_dict(metadata).items()]
    text = "\n".join(filter(None, known)).casefold()
    return all(word in text for word in words)


def _unknown(session_id: str) -> SessionNotFound:
    return SessionNotFound(f"There is no session {session_id!r} in the local store.")
