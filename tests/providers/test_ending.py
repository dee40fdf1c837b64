"""Sandboxes that end by themselves: when, and who is told before."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    LocalProvider,
    SandboxAgent,
    SandboxAgentSync,
    SandboxRef,
    errors,
)
from sandbox_agent_client._async import keepalive
from support.directory_provider import DirectoryProvider


class Mortal(DirectoryProvider):
    """Its sandboxes end after so long; nobody gets more than an hour."""

    lifetime_s = 600.0
    longest_s = 3600.0

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        ends_at = datetime.now(UTC) + timedelta(seconds=self.lifetime_s)
        return replace(await super().endpoint(ref), ends_at=ends_at)

    async def extend(self, ref: SandboxRef, seconds: float) -> datetime:
        await super().extend(ref, seconds)
        if seconds > self.longest_s:
            raise errors.ProviderError("Nobody gets more than an hour.")
        return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.fixture
def mortal(tmp_path: Any) -> Mortal:
    return Mortal(str(tmp_path))


@pytest.fixture(autouse=True)
def no_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "TICK_S", 3600)


async def until(condition: object, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def test_its_end_is_known_moves_on_and_is_told_once_each_time(mortal: Mortal) -> None:
    async with SandboxAgent.start(mortal) as client:
        sandbox = client.sandbox
        first = sandbox.ends_at
        assert first is not None
        assert timedelta(0) < first - datetime.now(UTC) <= timedelta(seconds=600)
        told: list[datetime] = []

        async def ending(ends_at: datetime) -> None:
            told.append(ends_at)

        sandbox.on_ending(ending, before=60)
        sandbox.on_ending(lambda _: 1 / 0, before=700)  # raises: only logged
        early: list[datetime] = []
        end = sandbox.on_ending(early.append, before=700)
        await until(lambda: early == [first])
        assert told == []
        end()

        await sandbox.extend(30)
        assert sandbox.ends_at != first
        await until(lambda: told == [sandbox.ends_at])
        await sandbox.extend(45)
        await until(lambda: len(told) == 2)
        assert told[-1] == sandbox.ends_at
        assert len(early) == 1

        await sandbox.pause()
        assert sandbox.ends_at is None
        await client.health()
        assert sandbox.ends_at is not None
        with pytest.raises(errors.ProviderError, match="more than an hour"):
            await sandbox.extend(7200)
        with pytest.raises(TypeError):
            sandbox.on_ending(lambda: None)  # type: ignore[arg-type, misc]


async def test_without_anybody_to_tell_the_log_says_it_once(
    mortal: Mortal, caplog: pytest.LogCaptureFixture
) -> None:
    mortal.lifetime_s = keepalive.ENDING_BEFORE_S - 1
    async with SandboxAgent.start(mortal) as client:
        await until(lambda: "ends at" in caplog.text)
        assert "client.sandbox.extend(seconds)" in caplog.text
        told: list[datetime] = []
        client.sandbox.on_ending(told.append)
        await until(lambda: told)
    assert caplog.text.count("ends at") == 1


def test_the_twin_is_told_too(mortal: Mortal) -> None:
    mortal.lifetime_s = 30
    with SandboxAgentSync.start(mortal) as client:
        told: list[datetime] = []
        client.sandbox.on_ending(told.append, before=60)
        deadline = time.monotonic() + 10
        while not told:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert told == [client.sandbox.ends_at]


async def test_a_sandbox_that_ends_with_nobody_but_its_user_has_no_end() -> None:
    async with SandboxAgent.start(LocalProvider()) as client:
        assert client.sandbox.ends_at is None
