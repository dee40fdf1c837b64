"""Logs on their way into a store, copied by the server itself or by `store follow` beside it: nothing is lost or doubled
when one of them is killed, and nothing waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sandbox_agent_client import SandboxAgent, SqliteTranscriptStore
from sandbox_agent_client.persistence import open_store
from sandbox_agent_core.frames import LogEntry
from support.ports import free_port
from support.postgres import postgres, postgres_url
from support.server import DEADLINE_S, ServerProcess, until

__all__ = ["postgres", "postgres_url"]

MakeServer = Callable[..., ServerProcess]
KILLS = 2
LEASE_TTL_S = 1.0
"""Whoever is killed leaves a lease behind, and a test need not wait for long."""
FOLLOWER = f"""
import signal

from sandbox_agent_core.stores import writing

# It is ignored by what is started in the background of a shell, and so by its children.
signal.signal(signal.SIGINT, signal.default_int_handler)

writing.LEASE_TTL_S, writing.RENEW_AFTER_S = {LEASE_TTL_S}, {LEASE_TTL_S / 3}

from sandbox_agent_client.cli.main import main

main()
"""


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return str(tmp_path / "store.db")


@contextmanager
def follower(server: ServerProcess, store_url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", FOLLOWER, "store", "follow", "--url", server.url]
    env = os.environ | {"SANDBOX_AGENT_TOKEN": str(server.token)}
    process = subprocess.Popen(
        [*command, "--store", store_url], env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


async def stored(store_url: str | Path, session_id: str) -> list[LogEntry]:
    store = open_store(store_url)
    try:
        return await store.entries(session_id, limit=100_000)
    finally:
        await store.close()


async def until_stored(store_url: str, session_id: str, seq: int) -> None:
    store = open_store(store_url)
    try:
        async with asyncio.timeout(2 * DEADLINE_S):
            while await store.last_seq(session_id) < seq:
                await asyncio.sleep(0.05)
    finally:
        await store.close()


async def log_of(server: ServerProcess, session_id: str) -> list[LogEntry]:
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        session = await client.get_session(session_id)
        return [entry async for entry in client._connection.history(session.info, 0)]


async def has_all(store_url: str | Path, server: ServerProcess, session_id: str) -> bool:
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        if await stored(store_url, session_id) == await log_of(server, session_id):
            return True
    return False


async def test_nothing_is_lost_or_doubled_when_the_server_is_killed(
    make_server: MakeServer, store_url: str
) -> None:
    server = make_server(arguments=["--store", store_url]).start()
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
    assert await has_all(store_url, server, "one")
    log = await stored(store_url, "one")
    assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
    store = open_store(store_url)
    record = await store.get_session("one")
    await store.close()
    assert record is not None
    assert record.settings["title"] == "The first"
    assert "Traceback" not in server.log()


@pytest.mark.slow
async def test_nothing_is_lost_or_doubled_when_a_follower_and_the_server_are_killed(
    make_server: MakeServer, store_url: str
) -> None:
    server = make_server(arguments=["--port", str(free_port())]).start()
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        session = await client.create_session("mock", id="one")
        await session.prompt("burst 2000x40")
        with follower(server, store_url) as first:
            await until_stored(store_url, "one", 300)
            first.kill()
        with follower(server, store_url) as second:
            stream = session.prompt_stream("burst 4000x40")
            for _ in range(random.randint(1, 300)):
                await anext(stream)
            server.kill()
            await stream.aclose()
            server.start()
            await (await client.create_session("mock", id="late")).prompt("text")
            for id in ("one", "late"):
                log = await log_of(server, id)
                await until_stored(store_url, id, len(log))
                assert await stored(store_url, id) == log
            second.send_signal(signal.SIGINT)
            _, said = await asyncio.to_thread(second.communicate)
    assert second.returncode == 130
    assert "Traceback" not in said
    assert said.count("session late (mock)") == 1


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
