"""Writers of one session: whatever dies or is held up, the stored log has every entry once."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_client import MemoryTranscriptStore as Memory
from sandbox_agent_client import errors
from sandbox_agent_client.persistence import Lease
from sandbox_agent_client.testing.stores import message
from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.frames import LogEntry, extensions
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.stores.writing import (
    FIRST_RETRY_S,
    LAST_RETRY_S,
    LogWriter,
    Retries,
    new_holder,
    stored_seq,
)


def info(created_at: str = "2026-01-01T00:00:00.000Z", **members: Any) -> SessionInfo:
    told = {"id": "ses_1", "agent": "mock", "cwd": "/w", "status": "idle", "lastSeq": 0}
    return SessionInfo.model_validate(
        {**told, "createdAt": created_at, "updatedAt": created_at, **members}
    )


def log(length: int, *, name: str = "a") -> list[LogEntry]:
    return [message(seq, f"{name} {seq}") for seq in range(1, length + 1)]


def event(seq: int, method: str, **params: Any) -> LogEntry:
    payload = notification(method, params)
    return LogEntry(
        session_id="ses_1", seq=seq, time_ms=1_700_000_000_000, sender="server", payload=payload, method=method
    )  # fmt: skip


async def write_all(writer: LogWriter, entries: list[LogEntry]) -> None:
    await writer.write(entries[await writer.next_seq() - 1 :])


async def test_the_record_is_what_the_log_says() -> None:
    store = MemoryTranscriptStore()
    sandbox = {"provider": "local", "id": "x"}
    writer = LogWriter(store, info(), holder="a", sandbox=sandbox)
    entries = [
        event(1, extensions.SESSION_CREATED, agent="mock", cwd="/w", model="big", metadata={"a": 1}),
        event(2, extensions.SESSION_UPDATED, title="A name", model="small"),
        event(3, extensions.SESSION_ENDED, reason="ended"),
    ]  # fmt: skip
    await write_all(writer, entries)
    record = await store.get_session("ses_1")
    assert record is not None
    segments = record.settings["segments"]
    assert record.settings == {
        "model": "small", "metadata": {"a": 1}, "title": "A name", "segments": segments,
    }  # fmt: skip
    assert (record.cwd, record.sandbox) == ("/w", sandbox)
    assert record.ended_at == "2023-11-14T22:13:20.000Z"
    await write_all(writer, [*entries, event(4, extensions.SESSION_RESUMED, continuity="native")])
    again = await store.get_session("ses_1")
    assert again is not None
    assert again.ended_at is None
    assert await stored_seq(store, info()) == 4


async def test_the_next_sandbox_goes_on_behind_what_is_stored() -> None:
    store = MemoryTranscriptStore()
    first = LogWriter(store, info("2026-01-01T00:00:00.000Z"), holder="a")
    await write_all(first, log(3))
    second = LogWriter(store, info("2026-01-02T00:00:00.000Z"), holder="b")
    with pytest.raises(errors.SessionOwned):
        await second.next_seq()
    await first.close()
    await write_all(second, log(2, name="b"))
    await second.close()
    assert [one.seq for one in await store.entries("ses_1")] == [1, 2, 3, 4, 5]
    await write_all(first, log(4))
    assert await store.last_seq("ses_1") == 6
    assert await stored_seq(store, info("2026-01-01T00:00:00.000Z")) == 4
    assert await stored_seq(store, info("2026-01-02T00:00:00.000Z")) == 2
    assert await stored_seq(store, info("2026-01-03T00:00:00.000Z")) == 0


async def test_who_lost_the_lease_says_so_and_goes_on_when_it_is_free() -> None:
    store = MemoryTranscriptStore()
    slept = LogWriter(store, info(), holder="a")
    await write_all(slept, log(2))
    store.lapse()
    other = LogWriter(store, info(), holder="b")
    await write_all(other, log(3))
    with pytest.raises(errors.LeaseLost):
        await slept.write(log(4)[2:])
    assert not slept.is_open
    with pytest.raises(errors.SessionOwned):
        await slept.next_seq()
    await other.close()
    await write_all(slept, log(4))
    assert await store.entries("ses_1") == log(4)


async def test_a_session_that_was_deleted_is_not_made_again_without_an_entry() -> None:
    store = MemoryTranscriptStore()
    writer = LogWriter(store, info(), holder="a")
    await write_all(writer, log(2))
    await store.delete_session("ses_1")
    with pytest.raises(errors.LeaseLost):
        await writer.write(log(3)[2:])
    assert await writer.next_seq() == 1
    await writer.close()
    assert await store.list_sessions() == []


async def test_a_record_that_is_gone_from_a_store_without_leases_is_written_again() -> None:
    memory = Memory()
    store: Any = SimpleNamespace(
        **{name: getattr(memory, name) for name in ("put_session", "get_session", "append", "last_seq")}
    )  # fmt: skip
    writer = LogWriter(store, info(), holder="a")
    await write_all(writer, log(2))
    await memory.delete_session("ses_1")
    with pytest.raises(errors.StorageError):
        await writer.write(log(3)[2:])
    await write_all(writer, log(3))
    assert await memory.entries("ses_1") == log(3)


async def test_the_lease_is_renewed_when_it_is_time() -> None:
    store, now = MemoryTranscriptStore(), [0.0]
    writer = LogWriter(store, info(), holder="a", clock=lambda: now[0])
    await writer.tend()
    await writer.next_seq()
    first = store.lease
    await writer.tend()
    assert store.lease == first
    now[0] = 6.0
    await writer.tend()
    assert store.lease.expires_at > first.expires_at
    assert store.lease.generation == first.generation


@given(st.integers(0, 2**32))
async def test_writers_that_die_and_are_held_up_store_each_entry_once(seed: int) -> None:
    """Two hosts follow the same server; each call may fail before or after it did its work, and leases lapse."""
    chance = random.Random(seed)
    store = UnreliableStore(chance)
    whole = log(40)

    async def follow(name: str) -> None:
        writer = LogWriter(store, info(), holder=name)
        while True:
            try:
                begin = await writer.next_seq()
                if begin > len(whole):
                    return
                await writer.write(whole[begin - 1 : begin - 1 + chance.randint(1, 9)])
            except (errors.SessionOwned, errors.LeaseLost, errors.StorageError):
                await asyncio.sleep(0)
                if chance.random() < 0.3:
                    writer = LogWriter(store, info(), holder=new_holder())  # as after kill -9
                if chance.random() < 0.3:
                    store.lapse()

    await asyncio.gather(follow("a"), follow("b"))
    assert await store.entries("ses_1") == whole


class MemoryTranscriptStore(Memory):
    @property
    def lease(self) -> Lease:
        return self._leases["ses_1"]

    def lapse(self) -> None:
        """As if its time were over."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        self._leases = {id: replace(one, expires_at=past) for id, one in self._leases.items()}


class UnreliableStore(MemoryTranscriptStore):
    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    async def append(self, *args: Any, **kwargs: Any) -> None:
        await self._stumble()
        await super().append(*args, **kwargs)
        await self._stumble()

    async def put_session(self, *args: Any, **kwargs: Any) -> None:
        await self._stumble()
        await super().put_session(*args, **kwargs)
        await self._stumble()

    async def _stumble(self) -> None:
        await asyncio.sleep(0)
        if self._chance.random() < 0.1:
            raise errors.StorageError("the connection was lost")


def test_a_thing_is_said_once_until_it_works_again() -> None:
    said: list[str] = []
    retries = Retries(said.append)
    delays = [retries.after(errors.StorageError("down")) for _ in range(20)]
    assert delays[0] == FIRST_RETRY_S
    assert delays[-1] == LAST_RETRY_S
    assert len(said) == 1
    assert retries.is_failing
    retries.worked()
    assert retries.after(errors.StorageError("down")) == FIRST_RETRY_S
    assert len(said) == 2
    retries.after(errors.SessionOwned("by another"))
    assert "by another" in said[-1]
