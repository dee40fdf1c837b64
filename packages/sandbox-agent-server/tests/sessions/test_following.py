"""How a server follows its own logs for a store: what a store that fails costs, and whose sessions are when nothing happens.

What is stored in the end, and that nothing of it is lost, the tests with whole servers say.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from house import House
from sandbox_agent_core.errors import SessionOwned, StorageError
from sandbox_agent_core.frames import LogEntry
from sandbox_agent_core.spi.persistence import Lease, SessionRecord
from sandbox_agent_core.stores import writing
from sandbox_agent_server.log.entry import Entry
from sandbox_agent_server.log.log import Cursor
from sandbox_agent_server.sessions import following
from sandbox_agent_server.sessions.following import StoreFollower

WAIT_S = 30.0
FAR = datetime(2100, 1, 1, tzinfo=UTC)


class Store:
    """What the follower uses of one; it can be down, and another one can hold a lease."""

    def __init__(self) -> None:
        self.failures = 0
        """That many calls fail."""
        self.records: dict[str, SessionRecord] = {}
        self.logs: dict[str, list[LogEntry]] = {}
        self.leases: dict[str, Lease] = {}
        self.is_closed = False

    def _answer(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageError("The database is away.")

    async def put_session(self, record: SessionRecord, *, lease: Lease | None = None) -> None:
        self._answer()
        self.records[record.id] = record

    async def get_session(self, session_id: str) -> SessionRecord | None:
        self._answer()
        return self.records.get(session_id)

    async def list_sessions(self, **_page: Any) -> list[SessionRecord]:
        self._answer()
        return list(self.records.values())

    async def append(
        self, session_id: str, entries: Sequence[LogEntry], *, lease: Lease | None = None
    ) -> None:
        self._answer()
        self.logs.setdefault(session_id, []).extend(entries)

    async def entries(
        self, session_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[LogEntry]:
        return self.logs.get(session_id, [])[after : after + limit]

    async def last_seq(self, session_id: str) -> int:
        return len(self.logs.get(session_id, []))

    async def delete_session(self, session_id: str) -> None:
        raise AssertionError("the store outlives the server")

    async def close(self) -> None:
        self.is_closed = True

    async def acquire_lease(self, session_id: str, *, holder: str, ttl_s: float) -> Lease:
        self._answer()
        known = self.leases.get(session_id)
        if known is not None and known.holder != holder:
            raise SessionOwned("Another one writes it.", holder=known.holder)
        return self.hold(session_id, holder)

    async def renew_lease(self, lease: Lease, *, ttl_s: float) -> Lease:
        return lease

    async def release_lease(self, lease: Lease) -> None:
        self.leases.pop(lease.session_id, None)

    def hold(self, session_id: str, holder: str) -> Lease:
        made = Lease(session_id=session_id, holder=holder, generation=1, expires_at=FAR)
        self.leases[session_id] = made
        return made


@pytest.fixture
def store() -> Store:
    return Store()


@asynccontextmanager
async def following_of(house: House, store: Store) -> AsyncIterator[None]:
    """The task, as the server runs it."""
    manager = house.manager
    follower = StoreFollower(store, manager._archive, manager.reader, holder="the server")
    task = asyncio.create_task(follower.run())
    try:
        yield
    finally:
        follower.end()
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_store_that_is_away_while_it_is_first_looked_behind_is_tried_again_and_told_of_once(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writing, "FIRST_RETRY_S", 0.01)
    for id in ("one", "two"):
        await house.create(id)
    store.failures = 4
    async with following_of(house, store):
        await until(lambda: store.logs.get("two", []) == house.entries("two"))
        await until(lambda: store.logs.get("one", []) == house.entries("one"))
    assert [one.getMessage() for one in caplog.records if "away" in one.getMessage()] == [
        "store: not stored yet, and tried again: The database is away."
    ]
    assert store.leases == {}
    assert store.is_closed


async def test_a_server_that_ends_while_it_looks_behind_does_not_wait_for_a_store_that_is_away(
    house: House, store: Store
) -> None:
    await house.create("one")
    store.failures = 1_000_000
    async with asyncio.timeout(WAIT_S):
        async with following_of(house, store):
            await until(lambda: store.failures < 1_000_000)
    assert store.logs == {}


async def test_a_server_that_ends_does_not_wait_until_a_store_is_tried_again(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "FIRST_RETRY_S", 10 * WAIT_S)
    monkeypatch.setattr(writing, "LAST_RETRY_S", 10 * WAIT_S)
    async with asyncio.timeout(WAIT_S):
        async with following_of(house, store):
            await asyncio.sleep(0)
            store.failures = 1_000_000
            await house.create("one")
            await until(lambda: store.failures < 1_000_000)
            house.prompt("one")
            await asyncio.sleep(0.01)


async def test_a_server_that_ends_does_not_wait_for_a_store_that_hangs(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(following, "_LAST_ROUND_S", 0.05)
    asked = asyncio.Event()

    async def hang(*_args: Any, **_options: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(store, "append", hang)
    await house.create("one")
    async with asyncio.timeout(WAIT_S):
        async with following_of(house, store):
            await asked.wait()
    assert "not stored yet" in caplog.text


@pytest.mark.parametrize("harm", ["removed", "unreadable"])
async def test_a_log_that_cannot_be_read_is_tried_again_now_and_then(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    await house.create("one")
    file = house.manager.reader.log("one").file.path
    file.rename(file.with_suffix(".away"))
    if harm == "unreadable":
        file.mkdir()
    read = Cursor.read
    reads = 0

    async def counted(cursor: Cursor, **limits: int) -> list[Entry]:
        nonlocal reads
        reads += 1
        return await read(cursor, **limits)

    monkeypatch.setattr(Cursor, "read", counted)
    async with following_of(house, store):
        await until(lambda: reads > 0)
        await house.create("two")
        await until(lambda: store.logs.get("two", []) == house.entries("two"))
        before = reads
        await asyncio.sleep(0.1)
        assert reads - before < 10
        if harm == "unreadable":
            file.rmdir()
            file.with_suffix(".away").rename(file)
            await until(lambda: store.logs.get("one", []) == house.entries("one"))


async def test_an_end_that_nobody_foresaw_is_told(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_args: Any, **_options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(store, "append", fail)
    await house.create("one")
    async with following_of(house, store):
        await until(lambda: "nothing more is stored" in caplog.text)


async def test_a_session_at_rest_is_let_go_and_taken_again(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_IDLE_S", 0.05)
    monkeypatch.setattr(following, "RENEW_AFTER_S", 0.02)
    await house.create("one")
    async with following_of(house, store):
        await until(lambda: len(store.logs.get("one", [])) > 0 and store.leases == {})
        house.prompt("one")
        await until(lambda: store.logs["one"] == house.entries("one"))
        await until(lambda: store.leases == {})


async def test_a_session_of_another_ones_is_taken_when_that_lets_go(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writing, "FIRST_RETRY_S", 0.01)
    await house.create("one")
    lease = store.hold("one", "another one")
    async with following_of(house, store):
        await until(lambda: "another one writes" in caplog.text.lower())
        assert store.logs == {}
        await store.release_lease(lease)
        await until(lambda: store.logs.get("one", []) == house.entries("one"))
    assert caplog.text.lower().count("another one writes") == 1
