"""What is particular to containers in the life of a sandbox, and what goes wrong in it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgent
from sandbox_agent_client._async import transport
from sandbox_agent_core.errors import (
    InvalidRequest,
    PortNotOpen,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    SandboxAsleep,
    SandboxNotFound,
    ServerStartFailed,
)
from sandbox_agent_core.inspector import inspector_link
from sandbox_agent_core.spi.provider import Endpoint, SandboxRef, SandboxSpec
from sandbox_agent_docker import DockerProvider
from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.daemon_address import find_daemon
from sandbox_agent_docker.machine import ContainerMachine
from support.docker_fixtures import docker_tests
from support.wheelhouse import INSPECTOR_PAGE, inspector_wheel, installed_wheelhouse

pytestmark = [*docker_tests, pytest.mark.usefixtures("docker_environment")]


@pytest.fixture
async def sandbox(server_image: str) -> AsyncIterator[SandboxRef]:
    provider = DockerProvider()
    ref = await provider.create(SandboxSpec())
    yield ref
    await provider.destroy(ref)


def machine_of(ref: SandboxRef) -> ContainerMachine:
    return ContainerMachine(Daemon(find_daemon), ref.id)


async def health(endpoint: Endpoint) -> int:
    headers = {"authorization": f"Bearer {endpoint.token}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        return (await http.get(f"{endpoint.url}/v1/sessions")).status_code


async def test_a_container_that_was_stopped_outside_is_started_again_and_found_at_its_new_port(
    sandbox: SandboxRef, docker_client: Any
) -> None:
    before = await DockerProvider().endpoint(sandbox)
    docker_client.api.stop(sandbox.id)
    other = DockerProvider()
    with pytest.raises(ProviderError) as caught:
        await other.endpoint(sandbox)
    assert caught.value.details["state"] == "stopped"
    assert "sandbox-agent-server" in await other.logs(sandbox)
    await other.resume(sandbox)
    await other.ensure_server(sandbox)
    after = await other.endpoint(sandbox)
    assert after.token == before.token
    assert await health(after) == httpx.codes.OK


async def test_stopping_the_container_lets_the_server_end_by_itself(
    sandbox: SandboxRef, docker_client: Any
) -> None:
    docker_client.api.stop(sandbox.id, timeout=20)
    assert docker_client.api.inspect_container(sandbox.id)["State"]["ExitCode"] == 0


async def test_whatever_is_done_to_a_container_outside_the_next_call_mends_it(
    server_image: str, docker_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "ASK_AFTER_S", 0.5)
    async with SandboxAgent.start("docker") as client:
        container = client.sandbox.ref.id
        session = await client.create_session("mock")
        # Frozen, it takes connections and never answers; restarted, it runs and its server does not.
        docker_client.api.pause(container)
        assert (await session.prompt("one")).text == "You said: one"
        docker_client.api.restart(container, timeout=5)
        assert (await session.prompt("two")).text == "You said: two"
        docker_client.api.stop(container, timeout=5)
        assert (await session.prompt("three")).text == "You said: three"
        docker_client.api.kill(container)
        await client.sandbox.resume()
        assert (await session.prompt("four")).text == "You said: four"


async def test_a_container_that_sleeps_says_so_in_words_when_it_is_not_to_be_woken(
    server_image: str, docker_client: Any
) -> None:
    async with SandboxAgent.start("docker", wake="never") as client:
        docker_client.api.stop(client.sandbox.ref.id, timeout=5)
        with pytest.raises(SandboxAsleep, match="is stopped. Resume it first") as caught:
            await client.list_sessions()
        assert caught.value.details["state"] == "stopped"
        await client.sandbox.resume()
        assert await client.list_sessions() == []


async def test_a_paused_container_says_that_it_is_and_what_it_logged(sandbox: SandboxRef) -> None:
    provider = DockerProvider()
    before = await provider.endpoint(sandbox)
    await provider.pause(sandbox)
    await provider.pause(sandbox)
    with pytest.raises(SandboxAsleep) as caught:
        await provider.endpoint(sandbox)
    assert caught.value.details["state"] == "paused"
    assert "sandbox-agent-server" in await provider.logs(sandbox)
    await provider.resume(sandbox)
    await provider.resume(sandbox)
    assert await health(before) == httpx.codes.OK


async def test_a_server_that_was_killed_is_started_again(sandbox: SandboxRef) -> None:
    provider = DockerProvider()
    await machine_of(sandbox).run("kill -9 $(cat /var/lib/.sandbox-agent/pid)", timeout_s=30)
    await provider.ensure_server(sandbox)
    assert await health(await provider.endpoint(sandbox)) == httpx.codes.OK


async def test_a_script_that_takes_too_long_is_not_waited_for(sandbox: SandboxRef) -> None:
    with pytest.raises(ProviderTimeout):
        await machine_of(sandbox).run("sleep 600", timeout_s=0.3)


async def test_a_script_ends_with_its_container(sandbox: SandboxRef, docker_client: Any) -> None:
    machine = machine_of(sandbox)
    running = asyncio.ensure_future(machine.run("touch /tmp/begun; sleep 600", timeout_s=60))
    while (await machine.run("test -e /tmp/begun", timeout_s=30)).exit_code != 0:
        await asyncio.sleep(0.05)
    await asyncio.to_thread(docker_client.api.remove_container, sandbox.id, force=True)
    with contextlib.suppress(SandboxNotFound):
        assert (await running).exit_code != 0
    with pytest.raises(SandboxNotFound):
        await DockerProvider().ensure_server(sandbox)


async def test_another_port_can_be_reached(server_image: str) -> None:
    provider = DockerProvider(ports=[8000])
    ref = await provider.create(SandboxSpec())
    try:
        await machine_of(ref).spawn("cd /workspace && echo hello >x && python3 -m http.server 8000")
        url = await provider.port_url(ref, 8000)
        async with asyncio.timeout(30), httpx.AsyncClient(trust_env=False) as http:
            while True:
                try:
                    answer = await http.get(f"{url}/x")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        assert answer.text == "hello\n"
        with pytest.raises(PortNotOpen):
            await provider.port_url(ref, 8001)
    finally:
        await provider.destroy(ref)


async def test_a_sandbox_without_internet_is_reached_by_its_own_address(
    server_image: str, docker_client: Any
) -> None:
    network = docker_client.networks.create("quiet", internal=True)
    provider = DockerProvider(network="quiet")
    try:
        ref = await provider.create(SandboxSpec())
        try:
            endpoint = await provider.endpoint(ref)
            assert "127.0.0.1" not in endpoint.url
            assert await health(endpoint) == httpx.codes.OK
        finally:
            await provider.destroy(ref)
    finally:
        network.remove()


async def test_the_server_is_installed_into_a_plain_image(base_image: str) -> None:
    steps: list[str] = []
    provider = DockerProvider(base_image, workdir="/srv/work here")
    spec = SandboxSpec(
        inspector=lambda: [inspector_wheel()],
        wheelhouse=installed_wheelhouse(),
        report=steps.append,
    )
    ref = await provider.create(spec)
    try:
        endpoint = await provider.endpoint(ref)
        assert await health(endpoint) == httpx.codes.OK
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(inspector_link(endpoint.url, None))).content == INSPECTOR_PAGE
        said = await machine_of(ref).run('cd "/srv/work here" && touch x && pwd', timeout_s=30)
        assert said.exit_code == 0
        assert any("wheelhouse" in step for step in steps)
    finally:
        await provider.destroy(ref)


# -- faults


@pytest.fixture
def collected() -> Iterator[None]:
    """What the test left open is found now, and not in another test."""
    yield
    gc.collect()


@pytest.mark.usefixtures("collected")
async def test_without_a_daemon_it_says_how_to_get_one(tmp_path: Path) -> None:
    provider = DockerProvider(docker_host=f"unix://{tmp_path}/no.sock")
    with pytest.raises(ProviderUnavailable, match="systemctl start docker"):
        await provider.create(SandboxSpec())
    answer = await provider.preflight()
    assert not answer.ok
    assert answer.checks[-1].error is ProviderUnavailable
    with pytest.raises(ProviderUnavailable):
        await provider.destroy(SandboxRef(provider="docker", id="some"))


@pytest.mark.usefixtures("collected")
async def test_a_daemon_that_refuses_connections_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        provider = DockerProvider(docker_host=f"tcp://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ProviderUnavailable):
            await provider.list()


async def test_a_daemon_elsewhere_needs_to_be_told_how_ports_are_reached() -> None:
    from sandbox_agent_docker.daemon_address import DaemonAddress
    from sandbox_agent_docker.preflight import _reach

    machine = DaemonAddress(url="tcp://far.example:2375").machine
    assert not _reach(machine, is_reachable=False).ok
    assert _reach(machine, is_reachable=True).ok


async def test_an_image_that_is_missing_says_what_to_do() -> None:
    nowhere = "127.0.0.1:1/no/such:image"
    with pytest.raises(ProviderError, match="docker pull"):
        await DockerProvider(nowhere, pull="never").create(SandboxSpec())
    with pytest.raises(ProviderError, match="sandbox-agent image build"):
        await DockerProvider(nowhere).create(SandboxSpec())
    answer = await DockerProvider(nowhere).preflight()
    assert not answer.ok
    assert nowhere in answer.checks[-1].message


async def test_a_name_that_is_taken_leaves_its_owner_alone(
    server_image: str, docker_client: Any
) -> None:
    owner = docker_client.api.create_container(server_image, ["true"], name="taken-name")["Id"]
    try:
        with pytest.raises(ProviderError, match="taken-name"):
            await DockerProvider(name="taken-name").create(SandboxSpec())
        assert docker_client.api.inspect_container(owner)["Id"] == owner
    finally:
        docker_client.api.remove_container(owner)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"create_options": {"no_such_option": 1}}, InvalidRequest, "no_such_option"),
        ({"runtime": "no-such-runtime"}, ProviderError, "docker info"),
        ({"mounts": {"/no/such/directory": "/workspace"}}, ProviderError, "daemon's machine"),
        ({"network": "no-such-network"}, ProviderError, "no-such-network"),
        ({"user": "no-such-user"}, ProviderError, "a name that the image knows"),
        ({"gpus": "all"}, ProviderError, "NVIDIA Container Toolkit"),
        ({"memory": "1k"}, ProviderError, "has to be larger"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_docker_refuses_is_an_error_and_leaves_nothing(
    server_image: str,
    docker_client: Any,
    options: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    label = {"refused": next(iter(options))}
    with pytest.raises(error, match=words):
        await DockerProvider(**options, labels=label).create(SandboxSpec())
    assert left_behind(docker_client, label) == []


async def test_a_server_that_does_not_start_leaves_its_words_and_nothing_else(
    base_image: str, docker_client: Any
) -> None:
    label = {"broken": "server"}
    with pytest.raises(ServerStartFailed) as caught:
        await DockerProvider(
            base_image, labels=label, env={"PIP_INDEX_URL": "http://127.0.0.1:1"}
        ).create(SandboxSpec())
    assert caught.value.details["step"] == "install_server"
    assert left_behind(docker_client, label) == []


@pytest.mark.parametrize(
    "said", ["creating the container", "starting the container", "starting the server"]
)
async def test_a_create_that_is_cancelled_leaves_nothing(
    server_image: str, docker_client: Any, said: str
) -> None:
    label = {"cancelled": said.replace(" ", "-")}
    reached = asyncio.Event()

    def report(step: str) -> None:
        if step.startswith(said):
            reached.set()

    task = asyncio.ensure_future(DockerProvider(labels=label).create(SandboxSpec(report=report)))
    async with asyncio.timeout(60):
        await reached.wait()
    task.cancel()
    await asyncio.wait([task], timeout=60)
    assert task.cancelled()
    assert left_behind(docker_client, label) == []


def left_behind(client: Any, label: dict[str, str]) -> list[Any]:
    wanted = [f"{name}={value}" for name, value in label.items()]
    found: list[Any] = client.api.containers(all=True, filters={"label": wanted})
    return found
