"""All sessions of a server are copied to a store by a client that works with none of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    SandboxAgent,
    SandboxAgentSync,
    SqliteTranscriptStore,
    errors,
)
from sandbox_agent_client._async import archiving
from sandbox_agent_client.cli.main import app
from sandbox_agent_client.persistence import read_entries, read_transcript
from sandbox_agent_core.frames import LogEntry
from typer.testing import CliRunner

WAIT_S = 30.0


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """A server for these tests alone: of that of all tests everything would be copied each time."""
    with SandboxAgentSync.start() as client:
        yield Endpoint(url=client.base_url, token=client.token)


@pytest.fixture
async def owner(endpoint: Endpoint) -> AsyncIterator[SandboxAgent]:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        yield client


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteTranscriptStore]:
    made = SqliteTranscriptStore(tmp_path / "sessions.db")
    yield made
    await made.close()


@asynccontextmanager
async def storing(owner: SandboxAgent, path: Path) -> AsyncIterator[SandboxAgent]:
    """Another client, which copies everything as long as the block lasts."""
    connecting = SandboxAgent.connect(owner.base_url, token=owner.token, persistence=path)
    async with connecting as client:
        task = asyncio.create_task(client.store_sessions())
        try:
            yield client
        finally:
            task.cancel()
            await asyncio.wait([task])


async def log_of(owner: SandboxAgent, id: str) -> list[LogEntry]:
    session = await owner.get_session(id)
    return [entry async for entry in owner._connection.history(session.info, 0)]


async def until_stored(store: SqliteTranscriptStore, owner: SandboxAgent, id: str) -> None:
    log = await log_of(owner, id)
    async with asyncio.timeout(WAIT_S):
        while await store.last_seq(id) < len(log):
            await asyncio.sleep(0.02)
    assert [entry async for entry in read_entries(store, id)] == log


async def test_what_is_there_and_what_comes_is_stored(
    owner: SandboxAgent, store: SqliteTranscriptStore
) -> None:
    early = await owner.create_session("mock")
    await early.prompt("text before")
    async with storing(owner, store.path):
        await until_stored(store, owner, early.id)
        late = await owner.create_session("mock")
        await late.prompt("burst 700x20")
        await early.prompt("text again")
        await until_stored(store, owner, late.id)
        await until_stored(store, owner, early.id)
    assert len((await read_transcript(store, early.id)).turns) == 2


async def test_a_session_at_rest_is_anybodys(
    owner: SandboxAgent, store: SqliteTranscriptStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "IDLE_S", 0.0)
    early = await owner.create_session("mock")
    await early.prompt("text before")
    async with storing(owner, store.path):
        late = await owner.create_session("mock")
        await late.prompt("text")
        for session in (early, late):
            await until_stored(store, owner, session.id)
            async with asyncio.timeout(WAIT_S):
                while True:
                    try:
                        lease = await store.acquire_lease(session.id, holder="other", ttl_s=9)
                        break
                    except errors.SessionOwned:
                        await asyncio.sleep(0.02)
            await store.release_lease(lease)
        await late.prompt("text once more")
        await until_stored(store, owner, late.id)


async def test_two_share_the_work(owner: SandboxAgent, store: SqliteTranscriptStore) -> None:
    async with storing(owner, store.path), storing(owner, store.path):
        sessions = [await owner.create_session("mock") for _ in range(3)]
        for session in sessions:
            await session.prompt("burst 50x20")
            await until_stored(store, owner, session.id)


async def test_a_session_that_was_made_again_is_stored_again(
    owner: SandboxAgent, store: SqliteTranscriptStore
) -> None:
    async with storing(owner, store.path):
        await (await owner.create_session("mock", id="again")).prompt("text first")
        await until_stored(store, owner, "again")
        await owner.delete_session("again")
        await (await owner.create_session("mock", id="again")).prompt("text second")
        log = await log_of(owner, "again")
        async with asyncio.timeout(WAIT_S):
            while not await store.search("second"):
                await asyncio.sleep(0.02)
    assert await store.last_seq("again") > len(log)


def test_the_twin_copies_what_is_there(endpoint: Endpoint, tmp_path: Path) -> None:
    counted: Counter[str] = Counter()
    connecting = SandboxAgentSync.connect(
        endpoint.url, token=endpoint.token, persistence=tmp_path / "sessions.db"
    )
    with connecting as client:
        session = client.create_session("mock")
        session.prompt("burst 700x20")
    connecting = SandboxAgentSync.connect(
        endpoint.url, token=endpoint.token, persistence=tmp_path / "other.db"
    )
    with connecting as client:
        for _ in range(2):
            client.store_sessions(
                live=False, on_stored=lambda info, count: counted.update({info.id: count})
            )
        assert counted[session.id] == client.get_session(session.id).info.last_seq


async def test_a_store_is_needed_and_has_to_work(owner: SandboxAgent, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequest):
        await owner.store_sessions()
    (tmp_path / "file").write_text("no database, but long enough to be taken for one" * 99)
    connecting = SandboxAgent.connect(
        owner.base_url, token=owner.token, persistence=tmp_path / "file"
    )
    async with connecting as client:
        with pytest.raises(errors.StorageError):
            await client.store_sessions()


def test_the_command_copies_what_is_there_and_says_how_much(
    at_server: dict[str, str], tmp_path: Path
) -> None:
    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(app, ["store", "follow", *arguments], env=at_server)
        return done.exit_code, done.stderr

    url, token = at_server["SANDBOX_AGENT_URL"], at_server["SANDBOX_AGENT_TOKEN"]
    with SandboxAgentSync.connect(url, token=token) as client:
        session = client.create_session("mock")
        session.prompt("text")
    path = str(tmp_path / "new.db")
    code, said = run("--url", url, "--store", path, "--once")
    assert code == 0, said
    assert f"session {session.id} (mock) of 127.0.0.1" in said
    code, said = run("--url", url, "--store", path, "--once")
    assert code == 0, said
    assert session.id not in said
    assert run("--url", "http://127.0.0.1:1", "--store", path)[0] == 5
    assert run("--sandbox", "no-such", "--provider", "local", "--store", path)[0] == 5
    assert run("--sandbox", "no-such", "--url", url)[0] == 2
