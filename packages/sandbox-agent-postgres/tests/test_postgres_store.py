from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql
from sandbox_agent_client.testing.stores import message, piece, session
from sandbox_agent_core.errors import LeaseLost, SessionOwned, StorageError
from sandbox_agent_core.frames import LogEntry
from sandbox_agent_core.stores.opening import open_store
from sandbox_agent_postgres import PostgresStore, database
from sandbox_agent_postgres import store as module
from support.postgres import PostgresCluster

WAIT_S = 30.0


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator[PostgresStore]:
    """As another process has it."""
    made = PostgresStore(postgres_url)
    yield made
    await made.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_it_is_found_by_the_scheme_of_its_url(scheme: str) -> None:
    store = open_store(f"{scheme}://me:a-secret@example.org/agents")
    assert isinstance(store, PostgresStore)
    assert repr(store) == (
        "PostgresStore('postgresql://me@example.org/agents', schema='sandbox_agent')"
    )


async def test_frames_of_a_megabyte_come_back_as_they_were(store: PostgresStore) -> None:
    await store.put_session(session())
    large = [message(seq, f"start{seq} " + "\ud83d\0é🙂 " * 150_000) for seq in (1, 2, 3)]
    await store.append("ses_1", large)
    assert await store.entries("ses_1") == large
    assert [hit.seq for hit in await store.search("start2")] == [2]


async def test_a_hundred_thousand_entries_are_read_in_pages(store: PostgresStore) -> None:
    await store.put_session(session())
    await _fill(store, 100_000)
    after = 0
    while page := await store.entries("ses_1", after=after, limit=10_000):
        assert [one.seq for one in page] == list(range(after + 1, after + len(page) + 1))
        after = page[-1].seq
    assert after == 100_000


async def test_two_writers_take_turns_and_never_write_at_once(
    store: PostgresStore, other: PostgresStore
) -> None:
    """Neither renews in time, as if it were slow: the other one takes over, and what comes late is not taken."""
    await store.put_session(session())

    async def write(into: PostgresStore, holder: str) -> int:
        lost = 0
        while await into.last_seq("ses_1") < 200:
            try:
                lease = await into.acquire_lease("ses_1", holder=holder, ttl_s=0.02)
                while (last := await into.last_seq("ses_1")) < 200:
                    mark = f"{lease.generation} {holder}"
                    await into.append(
                        "ses_1", [message(last + n, mark) for n in (1, 2, 3)], lease=lease
                    )
                    await asyncio.sleep(0.01)
            except SessionOwned:
                await asyncio.sleep(0.005)
            except LeaseLost:
                lost += 1
        return lost

    lost = await asyncio.gather(write(store, "a"), write(other, "b"))
    marks = [_text(entry) for entry in await store.entries("ses_1")]
    generations = [int(mark.split()[0]) for mark in marks]
    assert generations == sorted(generations)
    assert len(set(marks)) == len(set(generations))  # none had two writers
    assert sum(lost) > 0


async def test_a_frozen_writer_holds_the_session_no_longer_than_a_limit(
    store: PostgresStore, other: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_TIMEOUT_MS", 200)
    await store.put_session(session())
    goes_on = threading.Event()

    def freeze(*_: object, **__: object) -> list[LogEntry]:
        goes_on.wait(WAIT_S)
        return [piece(1, "late")]

    with monkeypatch.context() as frozen:
        frozen.setattr(module, "new_entries", freeze)
        late = asyncio.create_task(store.append("ses_1", [piece(1, "late")]))
        await _until_someone_holds_it(other)
        async with asyncio.timeout(WAIT_S):
            lease = await other.acquire_lease("ses_1", holder="b", ttl_s=30)
        goes_on.set()
        with pytest.raises(StorageError):
            await late
    await other.append("ses_1", [piece(1, "in time")], lease=lease)
    assert [_text(entry) for entry in await store.entries("ses_1")] == ["in time"]


async def _until_someone_holds_it(store: PostgresStore) -> None:
    """Rows that are locked have an `xmax`; the lock itself is in no table."""
    query = "SELECT xmax FROM {session} WHERE id = %s FOR UPDATE NOWAIT"
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                await store._rows(query, ("ses_1",))
            except StorageError:
                return
            await asyncio.sleep(0.01)


async def test_a_cancelled_call_leaves_no_statement_behind(
    store: PostgresStore, postgres: PostgresCluster, postgres_url: str
) -> None:
    await store.put_session(session())
    with _locked_rows(postgres, postgres_url) as holder:
        waiting = asyncio.create_task(store.append("ses_1", [piece(1)]))
        await _until(lambda: len(_waiting(postgres)) == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await _until(lambda: _waiting(postgres) == [])
        holder.rollback()
    await store.append("ses_1", [piece(1)])
    assert await store.last_seq("ses_1") == 1


async def test_when_all_connections_are_in_use_others_wait_for_their_turn(
    postgres: PostgresCluster, postgres_url: str
) -> None:
    store = PostgresStore(f"{postgres_url}&connect_timeout=1", pool_size=1)
    await store.put_session(session())
    with _locked_rows(postgres, postgres_url) as holder:
        first = asyncio.create_task(store.append("ses_1", [piece(1)]))
        await _until(lambda: len(_waiting(postgres)) == 1)
        others = [asyncio.create_task(store.list_sessions()) for _ in range(50)]
        _done, pending = await asyncio.wait(others, timeout=1.2)  # longer than for a connection
        assert len(pending) == len(others)
        holder.rollback()
        await asyncio.gather(first, *others)
    await store.close()


async def test_a_database_that_does_not_answer_is_not_waited_for_for_ever(
    store: PostgresStore,
    postgres: PostgresCluster,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await store.put_session(session())
    with _locked_rows(postgres, postgres_url), monkeypatch.context() as short:
        short.setattr(database, "ANSWER_TIMEOUT_S", 0.1)
        with pytest.raises(StorageError, match="did not answer"):
            await store.append("ses_1", [piece(1)])
    await store.append("ses_1", [piece(1)])


async def test_it_is_used_from_several_event_loops(store: PostgresStore) -> None:
    """As clients without `async` do, each of which has a loop in a thread."""

    def in_a_loop_of_its_own(number: int) -> None:
        async def use() -> None:
            id = f"ses_{number}"
            await store.put_session(session(id))
            await store.append(id, [piece(1, id=id)])

        asyncio.run(use())

    await asyncio.gather(*(asyncio.to_thread(in_a_loop_of_its_own, n) for n in range(5)))
    assert len(await store.list_sessions()) == 5


async def test_closing_waits_for_what_goes_on(store: PostgresStore) -> None:
    await store.put_session(session())
    going_on = asyncio.create_task(store.append("ses_1", [piece(n) for n in range(1, 500)]))
    await asyncio.sleep(0)
    await store.close()
    await going_on
    assert await store.last_seq("ses_1") == 499
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("sandbox-agent-postgres") == 1


async def test_old_sessions_are_pruned_in_batches(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SESSIONS_PER_PRUNING", 3)
    for number in range(8):
        id = f"ses_{number}"
        await store.put_session(session(id, ended_at=f"2026-01-0{number + 1}T00:00:00.000Z"))
        await store.append(id, [piece(1, id=id)])
    assert await store.prune(ended_before=datetime(2026, 1, 8, tzinfo=UTC)) == 7
    assert [one.id for one in await store.list_sessions()] == ["ses_7"]
    assert await store._rows("SELECT count(*) FROM {entry}", ()) == [(1,)]


async def test_pruning_does_not_wait_for_a_session_that_is_written(
    store: PostgresStore, postgres: PostgresCluster, postgres_url: str
) -> None:
    long_ago = "2026-01-01T00:00:00.000Z"
    await store.put_session(session(ended_at=long_ago))
    with _locked_rows(postgres, postgres_url):
        async with asyncio.timeout(WAIT_S):
            assert await store.prune(ended_before=datetime.now(UTC) + timedelta(days=1)) == 0


async def test_a_search_over_many_rows_uses_the_index(
    store: PostgresStore, postgres: PostgresCluster
) -> None:
    await store.put_session(session())
    await store.append("ses_1", [message(1, "the needle in the hay")])
    await _fill(store, 50_000, after=1)
    for analysed in (False, True):  # a search may come before the statistics
        if analysed:
            with psycopg.connect(postgres.url(), autocommit=True) as connection:
                connection.execute(sql.SQL("ANALYZE {}").format(_table(store, "entry")))
        plan = await store._rows("EXPLAIN " + module._FOUND, ("needle", 20))
        assert any("entry_words" in line for (line,) in plan), plan
    assert [hit.seq for hit in await store.search("needle hay")] == [1]


async def _fill(store: PostgresStore, entries: int, *, after: int = 0) -> None:
    """Quicker than by `append`: every tenth has a word."""
    frame = json.dumps(piece(1).to_wire() | {"seq": "SEQ"})
    await store._rows(
        "INSERT INTO {entry} SELECT 'ses_1', n, now(), convert_to(replace(%s, '\"SEQ\"', n::text), 'UTF8'), "
        "CASE WHEN n %% 10 = 0 THEN 'hay stalk' || n END FROM generate_series(%s::int, %s::int) AS n RETURNING 1",
        (frame, after + 1, entries),
    )


def _text(entry: LogEntry) -> str:
    params = entry.payload["params"]
    content = params["content"][0] if "content" in params else params["update"]["content"]
    text = content["text"]
    assert isinstance(text, str)
    return text


def _table(store: PostgresStore, name: str) -> sql.Identifier:
    return sql.Identifier(store._address.schema, name)


@contextlib.contextmanager
def _locked_rows(postgres: PostgresCluster, url: str) -> Iterator[psycopg.Connection]:
    """Somebody else is in the middle of a transaction with all sessions of the store."""
    with psycopg.connect(postgres.url()) as connection:
        table = _table(PostgresStore(url), "session")
        connection.execute(sql.SQL("SELECT 1 FROM {} FOR UPDATE").format(table))
        yield connection


def _waiting(postgres: PostgresCluster) -> Sequence[object]:
    """Statements that wait for a lock."""
    return postgres.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'sandbox-agent' "
        "AND wait_event_type = 'Lock'"
    )


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await asyncio.sleep(0.01)
