"""A server copies its logs to a store by itself: nothing is lost or doubled when it is killed, and nothing waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_agent_client import SandboxAgent, SqliteTranscriptStore
from sandbox_agent_core.frames import LogEntry
from support.server import DEADLINE_S, ServerProcess, until

MakeServer = Callable[..., ServerProcess]
KILLS = 2


async def stored(path: Path, session_id: str) -> list[LogEntry]:
    store = SqliteTranscriptStore(path)
    try:
        return await store.entries(session_id, limit=100_000)
    finally:
        await store.close()


async def log_of(server: ServerProcess, session_id: str) -> list[LogEntry]:
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        session = await client.get_session(session_id)
        return [entry async for entry in client._connection.history(session.info, 0)]


async def has_all(path: Path, server: ServerProcess, session_id: str) -> bool:
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        if await stored(path, session_id) == await log_of(server, session_id):
            return True
    return False


async def test_nothing_is_lost_or_doubled_when_the_server_is_killed(
    make_server: MakeServer, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    server = make_server(arguments=["--store", str(path)]).start()
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        await client.create_session("mock", id="one", title="The first")
    for _ in range(KILLS):
        async with SandboxAgent.connect(server.url, token=server.token) as client:
            session = await client.resume_session("one")
            stream = session.prompt_stream("burst 4000x40")
            for _ in range(random.randint(1, 300)):
                await anext(stream)
            server.kill()
            await stream.aclose()
        server.start()
    assert await has_all(path, server, "one")
    log = await stored(path, "one")
    assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
    store = SqliteTranscriptStore(path)
    record = await store.get_session("one")
    await store.close()
    assert record is not None
    assert record.settings["title"] == "The first"
    assert "Traceback" not in server.log()


async def test_what_a_server_said_last_is_stored_and_goes_on_elsewhere(
    make_server: MakeServer, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    server = make_server(env={"SANDBOX_AGENT_STORE": f"sqlite:{path}"}).start()
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        await (await client.create_session("mock", id="one")).prompt("the magic word is xyzzy")
    assert server.stop() == 0
    before = await stored(path, "one")
    store = SqliteTranscriptStore(path)
    assert [hit.session.id for hit in await store.search("xyzzy magic")] != []
    await store.close()
    other = make_server(arguments=["--store", str(path)]).start()
    async with SandboxAgent.connect(
        other.url, token=other.token, persistence=path
    ) as client:  # of two that could write it one does
        session = await client.resume_session("one")
        await session.prompt("text")
    other.stop()
    after = await stored(path, "one")
    assert after[: len(before)] == before
    assert [entry.seq for entry in after] == list(range(1, len(after) + 1))
    assert len(after) > len(before)


@pytest.mark.parametrize("url", ["nosuch://me:hush-hush-hush@host/db", "/proc/none/store.db"])
def test_a_store_that_cannot_be_opened_is_told_at_the_start(
    make_server: MakeServer, url: str
) -> None:
    server = make_server(env={"SANDBOX_AGENT_STORE": url})
    with pytest.raises(AssertionError):
        server.start()
    assert "store" in server.log()
    assert "hush-hush-hush" not in server.log()
    assert "Traceback" not in server.log()


@pytest.mark.slow
async def test_a_store_that_fails_later_is_told_of_once_and_holds_nothing_up(
    make_server: MakeServer, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    server = make_server(arguments=["--store", str(path)]).start()
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        session = await client.create_session("mock", id="one")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")
            for _ in range(3):
                assert (await session.prompt("text")).stop_reason == "end_turn"
            await asyncio.to_thread(until, lambda: "not stored yet" in server.log())
    assert await has_all(path, server, "one")
    assert server.log().count("not stored yet") == 1
