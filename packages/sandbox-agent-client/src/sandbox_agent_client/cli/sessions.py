"""`sandbox-agent sessions`: what was said and done, from a server or from the local store."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from rich.console import Console
from sandbox_agent_core.events import Event, is_delta
from sandbox_agent_core.lenient import as_str
from sandbox_agent_core.projection import project
from sandbox_agent_core.view import Transcript

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.cli.exit_codes import ExitCode, of_error
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, delete_local_log, local_store
from sandbox_agent_client.cli.transcript import show_transcript
from sandbox_agent_client.errors import SandboxAgentError, SessionNotFound
from sandbox_agent_client.persistence import (
    SqliteTranscriptStore,
    TranscriptStore,
    read_entries,
    read_transcript,
)

__all__ = ["delete_sessions", "list_sessions", "show_events", "show_session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    id: str
    agent: str
    status: str
    created_at: str
    cwd: str | None
    title: str | None = None

    def to_wire(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "agent": self.agent,
            "status": self.status,
            "createdAt": self.created_at,
            "cwd": self.cwd,
            "title": self.title,
        }


class Archive(Protocol):
    async def rows(self, limit: int) -> list[Row]: ...

    async def transcript(self, session_id: str) -> Transcript:
        """Raises: SessionNotFound."""
        ...

    def events(self, session_id: str, after: int) -> AsyncIterator[Event]:
        """Raises: SessionNotFound."""
        ...

    async def delete(self, session_id: str) -> None:
        """Raises: SessionNotFound; Conflict: somebody is using it."""
        ...


class ServerArchive:
    def __init__(self, client: SandboxAgent) -> None:
        self._client = client

    async def rows(self, limit: int) -> list[Row]:
        return [
            Row(
                id=session.id,
                agent=session.info.agent,
                status=session.info.status,
                created_at=session.info.created_at,
                cwd=session.info.cwd,
                title=session.info.title,
            )
            for session in await self._client.list_sessions(limit=limit)
        ]

    async def transcript(self, session_id: str) -> Transcript:
        return await (await self._client.get_session(session_id)).transcript()

    async def events(self, session_id: str, after: int) -> AsyncIterator[Event]:
        session = await self._client.get_session(session_id)
        async for event in session.events(after=after):
            yield event

    async def delete(self, session_id: str) -> None:
        await self._client.delete_session(session_id)


class StoreArchive:
    def __init__(self, store: TranscriptStore) -> None:
        self._store = store

    async def rows(self, limit: int) -> list[Row]:
        return [
            Row(
                id=record.id,
                agent=record.agent,
                status="ended" if record.ended_at else "dormant",
                created_at=record.created_at,
                cwd=record.cwd,
                title=as_str(record.settings.get("title")),
            )
            for record in (await self._store.list_sessions())[:limit]
        ]

    async def transcript(self, session_id: str) -> Transcript:
        await self._check(session_id)
        return await read_transcript(self._store, session_id)

    async def events(self, session_id: str, after: int) -> AsyncIterator[Event]:
        await self._check(session_id)
        async for entry in read_entries(self._store, session_id, after=after):
            event = project(entry)
            if event is not None:
                yield event

    async def delete(self, session_id: str) -> None:
        await self._check(session_id)
        delete_local_log(session_id)
        await self._store.delete_session(session_id)

    async def _check(self, session_id: str) -> None:
        if await self._store.get_session(session_id) is None:
            raise SessionNotFound(f"There is no session {session_id!r} in the local store.")


@asynccontextmanager
async def _archive(target: Target) -> AsyncIterator[Archive]:
    if target.url is not None:
        async with target.open() as client:
            yield ServerArchive(client)
        return
    store: SqliteTranscriptStore = local_store()
    try:
        yield StoreArchive(store)
    finally:
        await store.close()


async def list_sessions(target: Target, *, limit: int, as_json: bool) -> None:
    async with _archive(target) as archive:
        rows = await archive.rows(limit)
    if as_json:
        for row in rows:
            print(json.dumps(row.to_wire()))
        return
    if not rows:
        print("No sessions yet.")
        return
    print_table(
        ("id", "agent", "status", "created", "directory", "title"),
        [
            (row.id, row.agent, row.status, _here(row.created_at), row.cwd or "", row.title or "")
            for row in rows
        ],
    )


async def show_session(target: Target, session_id: str, *, as_json: bool) -> None:
    async with _archive(target) as archive:
        transcript = await archive.transcript(session_id)
    if as_json:
        print(json.dumps(transcript.to_wire()))
    else:
        show_transcript(transcript, Console(highlight=False))


async def show_events(
    target: Target, session_id: str, *, after: int, deltas: bool, as_json: bool
) -> None:
    console = Console(highlight=False)
    async with _archive(target) as archive:
        async for event in archive.events(session_id, after):
            if not deltas and is_delta(event.type):
                continue
            if as_json:
                print(json.dumps(event.to_wire()))
            else:
                console.print(plain(_line(event)), markup=False, soft_wrap=True)


async def delete_sessions(target: Target, session_ids: Sequence[str]) -> ExitCode:
    """One that cannot be deleted does not stop the others."""
    code = ExitCode.OK
    async with _archive(target) as archive:
        for session_id in session_ids:
            try:
                await archive.delete(session_id)
            except SandboxAgentError as exc:
                print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
                code = of_error(exc)
            else:
                print(f"deleted {session_id}", file=sys.stderr)
    return code


def _here(time: str) -> str:
    """In this machine's time zone."""
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M}"


def _line(event: Event) -> str:
    data = json.dumps(event.to_wire()["data"], ensure_ascii=False)
    short = data if len(data) <= 160 else data[:159] + "…"
    return f"{event.seq:>6}  {event.time.astimezone():%H:%M:%S}  {event.type:<22} {short}"
