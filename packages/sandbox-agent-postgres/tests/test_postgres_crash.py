"""A database that dies under load, and one whose answer to a COMMIT is lost: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sandbox_agent_client.testing.stores import message, piece, session
from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.frames import LogEntry
from sandbox_agent_postgres import PostgresStore
from support.postgres import PostgresCluster
from support.sockets import connected, pump, serving

WRITERS = 4
ENTRIES = 1500
BATCH = 50
KILLS = 2
WAIT_S = 60.0


class Follower:
    """Copies logs into a store, again and again from where the store says it is."""

    def __init__(self, store: PostgresStore) -> None:
        self.batches = 0
        self.failures = 0
        self._store = store

    async def copy(self, id: str, source: list[LogEntry]) -> None:
        while True:
            try:
                last = await self._store.last_seq(id)
                if last == len(source):
                    return
                await self._store.append(id, source[last : last + BATCH])
                self.batches += 1
            except StorageError:
                self.failures += 1
                await asyncio.sleep(0.02)


async def test_a_database_killed_under_load_loses_and_doubles_nothing(
    postgres_of_its_own: PostgresCluster, caplog: pytest.LogCaptureFixture
) -> None:
    store = PostgresStore(postgres_of_its_own.url())
    follower = Follower(store)
    sources = {id: _source(id) for id in (f"ses_{n}" for n in range(WRITERS))}

    async def kill_now_and_then() -> None:
        for _ in range(KILLS):
            batches, failures = follower.batches, follower.failures
            while follower.batches < batches + WRITERS * 4:
                await asyncio.sleep(0.001)
            postgres_of_its_own.kill()
            while follower.failures == failures:
                await asyncio.sleep(0.001)
            await asyncio.to_thread(postgres_of_its_own.start)

    for id in sources:
        await store.put_session(session(id))
    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        for id, source in sources.items():
            group.create_task(follower.copy(id, source))
        group.create_task(kill_now_and_then())
    for id, source in sources.items():
        assert await store.entries(id, limit=ENTRIES + 1) == source
    await store.close()
    assert caplog.text == ""  # the error said it


@pytest.mark.parametrize("is_forwarded", [True, False], ids=["committed", "not committed"])
async def test_when_the_connection_is_lost_at_the_commit_the_cursor_tells(
    postgres_url: str, tmp_path: Path, is_forwarded: bool
) -> None:
    direct = PostgresStore(postgres_url)
    await direct.put_session(session())
    async with _losing_commits(postgres_url, is_forwarded=is_forwarded) as (url, losing):
        store = PostgresStore(url)
        await store.list_sessions()
        losing.set()
        with pytest.raises(StorageError):
            await store.append("ses_1", [piece(1), piece(2)])
        losing.clear()
        await _until_settled(direct)
        assert await store.last_seq("ses_1") == (2 if is_forwarded else 0)
        await store.append("ses_1", [piece(1), piece(2), piece(3)])
        assert await direct.entries("ses_1") == [piece(1), piece(2), piece(3)]
        await store.close()
    await direct.close()


def _source(id: str) -> list[LogEntry]:
    return [
        message(seq, f"word{seq}", id=id) if seq % 10 == 0 else piece(seq, id=id)
        for seq in range(1, ENTRIES + 1)
    ]


async def _until_settled(store: PostgresStore) -> None:
    """The backend has ended its transaction, one way or the other: its lock of the session is gone."""
    await store._rows("SELECT 1 FROM {session} FOR UPDATE", ())


@contextlib.asynccontextmanager
async def _losing_commits(
    url: str, *, is_forwarded: bool
) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A way to the database on which, while the event is set, nobody hears how a COMMIT went."""
    losing = asyncio.Event()
    directory = parse_qs(urlsplit(url).query)["host"][0]
    own = Path(directory) / "losing"
    own.mkdir(exist_ok=True)
    name = ".s.PGSQL.5432"
    commit = b"COMMIT\0"

    async def pump_statements(
        reader: asyncio.StreamReader, up_writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            lost = losing.is_set() and commit in data
            if not lost or is_forwarded:
                up_writer.write(data)
                await up_writer.drain()
            if lost:
                return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with connected(path=Path(directory, name)) as (up_reader, up_writer):
            answers = asyncio.create_task(pump(up_reader, writer))
            try:
                await pump_statements(reader, up_writer)
            finally:
                answers.cancel()
                await asyncio.wait([answers])

    async with serving(serve, path=own / name):
        yield url.replace(directory.replace("/", "%2F"), f"{own}".replace("/", "%2F")), losing
