"""A session that outlives its sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cutting_proxy import CuttingProxy
from sandbox_agent_client import (
    Endpoint,
    LocalProvider,
    MemoryTranscriptStore,
    SandboxAgent,
    SandboxAgentSync,
    SessionRecord,
    SqliteTranscriptStore,
    TranscriptStore,
    TurnStarted,
    errors,
)
from sandbox_agent_client._async import client as client_module
from sandbox_agent_client._async import connection as connection_module
from sandbox_agent_client._async import recorder as recorder_module
from sandbox_agent_client.persistence import read_entries, read_transcript
from sandbox_agent_core.frames import LogEntry


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TranscriptStore]:
    made = (
        MemoryTranscriptStore()
        if request.param == "memory"
        else SqliteTranscriptStore(tmp_path / "sessions.db")
    )
    yield made
    await made.close()


async def stored(store: TranscriptStore, session_id: str) -> list[LogEntry]:
    return [entry async for entry in read_entries(store, session_id)]


class CountedStore(MemoryTranscriptStore):
    closed = 0

    async def close(self) -> None:
        self.closed += 1


async def test_a_client_closes_the_store_that_it_has_opened_and_no_other(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CountedStore()
    monkeypatch.setattr(client_module, "open_store", lambda _url: store)
    for persistence, closed in ((store, 0), ("memory:", 1)):
        connecting = SandboxAgent.connect(
            endpoint.url, token=endpoint.token, persistence=persistence
        )
        async with connecting as client:
            await client.create_session("mock")
        assert store.closed == closed
        async with SandboxAgent.start(persistence=persistence):
            pass
        assert store.closed == 2 * closed


async def test_what_a_sandbox_knew_is_in_the_store_when_it_is_gone(store: TranscriptStore) -> None:
    async with SandboxAgent.start(persistence=store) as client:
        session = await client.create_session(
            "mock", model="mock-smart", env={"KEY": "secret"}, metadata={"a": 1}, title="A name"
        )
        await session.prompt("text")
        log = [entry async for entry in client._connection.history(session.info, 0)]
    assert await stored(store, session.id) == log
    record = await store.get_session(session.id)
    assert record is not None
    assert (record.agent, record.cwd) == ("mock", session.info.cwd)
    assert record.settings["model"] == "mock-smart"
    assert record.settings["metadata"] == {"a": 1}
    assert record.settings["title"] == "A name"
    assert record.sandbox is not None
    assert record.sandbox["provider"] == "local"
    assert "secret" not in repr(record)


async def test_a_session_goes_on_in_a_new_sandbox(store: TranscriptStore) -> None:
    async with SandboxAgent.start(persistence=store) as first:
        session = await first.create_session("mock", mode="plan")
        await session.prompt("the magic word is xyzzy")
    before = await stored(store, session.id)
    async with SandboxAgent.start(persistence=store) as second:
        again = await second.resume_session(session.id)
        assert again.id == session.id
        assert again.info.mode == "plan"
        events = [event async for event in again.prompt_stream("what was it?")]
        # The agent is told what was said; people see only what was typed.
        assert isinstance(events[0], TurnStarted)
        assert events[0].text == "what was it?"
        assert "xyzzy" in json.dumps(events[0].payload)
    after = await stored(store, session.id)
    assert after[: len(before)] == before
    assert [entry.seq for entry in after] == list(range(1, len(after) + 1))
    transcript = await read_transcript(store, session.id)
    assert len([turn for turn in transcript.turns if turn.prompt]) == 2
    async with SandboxAgent.start(persistence=store) as third:
        await (await third.resume_or_create_session(session.id, "mock")).prompt("and now?")
    last = await stored(store, session.id)
    assert last[: len(after)] == after
    assert [entry.seq for entry in last] == list(range(1, len(last) + 1))


def test_the_twin_does_the_same(tmp_path: Path) -> None:
    store = tmp_path / "sessions.db"
    with SandboxAgentSync.start(persistence=store) as first:
        session = first.create_session("mock")
        session.prompt("the magic word is xyzzy")
    with SandboxAgentSync.start(persistence=store) as second:
        started = next(second.resume_session(session.id).prompt_stream("what was it?"))
        assert "xyzzy" in json.dumps(started.payload)


async def test_a_server_that_knows_the_session_goes_on_by_itself(
    store: TranscriptStore, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        provider = LocalProvider(data_dir=tmp_path / "data")
        async with SandboxAgent.start(provider, persistence=store) as client:
            session = await client.resume_or_create_session("mine", "mock")
            await session.prompt(f"number {number}")
            log = [entry async for entry in client._connection.history(session.info, 0)]
    assert await stored(store, "mine") == log


async def test_a_stranger_to_server_and_store_is_not_found(store: TranscriptStore) -> None:
    async with SandboxAgent.start(persistence=store) as client:
        with pytest.raises(errors.SessionNotFound):
            await client.resume_session("no-such-session")
        session = await client.resume_or_create_session("fresh", "mock")
        assert session.info.continuity == "fresh"


async def test_the_end_of_a_session_is_stored(store: TranscriptStore) -> None:
    async with SandboxAgent.start(persistence=store) as client:
        session = await client.create_session("mock")
        await session.end()
    record = await store.get_session(session.id)
    assert record is not None
    assert record.ended_at is not None


async def test_a_deleted_session_is_gone_from_the_store_whatever_streams_still_carry(
    store: TranscriptStore, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, persistence=store
    ) as client:
        session = await client.create_session("mock")
        other = await client.get_session(session.id)
        other.on_event(lambda _event: None)
        stream = session.prompt_stream("burst 300x10")
        await anext(stream)
        await session.delete()
        with contextlib.suppress(errors.SessionNotFound):
            async for _event in stream:
                pass
    assert await store.list_sessions() == []
    assert await stored(store, session.id) == []
    assert caplog.text == ""


async def test_a_session_of_another_sandbox_is_deleted_from_the_store(
    store: TranscriptStore, endpoint: Endpoint
) -> None:
    await store.put_session(
        SessionRecord(id="old", agent="mock", created_at="2026-01-01T00:00:00Z")
    )
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, persistence=store
    ) as client:
        await client.delete_session("old")
        with pytest.raises(errors.SessionNotFound):
            await client.delete_session("old")


async def test_streams_and_callbacks_are_stored_once(endpoint: Endpoint) -> None:
    store = MemoryTranscriptStore()
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, persistence=store
    ) as client:
        session = await client.create_session("mock")
        session.on_event(lambda _event: None)
        async with asyncio.TaskGroup() as group:
            group.create_task(session.prompt("burst 300x10"))
            group.create_task(session.prompt("text"))
        log = [entry async for entry in client._connection.history(session.info, 0)]
    assert await store.entries(session.id, limit=10_000) == log


async def test_what_came_while_the_store_was_broken_is_stored_later(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder_module, "BATCH_ENTRIES", 4)
    store = BreakingStore()
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, persistence=store
    ) as client:
        session = await client.create_session("mock")
        store.is_broken = True
        assert (await session.prompt("text")).stop_reason == "end_turn"
        assert "not stored" in caplog.text
        store.is_broken = False
        log = [entry async for entry in client._connection.history(session.info, 0)]
    assert await store.entries(session.id) == log


class BreakingStore(MemoryTranscriptStore):
    is_broken = False

    async def append(self, *args: Any, **kwargs: Any) -> None:
        if self.is_broken:
            raise errors.StorageError("the disk is full")
        await super().append(*args, **kwargs)


async def test_a_store_that_hangs_holds_nothing_up_and_fills_no_memory(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorder_module, "BATCH_ENTRIES", 16)
    monkeypatch.setattr(recorder_module, "SYNC_TIMEOUT_S", 0.05)
    monkeypatch.setattr(connection_module, "CLOSE_TIMEOUT_S", 0.05)
    store = HangingStore()
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, persistence=store
    ) as client:
        session = await client.create_session("mock")
        for _ in range(3):
            assert (await session.prompt("burst 200x10")).stop_reason == "end_turn"
        recorder = await client._connection.recorder(session.info)
        assert recorder is not None
        assert len(recorder._held) <= 16
        log = [entry async for entry in client._connection.history(session.info, 0)]
        monkeypatch.setattr(connection_module, "CLOSE_TIMEOUT_S", 10)
        store.goes_on.set()
    assert await store.entries(session.id, limit=10_000) == log
    assert caplog.text == ""


class HangingStore(MemoryTranscriptStore):
    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()

    async def append(self, *args: Any, **kwargs: Any) -> None:
        await self.goes_on.wait()
        await super().append(*args, **kwargs)


async def test_while_another_one_writes_the_session_nothing_is_written_here(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryTranscriptStore()
    other = await store.acquire_lease("shared", holder="other:1:x", ttl_s=3600)
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, persistence=store
    ) as client:
        session = await client.create_session("mock", id="shared")
        assert (await session.prompt("text")).stop_reason == "end_turn"
        assert (await session.prompt("text")).stop_reason == "end_turn"
        assert await store.last_seq("shared") == 0
        assert caplog.text.count("other:1:x") == 1
        await store.release_lease(other)
        await session.prompt("text")
        log = [entry async for entry in client._connection.history(session.info, 0)]
    assert await store.entries("shared", limit=10_000) == log


async def test_what_another_one_has_stored_need_not_be_waited_for(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryTranscriptStore()
    async with (
        SandboxAgent.connect(endpoint.url, token=endpoint.token, persistence=store) as writer,
        SandboxAgent.connect(endpoint.url, token=endpoint.token, persistence=store) as second,
    ):
        session = await writer.create_session("mock")
        session.on_event(lambda _event: None)
        await session.prompt("text")
        same = await second.get_session(session.id)
        await same.prompt("text")
        log = [entry async for entry in second._connection.history(same.info, 0)]
        assert await store.entries(session.id, limit=10_000) == log
    assert "not stored" not in caplog.text


async def test_a_session_that_is_written_elsewhere_is_not_resumed_in_a_new_sandbox(
    endpoint: Endpoint,
) -> None:
    store = MemoryTranscriptStore()
    await store.put_session(
        SessionRecord(id="owned", agent="mock", created_at="2026-01-01T00:00:00.000Z")
    )
    other = await store.acquire_lease("owned", holder="other:1:x", ttl_s=3600)
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, persistence=store
    ) as client:
        with pytest.raises(errors.SessionOwned) as caught:
            await client.resume_session("owned")
        assert caught.value.details["holder"] == "other:1:x"
        assert caught.value.details["expiresAt"]
        with pytest.raises(errors.SessionNotFound):
            await client.get_session("owned")
        await store.release_lease(other)
        await (await client.resume_session("owned")).prompt("text")
    assert await store.last_seq("owned") > 0


async def test_a_store_is_given_by_its_url(endpoint: Endpoint, tmp_path: Path) -> None:
    for number, given in enumerate((f"sqlite://{tmp_path}/s.db", tmp_path / "s.db")):
        async with SandboxAgent.connect(
            endpoint.url, token=endpoint.token, persistence=given
        ) as client:
            await (await client.create_session("mock")).prompt(f"number {number}")
    with SandboxAgentSync.connect(
        endpoint.url, token=endpoint.token, persistence=str(tmp_path / "s.db")
    ) as twin:
        twin.create_session("mock").prompt("number 2")
    store = SqliteTranscriptStore(tmp_path / "s.db")
    assert len(await store.list_sessions()) == 3
    assert len(await store.search("number")) >= 3
    await store.close()
    with pytest.raises(errors.InvalidRequest, match="nosuch"):
        SandboxAgent.connect(endpoint.url, persistence="nosuch://host/db")


async def test_a_server_that_is_gone_at_the_end_loses_only_what_nobody_read(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryTranscriptStore()
    async with CuttingProxy(endpoint.url) as proxy:
        async with SandboxAgent.connect(
            proxy.url, token=endpoint.token, persistence=store, timeout=1
        ) as client:
            session = await client.create_session("mock")
            await session.prompt("text")
            known = await store.last_seq(session.id)
            proxy.refuses = True
            proxy.cut()
        assert "not stored" in caplog.text
    assert await store.last_seq(session.id) == known > 0
