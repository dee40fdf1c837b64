"""A sandbox from start to end through the SDK: taking over, pausing, keeping alive, cancelling."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sandbox_agent_client import (
    Endpoint,
    Event,
    LocalProvider,
    SandboxAgent,
    SandboxAgentSync,
    SandboxRef,
    SandboxSpec,
    errors,
)
from sandbox_agent_client._async import keepalive
from sandbox_agent_client.sandboxes.local.server import LocalServer
from sandbox_agent_core.spi.labels import KEPT
from sandbox_agent_core.spi.provider import Check, Preflight
from support.directory_provider import DirectoryProvider
from support.ports import free_port


async def until(condition: object, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


# -- before anything is made


async def test_what_the_preflight_misses_is_told_before_anything_is_made(
    provider: DirectoryProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def preflight() -> Preflight:
        key = Check(name="key", ok=False, message="Set SOME_KEY.", error=errors.ProviderAuthError)
        return Preflight([Check(name="sdk", ok=True, message="1.0"), key])

    monkeypatch.setattr(provider, "preflight", preflight)
    with pytest.raises(errors.ProviderAuthError, match="SOME_KEY"):
        await SandboxAgent.start(provider)
    assert provider.calls == []


async def test_a_pause_that_the_provider_cannot_do_is_refused_before_anything_is_made() -> None:
    before = await LocalProvider().list()
    with pytest.raises(errors.CapabilityNotSupported, match="'local' does not support 'pause'"):
        await SandboxAgent.start("local", on_idle="pause")
    assert await LocalProvider().list() == before


async def test_a_named_provider_takes_its_own_options(tmp_path: Path) -> None:
    async with SandboxAgent.start("local", cwd=tmp_path) as client:
        assert (await client.create_session("mock")).info.cwd == str(tmp_path)
    with pytest.raises(errors.InvalidRequest, match=r"no option `imag`\. It takes: data_dir"):
        await SandboxAgent.start("local", imag="x")
    with pytest.raises(errors.InvalidRequest, match="constructor"):
        await SandboxAgent.start(LocalProvider(), cwd=tmp_path)


async def test_labels_that_are_ours_cannot_be_given(provider: DirectoryProvider) -> None:
    with pytest.raises(errors.InvalidRequest, match="sandbox-agent-run"):
        await SandboxAgent.start(provider, labels={"sandbox-agent-run": "mine"})


async def test_a_directory_without_wheels_is_no_wheelhouse(
    provider: DirectoryProvider, tmp_path: Path
) -> None:
    with pytest.raises(errors.InvalidRequest, match="wheelhouse build"):
        await SandboxAgent.start(provider, wheelhouse=tmp_path)
    assert provider.calls == []


# -- taking over


async def test_a_sandbox_that_was_taken_over_stays_unless_told_otherwise(
    provider: DirectoryProvider,
) -> None:
    async with SandboxAgent.start(provider, keep=True) as client:
        ref = client.sandbox.ref
    (info,) = await provider.list()
    assert info.labels[KEPT] == "1"
    async with SandboxAgent.start(provider, ref=ref) as again:
        assert again.sandbox.ref == ref
    assert provider.calls.count("destroy") == 0
    async with SandboxAgent.start(provider, ref=json.dumps(ref.to_json()), keep=False):
        pass
    assert await provider.list() == []
    with pytest.raises(errors.SandboxNotFound):
        await SandboxAgent.start(provider, ref=ref.to_json())


@pytest.mark.parametrize("ref", ["not JSON", "[]", "{}", {"provider": "local"}])
async def test_what_is_no_reference_is_refused(ref: object) -> None:
    with pytest.raises(errors.InvalidRequest, match="sandbox_ref"):
        await SandboxAgent.start(ref=ref)  # type: ignore[arg-type]


async def test_a_reference_and_its_provider_must_fit(provider: DirectoryProvider) -> None:
    ref = SandboxRef(provider="local", id="x")
    with pytest.raises(errors.InvalidRequest, match="'local' sandbox"):
        await SandboxAgent.start(provider, ref=ref)
    with pytest.raises(errors.InvalidRequest, match="new sandbox"):
        await SandboxAgent.start(ref=ref, env={"A": "b"})
    with pytest.raises(errors.SandboxNotFound):
        await SandboxAgent.start(ref=ref)


async def test_a_connected_client_has_no_sandbox(provider: DirectoryProvider) -> None:
    async with (
        SandboxAgent.start(provider) as owner,
        SandboxAgent.connect(owner.base_url, token=owner.token) as client,
    ):
        assert client.sandbox_ref is None
        with pytest.raises(errors.NoSandbox) as caught:
            _ = client.sandbox
        assert isinstance(caught.value, RuntimeError)


# -- ports


def test_a_port_of_the_sandbox_is_reached_without_async_too() -> None:
    with SandboxAgentSync.start("local") as client:
        port = int(client.base_url.rpartition(":")[2])
        assert client.sandbox.port_url(port).url == client.base_url
        assert client.sandbox.capabilities.ports


# -- pausing


async def test_a_stream_waits_while_the_sandbox_is_paused_and_a_call_wakes_it(
    provider: DirectoryProvider,
) -> None:
    async with SandboxAgent.start(provider) as client:
        session = await client.create_session("mock")
        events: list[Event] = []
        session.on_event(events.append, after=0)
        await session.prompt("text one")
        await client.sandbox.pause()
        pid = provider.server_pid(client.sandbox.ref)
        assert pid is not None
        # The stream breaks as well: it must not wake the sandbox to come back.
        os.kill(pid, signal.SIGKILL)
        await until(lambda: provider.server_pid(client.sandbox.ref) is None)
        assert "resume" not in provider.calls

        await session.prompt("text two")
        assert provider.calls.count("resume") == provider.calls.count("ensure_server") == 1
        await until(lambda: [e.type for e in events].count("turn.ended") == 2)
        assert [e.seq for e in events] == sorted({e.seq for e in events})


async def test_resuming_by_hand_and_pausing_twice_are_fine(provider: DirectoryProvider) -> None:
    async with SandboxAgent.start(provider) as client:
        await client.sandbox.resume()
        assert provider.calls[-3:] == ["resume", "ensure_server", "endpoint"]
        await client.sandbox.pause()
        await client.sandbox.pause()
        await client.sandbox.resume()
        assert not client.sandbox.is_paused
        assert (await client.health()).status == "ok"


async def test_a_call_during_the_pausing_waits_and_wakes(
    provider: DirectoryProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    pausing, may_pause = asyncio.Event(), asyncio.Event()
    pause = provider.pause

    async def slowly(ref: SandboxRef) -> None:
        pausing.set()
        await may_pause.wait()
        await pause(ref)

    monkeypatch.setattr(provider, "pause", slowly)
    async with SandboxAgent.start(provider) as client:
        task = asyncio.ensure_future(client.sandbox.pause())
        await pausing.wait()
        call = asyncio.ensure_future(client.health())
        await asyncio.sleep(0)
        may_pause.set()
        await task
        assert (await call).status == "ok"
        assert provider.calls[-4:] == ["pause", "resume", "ensure_server", "endpoint"]


async def test_a_pause_that_failed_half_way_is_no_trap(
    provider: DirectoryProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = provider.pause

    async def late(ref: SandboxRef) -> None:
        await pause(ref)
        raise errors.ProviderTimeout("no answer")

    monkeypatch.setattr(provider, "pause", late)
    async with SandboxAgent.start(provider) as client:
        with pytest.raises(errors.ProviderTimeout):
            await client.sandbox.pause()
        assert (await client.health()).status == "ok"


def test_the_twin_pauses_and_wakes_too(provider: DirectoryProvider) -> None:
    with SandboxAgentSync.start(provider) as client:
        client.sandbox.pause()
        assert client.sandbox.is_paused
        assert client.health().status == "ok"
        assert not client.sandbox.is_paused
        assert "sandbox-agent-server" in client.sandbox.logs()
        client.sandbox.extend(60)
    assert provider.calls[-1] == "destroy"


# -- keeping alive


async def test_a_life_is_extended_while_a_turn_runs_and_paused_when_idle(
    provider: DirectoryProvider,
) -> None:
    async with SandboxAgent.start(provider, idle_timeout=0.4, on_idle="pause") as client:
        session = await client.create_session("mock")
        async for event in session.prompt_stream("slow 1.5"):
            if event.type == "turn.ended":
                assert "pause" not in provider.calls
        assert f"extend {keepalive.EXTENSION_S:g}" in provider.calls
        await until(lambda: client.sandbox.is_paused)
        assert (await session.prompt("text again")).stop_reason == "end_turn"
        assert provider.calls.count("resume") == 1


def test_the_twin_keeps_alive_too(provider: DirectoryProvider) -> None:
    with SandboxAgentSync.start(provider, idle_timeout=0.4, on_idle="pause") as client:
        client.create_session("mock").prompt("slow 1")
        deadline = time.monotonic() + 10
        while not client.sandbox.is_paused:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert client.health().status == "ok"


@pytest.fixture
def no_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test looks itself."""
    monkeypatch.setattr(keepalive, "TICK_S", 3600)


@pytest.mark.usefixtures("no_ticks")
async def test_an_idle_sandbox_is_left_to_lapse(provider: DirectoryProvider) -> None:
    extension = f"extend {keepalive.EXTENSION_S:g}"
    async with SandboxAgent.start(provider) as client:
        alive = client._keep_alive
        assert alive is not None
        await alive._look()
        assert provider.calls.count(extension) == 1
        long_ago = time.monotonic() - keepalive.IDLE_TIMEOUT_S - 1
        alive._active_at = client._connection.called_at = long_ago
        await alive._look()
        assert provider.calls.count(extension) == 1
        await client.health()  # a call is use
        await alive._look()
        assert provider.calls.count(extension) == 2
        assert "pause" not in provider.calls


@pytest.mark.usefixtures("no_ticks")
async def test_without_an_idle_timeout_it_lives_as_long_as_its_client(
    provider: DirectoryProvider,
) -> None:
    async with SandboxAgent.start(provider, idle_timeout=None) as client:
        alive = client._keep_alive
        assert alive is not None
        alive._active_at = client._connection.called_at = 0.0
        await alive._look()
        assert f"extend {keepalive.EXTENSION_S:g}" in provider.calls


@pytest.mark.usefixtures("no_ticks")
async def test_without_any_idle_time_its_life_is_left_as_it_is_and_nothing_is_asked(
    provider: DirectoryProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_busy() -> bool:
        raise AssertionError("the server is asked")

    async with SandboxAgent.start(provider, idle_timeout=0) as client:
        alive = client._keep_alive
        assert alive is not None
        monkeypatch.setattr(alive, "_is_busy", is_busy)
        await alive._look()
    assert not [call for call in provider.calls if call.startswith(("extend", "pause"))]


# -- failures


async def test_a_sandbox_that_is_gone_is_told_apart_from_a_server_that_does_not_answer(
    provider: DirectoryProvider,
) -> None:
    async with SandboxAgent.start(provider) as client:
        await provider.destroy(client.sandbox.ref)
        with pytest.raises(errors.SandboxNotFound):
            await client.health()


async def test_a_server_that_does_not_answer_is_an_error_with_its_log(
    provider: DirectoryProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def elsewhere(ref: SandboxRef) -> Endpoint:
        return Endpoint(url=f"http://127.0.0.1:{free_port()}", token="t")

    monkeypatch.setattr(provider, "endpoint", elsewhere)
    with pytest.raises(errors.ServerStartFailed) as caught:
        await SandboxAgent.start(provider, health_timeout=0.1)
    assert caught.value.details["step"] == "health"
    assert "sandbox-agent-server" in caught.value.details["log"]
    assert await provider.list() == []


class SlowToCleanUp(DirectoryProvider):
    """Its create is stuck; what it does when it is cancelled takes a while."""

    def __init__(self) -> None:
        super().__init__("/")
        self.may_end = asyncio.Event()
        self.ignores_cancel = False

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        self.calls.append("create")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.calls.append("cleaning")
            await self.may_end.wait()
            self.calls.append("cleaned")
            if not self.ignores_cancel:
                raise
        return SandboxRef(provider=self.name, id="late")

    async def destroy(self, ref: SandboxRef) -> None:
        self.calls.append(f"destroy {ref.id}")


@pytest.mark.parametrize("ignores", [False, True])
async def test_more_cancellations_do_not_disturb_the_clean_up_of_the_first(ignores: bool) -> None:
    provider = SlowToCleanUp()
    provider.ignores_cancel = ignores
    task = asyncio.ensure_future(SandboxAgent.start(provider))
    await until(lambda: "create" in provider.calls)
    for _ in range(3):
        task.cancel()
        await until(lambda: "cleaning" in provider.calls)
    assert not task.done()
    provider.may_end.set()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    expected = ["create", "cleaning", "cleaned"]
    assert provider.calls == ([*expected, "destroy late"] if ignores else expected)


# -- local sandboxes of other processes


async def test_a_kept_local_sandbox_survives_its_maker_and_can_be_destroyed_by_others() -> None:
    program = (
        "import json\n"
        "from sandbox_agent_client import SandboxAgentSync\n"
        "with SandboxAgentSync.start('local', keep=True) as client:\n"
        "    print(json.dumps(client.sandbox_ref.to_json()))\n"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    ref = SandboxRef.from_json(json.loads(done.stdout))
    provider = LocalProvider()
    async with SandboxAgent.start(ref=done.stdout) as client:
        assert (await client.health()).status == "ok"
    (info,) = [info for info in await provider.list() if info.ref == ref]
    assert info.state == "running"
    directory = Path(ref.metadata["directory"])
    assert directory.stat().st_mode & 0o077 == 0
    assert (directory / "token").stat().st_mode & 0o077 == 0
    await provider.destroy(ref)
    assert not directory.exists()
    with pytest.raises(errors.SandboxNotFound):
        await provider.endpoint(ref)


async def test_a_process_that_got_the_pid_of_a_dead_server_is_left_alone() -> None:
    provider = LocalProvider()
    ref = await provider.create(SandboxSpec())
    directory = Path(ref.metadata["directory"])
    server = LocalServer.at(directory)
    assert server is not None
    os.kill(server.record.pid, signal.SIGKILL)
    await until(lambda: not server.is_running)

    innocent = subprocess.Popen(["sleep", "60"])
    try:
        record = directory / "sandbox.json"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"pid": innocent.pid}))
        with pytest.raises(errors.SandboxNotFound):
            await provider.endpoint(ref)
        (info,) = [info for info in await provider.list() if info.ref.id == ref.id]
        assert info.state == "stopped"
        await provider.destroy(ref)
        assert innocent.poll() is None
        assert not directory.exists()
    finally:
        innocent.kill()
        innocent.wait()


async def test_an_agent_that_cannot_be_installed_here_is_an_error() -> None:
    before = await LocalProvider().list()
    with pytest.raises(errors.ServerStartFailed) as caught:
        await SandboxAgent.start("local", agents=["no-such-agent"])
    assert caught.value.details["step"] == "install_agent"
    assert "no-such-agent" in caught.value.details["log"]
    assert await LocalProvider().list() == before
