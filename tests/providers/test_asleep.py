"""A sandbox that fell asleep without this client, or runs without its server: by its provider, a person, a reboot."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

import pytest
from sandbox_agent_client import (
    Endpoint,
    SandboxAgent,
    SandboxAgentSync,
    SandboxRef,
    errors,
)
from sandbox_agent_client._async import keepalive, stream
from sandbox_agent_client._async import transport as transport_module
from sandbox_agent_client._sync import transport as sync_transport
from support.directory_provider import DirectoryProvider


class Sleepy(DirectoryProvider):
    """Its sandboxes can be stopped behind everybody's back, as a vendor does at the end of a lifetime. Then nothing
    of them runs, and where they are nobody answers."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.stopped: set[str] = set()
        self.is_down = False

    async def stop(self, ref: SandboxRef) -> None:
        self.stopped.add(ref.id)
        await self.end_server(ref)

    async def end_server(self, ref: SandboxRef) -> None:
        pid = self.server_pid(ref)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while self.server_pid(ref) is not None:
                await asyncio.sleep(0.01)

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        self.calls.append("endpoint")
        if self.is_down:
            raise errors.ProviderUnavailable("The vendor is down.")
        if ref.id in self.stopped:
            # Not our class: what a provider of somebody else's says.
            raise errors.ProviderError("It lapsed at noon. Resume it.", state="stopped")
        machine = self._at(ref)
        token = Path(machine.layout.token).read_text().strip()
        return Endpoint(url=f"http://127.0.0.1:{ref.metadata['port']}", token=token)

    async def resume(self, ref: SandboxRef) -> None:
        self.stopped.discard(ref.id)
        await super().resume(ref)


@pytest.fixture
def sleepy(tmp_path: Path) -> Sleepy:
    return Sleepy(str(tmp_path))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "ASK_AFTER_S", 0.2)
    monkeypatch.setattr(sync_transport, "ASK_AFTER_S", 0.2)


@pytest.fixture(autouse=True)
def no_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "TICK_S", 3600)


async def until(condition: object, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


# -- woken


async def test_many_calls_wake_it_once(sleepy: Sleepy) -> None:
    async with SandboxAgent.start(sleepy) as client:
        session = await client.create_session("mock")
        await sleepy.stop(client.sandbox.ref)
        sleepy.calls.clear()
        turns = [session.prompt("hello"), session.prompt("again")]
        answers = await asyncio.gather(*turns, *(client.health() for _ in range(8)))
        assert [answer.text for answer in answers[:2]] == ["You said: hello", "You said: again"]  # type: ignore[union-attr]
        assert sleepy.calls.count("resume") == sleepy.calls.count("ensure_server") == 1
        assert not client.sandbox.is_paused


def test_the_twin_wakes_it_too(sleepy: Sleepy) -> None:
    with SandboxAgentSync.start(sleepy) as client:
        session = client.create_session("mock")
        asyncio.run(sleepy.stop(client.sandbox.ref))
        assert session.prompt("hello").text == "You said: hello"
        asyncio.run(sleepy.stop(client.sandbox.ref))
        client.sandbox.resume()
        assert client.health().status == "ok"


@pytest.mark.usefixtures("impatient")
async def test_a_frozen_one_that_takes_calls_and_never_answers_is_noticed(
    provider: DirectoryProvider,
) -> None:
    async with SandboxAgent.start(provider) as client:
        session = await client.create_session("mock")
        await provider.pause(client.sandbox.ref)
        assert (await session.prompt("hello")).text == "You said: hello"
        assert provider.calls.count("resume") == 1
        prompts = [e async for e in session.events() if e.type == "turn.started"]
        assert len(prompts) == 1  # although it was sent twice


@pytest.mark.usefixtures("impatient")
def test_the_twin_notices_it_too(provider: DirectoryProvider) -> None:
    with SandboxAgentSync.start(provider) as client:
        session = client.create_session("mock")
        asyncio.run(provider.pause(client.sandbox.ref))
        assert session.prompt("hello").text == "You said: hello"


@pytest.mark.usefixtures("impatient")
async def test_a_call_that_takes_long_in_one_that_is_awake_is_waited_for(
    provider: DirectoryProvider,
) -> None:
    async with SandboxAgent.start(provider) as client:
        session = await client.create_session("mock")
        permission = asyncio.create_task(session.prompt("wait"))
        await until(lambda: provider.calls.count("endpoint") >= 1)
        await asyncio.sleep(0)
        await session.steer("go on")
        assert (await permission).stop_reason == "end_turn"
        assert "resume" not in provider.calls


async def test_a_server_that_does_not_run_in_a_sandbox_that_does_is_started_again(
    sleepy: Sleepy, caplog: pytest.LogCaptureFixture
) -> None:
    """After `docker restart`, or a reboot."""
    caplog.set_level(logging.INFO, "sandbox_agent_client")
    async with SandboxAgent.start(sleepy) as client:
        session = await client.create_session("mock")
        await sleepy.end_server(client.sandbox.ref)
        assert (await session.prompt("hello")).text == "You said: hello"
        assert sleepy.calls.count("ensure_server") == 1
        assert "its server does not answer" in caplog.text
        await sleepy.end_server(client.sandbox.ref)
        await client.sandbox.resume()
        assert (await client.health()).status == "ok"


async def test_a_turn_that_is_waited_for_wakes_it_and_learns_that_it_was_stopped(
    sleepy: Sleepy,
) -> None:
    async with SandboxAgent.start(sleepy) as client:
        session = await client.create_session("mock")
        seqs: list[int] = []
        session.on_event(lambda event: seqs.append(event.seq), after=0)
        # Accepted, so that the stop cannot come before the answer does.
        turn = await session.send("wait")
        result = asyncio.create_task(turn.result())
        await until(lambda: len(seqs) > 3)
        await sleepy.stop(client.sandbox.ref)
        with pytest.raises(errors.Unavailable, match="stopped during the turn"):
            await asyncio.wait_for(result, 20)
        assert (await session.prompt("hello")).text == "You said: hello"
        history = [event.seq async for event in session.events()]
        await until(lambda: seqs == history)


# -- not woken


async def test_a_stream_that_nobody_waits_for_wakes_nothing_and_goes_on_when_others_do(
    sleepy: Sleepy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stream, "ASLEEP_LOOK_S", 0.2)
    async with SandboxAgent.start(sleepy) as client:
        session = await client.create_session("mock")
        seen: list[str] = []
        session.on_event(lambda event: seen.append(event.type))
        await session.prompt("hello")
        await until(lambda: "turn.ended" in seen)
        await sleepy.stop(client.sandbox.ref)
        await until(lambda: client.sandbox.is_paused)
        looked = sleepy.calls.count("endpoint")
        await until(lambda: sleepy.calls.count("endpoint") > looked + 2)
        assert "resume" not in sleepy.calls
        warnings = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
        assert sum("It lapsed at noon" in one for one in warnings) == 1

        async with SandboxAgent.start(sleepy, ref=client.sandbox.ref) as other:
            await (await other.get_session(session.id)).prompt("again")
        await until(lambda: seen.count("turn.ended") == 2)
        assert not client.sandbox.is_paused


async def test_with_wake_never_a_call_says_in_the_providers_words_that_it_sleeps(
    sleepy: Sleepy,
) -> None:
    async with SandboxAgent.start(sleepy, wake="never") as client:
        session = await client.create_session("mock")
        await sleepy.stop(client.sandbox.ref)
        for _ in range(2):
            with pytest.raises(errors.SandboxAsleep) as caught:
                await session.prompt("hello")
            assert caught.value.details["state"] in ("stopped", "paused")
        assert client.sandbox.is_paused
        assert "resume" not in sleepy.calls
        await client.sandbox.resume()
        assert (await session.prompt("hello")).text == "You said: hello"

        await sleepy.end_server(client.sandbox.ref)
        with pytest.raises(errors.ServerUnreachable):
            await client.health()
        assert sleepy.calls.count("ensure_server") == 1
        await client.sandbox.resume()
        assert (await client.health()).status == "ok"


async def test_with_wake_never_one_that_sleeps_is_not_taken_over(sleepy: Sleepy) -> None:
    async with SandboxAgent.start(sleepy) as client:
        ref = client.sandbox.ref
        await sleepy.stop(ref)
        sleepy.calls.clear()
        with pytest.raises(errors.SandboxAsleep, match="It lapsed at noon"):
            await SandboxAgent.start(sleepy, ref=ref, wake="never")
        assert "resume" not in sleepy.calls
        assert "ensure_server" not in sleepy.calls


async def test_the_first_words_are_the_providers(sleepy: Sleepy) -> None:
    async with SandboxAgent.start(sleepy, wake="never") as client:
        await sleepy.stop(client.sandbox.ref)
        with pytest.raises(errors.SandboxAsleep, match="It lapsed at noon"):
            await client.list_sessions()


async def test_looking_after_it_wakes_nothing(
    sleepy: Sleepy, caplog: pytest.LogCaptureFixture
) -> None:
    async with SandboxAgent.start(sleepy) as client:
        alive = client._keep_alive
        assert alive is not None
        await sleepy.stop(client.sandbox.ref)
        with pytest.raises(errors.SandboxAsleep):
            await alive._look()
        await alive._look()  # it is known to sleep by now
        assert "resume" not in sleepy.calls


async def test_a_vendor_that_is_down_is_no_reason_to_wake_anything(sleepy: Sleepy) -> None:
    async with SandboxAgent.start(sleepy) as client:
        await sleepy.end_server(client.sandbox.ref)
        sleepy.is_down = True
        with pytest.raises(errors.ServerUnreachable):
            await client.health()
        sleepy.is_down = False
        assert (await client.health()).status == "ok"


async def test_a_sandbox_that_does_not_wake_up_is_an_error(
    sleepy: Sleepy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(ref: SandboxRef) -> None:
        await asyncio.Event().wait()

    async with SandboxAgent.start(sleepy) as client:
        await sleepy.stop(client.sandbox.ref)
        monkeypatch.setattr("sandbox_agent_client.sandboxes.sandbox.WAKE_TIMEOUT_S", 0.1)
        monkeypatch.setattr(sleepy, "resume", never)
        with pytest.raises(errors.ProviderTimeout, match="not awake"):
            await client.health()


async def test_a_refusal_to_keep_it_alive_is_said_once(
    provider: DirectoryProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = 0

    async def extend(ref: SandboxRef, seconds: float) -> None:
        nonlocal asked
        asked += 1
        raise errors.ProviderError("The plan allows no more.")

    monkeypatch.setattr(provider, "extend", extend)
    monkeypatch.setattr(keepalive, "TICK_S", 0.02)
    async with SandboxAgent.start(provider):
        await until(lambda: asked > 3)
    assert caplog.text.count("The plan allows no more") == 1
