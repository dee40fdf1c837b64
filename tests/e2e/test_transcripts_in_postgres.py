"""Clients, servers and a database that die in the midst of it: what is stored is what the servers wrote, once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import pytest
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_client.persistence import read_entries, read_transcript
from sandbox_agent_core.frames import LogEntry
from sandbox_agent_core.stores import writing
from sandbox_agent_postgres import PostgresStore
from support.postgres import PostgresCluster, postgres, postgres_of_its_own, postgres_url
from support.server import ServerProcess

__all__ = ["postgres", "postgres_of_its_own", "postgres_url"]

WAIT_S = 60.0
LEASE_TTL_S = 1.0
"""Whoever is killed leaves a lease behind, and a test need not wait for long."""

# Prompts without end, until it is killed.
CLIENT = f"""
import asyncio, sys
from sandbox_agent_client import SandboxAgent
from sandbox_agent_core.stores import writing

writing.LEASE_TTL_S, writing.RENEW_AFTER_S = {LEASE_TTL_S}, {LEASE_TTL_S / 3}

async def main(url, token, store):
    async with SandboxAgent.connect(url, token=token, persistence=store) as client:
        session = await client.create_session("mock", id="ticket")
        while True:
            await session.prompt("burst 300x20")

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def store(postgres_of_its_own: PostgresCluster) -> AsyncIterator[PostgresStore]:
    made = PostgresStore(postgres_of_its_own.url())
    yield made
    await made.close()


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LEASE_TTL_S", LEASE_TTL_S)
    monkeypatch.setattr(writing, "RENEW_AFTER_S", LEASE_TTL_S / 3)


@pytest.mark.slow
@pytest.mark.usefixtures("short_leases")
async def test_whatever_is_killed_the_stored_log_is_whole_and_goes_on_in_a_new_sandbox(
    make_server: Callable[..., ServerProcess],
    postgres_of_its_own: PostgresCluster,
    store: PostgresStore,
) -> None:
    url = postgres_of_its_own.url()
    server = make_server().start()
    arguments = [server.url, str(server.token), url]
    client = subprocess.Popen([sys.executable, "-c", CLIENT, *arguments])
    try:
        await _until_stored(store, 600)
        postgres_of_its_own.kill()
        await asyncio.to_thread(postgres_of_its_own.start)
        await _until_stored(store, 1800)
    finally:
        client.kill()
        client.wait()
    async with SandboxAgent.connect(server.url, token=server.token, persistence=url) as second:
        session = await second.get_session("ticket")
        await session.prompt("text the second client")
        log = [entry async for entry in second._connection.history(session.info, 0)]
        await _until_stored(store, len(log))
    assert await _stored(store) == log

    server.kill()
    other = make_server().start()
    async with SandboxAgent.connect(other.url, token=other.token, persistence=url) as third:
        session = await third.resume_session("ticket")
        await session.prompt("text the third client")
    entries = await _stored(store)
    assert entries[: len(log)] == log
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert len(entries) > len(log)
    assert len((await read_transcript(store, "ticket")).turns) > 2
    assert {hit.session.id for hit in await store.search("third client")} == {"ticket"}


async def test_a_session_that_another_client_writes_is_not_resumed_elsewhere(
    make_server: Callable[..., ServerProcess], postgres_url: str
) -> None:
    url = postgres_url
    one, two = make_server().start(), make_server().start()
    async with SandboxAgent.connect(one.url, token=one.token, persistence=url) as first:
        await (await first.create_session("mock", id="ticket")).prompt("text")
        async with SandboxAgent.connect(two.url, token=two.token, persistence=url) as second:
            with pytest.raises(errors.SessionOwned) as caught:
                await second.resume_session("ticket")
            assert caught.value.details["holder"]
    async with SandboxAgent.connect(two.url, token=two.token, persistence=url) as second:
        result = await (await second.resume_session("ticket")).prompt("text")
        assert result.stop_reason == "end_turn"


async def _stored(store: PostgresStore) -> list[LogEntry]:
    return [entry async for entry in read_entries(store, "ticket")]


async def _until_stored(store: PostgresStore, seq: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                if await store.last_seq("ticket") >= seq:
                    return
            except errors.StorageError:
                pass
            await asyncio.sleep(0.05)
