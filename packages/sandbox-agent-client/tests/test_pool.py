"""Pools through the SDK: what is made, prepared, handed out and destroyed. Who gets which is in `sandboxes/test_pool.py`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    LocalProvider,
    MemoryTranscriptStore,
    SandboxAgent,
    SandboxAgentSync,
    SandboxPool,
    SandboxPoolSync,
    SandboxRef,
    SandboxSpec,
    Workspace,
    errors,
)
from sandbox_agent_client._async import client as client_module
from sandbox_agent_client.sandboxes import pool as pool_module
from sandbox_agent_core.spi.labels import OURS, POOL


class Many:
    """A provider whose sandboxes are all the server of the tests."""

    name = "many"

    def __init__(self, endpoint: Endpoint) -> None:
        self.alive: dict[str, SandboxSpec] = {}
        self.made = 0
        self.calls: list[str] = []
        self.fails: BaseException | None = None
        self.stays: Exception | None = None
        self.where = endpoint

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        if self.fails is not None:
            raise self.fails
        self.made += 1
        id = f"box-{self.made}"
        self.alive[id] = spec
        return SandboxRef(provider=self.name, id=id)

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        if ref.id not in self.alive:
            raise errors.SandboxNotFound(f"no {ref.id}")
        return self.where

    async def destroy(self, ref: SandboxRef) -> None:
        if self.stays is not None:
            raise self.stays
        self.alive.pop(ref.id, None)


class Pausing(Many):
    async def pause(self, ref: SandboxRef) -> None:
        self.calls.append(f"pause {ref.id}")

    async def resume(self, ref: SandboxRef) -> None:
        self.calls.append(f"resume {ref.id}")


class Ending(Many):
    """Its sandboxes end."""

    left = timedelta(hours=1)
    can_extend = True

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        return replace(await super().endpoint(ref), ends_at=datetime.now(UTC) + self.left)

    async def extend(self, ref: SandboxRef, seconds: float) -> datetime | None:
        self.calls.append(f"extend {ref.id}")
        if not self.can_extend:
            raise errors.ProviderError("not longer")
        self.left = max(self.left, timedelta(seconds=seconds))
        return None


@pytest.fixture
def many(endpoint: Endpoint) -> Many:
    return Many(endpoint)


async def test_a_sandbox_of_a_pool_is_used_once_and_replaced(many: Many) -> None:
    async with SandboxPool(many, size=1, name="warm", env={"A": "b"}, labels={"of": "us"}) as pool:
        await pool.wait_warm()
        async with pool.acquire() as client:
            assert (await client.health()).status == "ok"
            first = client.sandbox.ref.id
            assert pool.status().in_use == 1
        assert first not in many.alive
        async with pool.acquire() as client:
            assert client.sandbox.ref.id != first
            spec = many.alive[client.sandbox.ref.id]
            assert dict(spec.env) == {"A": "b"}
            assert spec.labels[POOL] == "warm"
            assert {"of", OURS} < set(spec.labels)
    assert not many.alive


async def test_a_client_may_be_awaited_and_its_sandbox_destroyed_by_hand(many: Many) -> None:
    async with SandboxPool(many, size=1) as pool:
        client = await pool.acquire(timeout=30)
        await client.destroy_sandbox()
        assert pool.status().in_use == 0


async def test_what_is_in_use_outlives_its_pool(many: Many) -> None:
    async with SandboxPool(many, size=2) as pool:
        await pool.wait_warm()
        client = await pool.acquire()
    assert list(many.alive) == [client.sandbox.ref.id]
    assert (await client.health()).status == "ok"
    await client.destroy_sandbox()
    assert not many.alive
    with pytest.raises(errors.PoolClosed):
        await pool.acquire()


async def test_each_is_prepared_once_before_it_is_handed_out(many: Many) -> None:
    prepared: list[str] = []

    async def prepare(client: SandboxAgent) -> None:
        await client.health()
        prepared.append(client.sandbox.ref.id)

    async with SandboxPool(many, size=2, prepare=prepare) as pool:
        await pool.wait_warm()
        assert sorted(prepared) == sorted(many.alive)
        async with pool.acquire() as client:
            assert client.sandbox.ref.id in prepared


async def test_a_workspace_is_there_when_a_sandbox_is_handed_out(
    many: Many, tmp_path: Path
) -> None:
    workspace = Workspace(path=tmp_path / "w", files={"a.txt": "text"}, setup=["cp a.txt b.txt"])
    async with SandboxPool(many, size=1, workspace=workspace) as pool, pool.acquire() as client:
        assert client.workspace == str(tmp_path / "w")
        assert await client.fs.read(f"{client.workspace}/b.txt") == b"text"


async def test_a_preparation_that_fails_is_told_and_leaves_nothing(many: Many) -> None:
    mistake = ValueError("mine")

    async def prepare(client: SandboxAgent) -> None:
        raise mistake

    async with SandboxPool(many, size=0, prepare=prepare) as pool:
        with pytest.raises(errors.CallbackError, match="mine") as caught:
            await pool.acquire()
        assert not many.alive
        last = pool.status().last_error
        assert last is not None
        assert last.__cause__ is mistake
    assert isinstance(caught.value.__cause__, errors.CallbackError)


async def test_closing_ends_a_preparation(many: Many) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def prepare(client: SandboxAgent) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with SandboxPool(many, size=1, prepare=prepare):
        await began.wait()
    assert ended.is_set()
    assert not many.alive


async def test_what_the_provider_says_is_what_acquire_raises(many: Many) -> None:
    many.fails = errors.ProviderAuthError("no key", provider="many")
    async with SandboxPool(many, size=1) as pool:
        with pytest.raises(errors.ProviderAuthError, match="no key") as caught:
            await pool.acquire()
        assert caught.value.details == {"provider": "many"}
        many.fails = None
        async with pool.acquire():
            pass


async def test_a_mistake_of_a_provider_is_an_error_of_the_provider(many: Many) -> None:
    many.fails = KeyError("oops")
    async with SandboxPool(many, size=0) as pool:
        with pytest.raises(errors.ProviderError, match="oops"):
            await pool.acquire()


async def test_what_is_cancelled_by_nobody_is_a_failure_and_not_tried_for_ever(many: Many) -> None:
    async def prepare(client: SandboxAgent) -> None:
        raise asyncio.CancelledError  # of a task that it waits for

    async with SandboxPool(many, size=1, prepare=prepare) as pool:
        with pytest.raises(errors.CallbackError):
            await pool.acquire(timeout=30)
    many.fails = asyncio.CancelledError()
    async with SandboxPool(many, size=1) as pool:
        with pytest.raises(errors.ProviderError, match="cancelled"):
            await pool.acquire(timeout=30)


async def test_a_sandbox_whose_server_has_died_is_not_handed_out(
    many: Many, free_tcp_port: int
) -> None:
    async with SandboxPool(many, size=1) as pool:
        await pool.wait_warm()
        warm = pool._pool._warm[0].one
        warm.launched.endpoint = Endpoint(url=f"http://127.0.0.1:{free_tcp_port}", token="t")
        async with pool.acquire() as client:
            assert client.sandbox.ref.id == "box-2"
        assert repr(warm) == "many sandbox box-1"
        assert "box-1" not in many.alive


async def test_the_warm_ones_sleep_until_they_are_wanted(endpoint: Endpoint) -> None:
    provider = Pausing(endpoint)
    async with SandboxPool(provider, size=1, max_size=1, paused=True) as pool:
        await pool.wait_warm()
        async with pool.acquire() as client:
            assert (await client.health()).status == "ok"
        assert provider.calls[:2] == ["pause box-1", "resume box-1"]


async def test_lives_are_prolonged_while_nobody_has_them_and_short_ones_replaced(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "CHECK_EVERY_S", 0.02)
    provider = Ending(endpoint)
    async with SandboxPool(provider, size=1) as pool:
        await pool.wait_warm()
        provider.calls.clear()
        provider.left = timedelta(seconds=60)  # of the hour that it had
        await until(lambda: provider.calls.count("extend box-1") > 1)
        assert "box-1" in provider.alive
        provider.left, provider.can_extend = timedelta(seconds=60), False
        await until(lambda: "box-1" not in provider.alive)


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_provider_that_cannot_be_asked_just_now_costs_no_warm_sandbox(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool_module, "CHECK_EVERY_S", 0.02)

    class Away(Many):
        async def endpoint(self, ref: SandboxRef) -> Endpoint:
            if is_away.is_set():
                raise errors.ProviderUnavailable("away")
            return await super().endpoint(ref)

    is_away = threading.Event()
    provider = Away(endpoint)
    async with SandboxPool(provider, size=1) as pool:
        await pool.wait_warm()
        is_away.set()
        await until(lambda: "could not be looked at: away" in caplog.text)
        assert pool.status().warm == 1
        is_away.clear()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ref": "x"}, "no `ref`"),
        ({"keep": True}, "no `keep`"),
        ({"max_size": 1}, "`max_size`"),
        ({"labels": {"sandbox-agent-x": "y"}}, "client's own"),
        ({"agents": "claude"}, "`agents` is a list"),
        ({"name": ""}, "`name`"),
    ],
)
def test_what_is_none_of_a_pool_is_refused_before_anything_is_made(
    many: Many, wrong: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        SandboxPool(many, size=2, **wrong)
    with pytest.raises(errors.CapabilityNotSupported):
        SandboxPool(many, size=2, paused=True)
    with pytest.raises(errors.InvalidRequest, match="share the files"):
        SandboxPool("local", size=2, workspace=Workspace())
    with pytest.raises(TypeError, match="prepare"):
        SandboxPool(many, size=2, prepare=lambda: None)  # type: ignore[arg-type,misc]


async def test_local_sandboxes_are_processes_that_are_there_before_they_are_wanted(
    tmp_path: Path,
) -> None:
    async with SandboxPool(LocalProvider(cwd=tmp_path), size=1, max_size=1) as pool:
        await pool.wait_warm()
        async with pool.acquire() as client:
            session = await client.create_session("mock", env={"KEY": "of this user"})
            assert (await session.prompt("text hello")).stop_reason == "end_turn"
            ref = client.sandbox.ref
    with pytest.raises(errors.SandboxNotFound):
        await LocalProvider().endpoint(ref)


async def test_the_store_of_a_pool_is_closed_when_nobody_uses_it_any_more(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CountedStore()
    monkeypatch.setattr(client_module, "open_store", lambda _url: store)
    async with SandboxPool(many, size=1, persistence="memory:") as pool:
        async with pool.acquire() as client:
            await client.create_session("mock")
        kept = await pool.acquire()
    assert store.closed == 0
    await kept.destroy_sandbox()
    assert store.closed == 1
    async with SandboxPool(many, size=1, persistence=store):
        pass
    assert store.closed == 1


class CountedStore(MemoryTranscriptStore):
    closed = 0

    async def close(self) -> None:
        self.closed += 1


def test_the_twin_hands_out_in_threads(many: Many) -> None:
    prepared: list[str] = []

    def prepare(client: SandboxAgentSync) -> None:
        assert client.health().status == "ok"
        prepared.append(client.sandbox.ref.id)

    used: list[str] = []
    with SandboxPoolSync(many, size=1, max_size=2, prepare=prepare) as pool:

        def use() -> None:
            with pool.acquire(timeout=30) as client:
                assert client.health().status == "ok"
                used.append(client.sandbox.ref.id)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = pool.acquire()
    assert len(set(used)) == 4
    assert set(used) < set(prepared)
    assert kept.health().status == "ok"
    kept.destroy_sandbox()
    assert not many.alive


def test_closing_the_twin_waits_for_a_preparation_that_runs(many: Many) -> None:
    began = threading.Event()
    go_on = threading.Event()

    def prepare(client: SandboxAgentSync) -> None:
        began.set()
        go_on.wait(30)
        raise ValueError("late")

    with SandboxPoolSync(many, size=1, prepare=prepare):
        assert began.wait(30)
        threading.Timer(0.1, go_on.set).start()
    assert not many.alive


def test_the_twin_may_be_closed_twice_and_asked_afterwards(many: Many) -> None:
    with SandboxPoolSync(many, size=1) as pool:
        pool.wait_warm()
        pool.close()
    before = threading.active_count()
    for ask in (pool.acquire, pool.wait_warm):
        with pytest.raises(errors.PoolClosed):
            ask()
    assert threading.active_count() == before
    assert not many.alive


async def test_what_could_not_be_destroyed_is_tried_again_and_not_said_to_be_gone(
    many: Many,
) -> None:
    async with SandboxPool(many, size=0, max_size=1) as pool:
        client = await pool.acquire()
        many.stays = errors.ProviderUnavailable("away")
        for _ in range(2):
            with pytest.raises(errors.ProviderUnavailable):
                await client.destroy_sandbox()
        assert pool.status().in_use == 0
        many.stays = None
        await client.destroy_sandbox()
        assert not many.alive
