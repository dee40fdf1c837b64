"""A daemon on another machine, through ssh alone: its calls, and the ports of its containers."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgent
from sandbox_agent_core.errors import InvalidRequest, ProviderUnavailable
from sandbox_agent_docker import DockerProvider
from sandbox_agent_docker.ssh import SshHost
from sandbox_agent_server.runtime import proc_table
from support.docker_engine import DockerEngine
from support.docker_fixtures import docker_tests
from support.optional import skip_without
from support.server import until
from support.sshd import Sshd, running_sshd, why_no_sshd


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ssh://build", SshHost("build")),
        ("ssh://me@Build:2222", SshHost("Build", "me", 2222)),
        (
            "ssh://core@127.0.0.1:1/run/podman.sock",
            SshHost("127.0.0.1", "core", 1, "/run/podman.sock"),
        ),
        ("ssh://[::1]:22", SshHost("::1", None, 22)),
    ],
)
def test_a_host_is_what_its_url_says(url: str, host: SshHost) -> None:
    assert SshHost.of(url) == host


@pytest.mark.parametrize("url", ["ssh://", "ssh://-oProxyCommand=x", "ssh://a:port"])
def test_what_is_no_host_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        SshHost.of(url)


def test_the_command_lines() -> None:
    host = SshHost("build", "me", 22, "/run/d.sock")
    *_, user, option, port, dashes, name, script = host.to_daemon(Path("/way"))
    assert [user, option, port, dashes, name] == ["me", "-p", "22", "--", "build"]
    assert "docker --host unix:///run/d.sock system dial-stdio" in script
    assert "podman --url unix:///run/d.sock system dial-stdio" in script
    assert "127.0.0.1:1:[::1]:2" in host.to_port(1, ("::1", 2))


@pytest.fixture
def machine(
    engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sshd]:
    if reason := why_no_sshd():
        skip_without(reason)
    environment = {"DOCKER_HOST": engine.host, "PATH": os.environ["PATH"]}
    with running_sshd(tmp_path, environment=environment) as sshd:
        monkeypatch.setenv("PATH", f"{sshd.programs}:{os.environ['PATH']}")
        monkeypatch.setenv("DOCKER_HOST", f"ssh://{sshd.name}")
        yield sshd


def needs_engine(test: Any) -> Any:
    return functools.reduce(lambda marked, mark: mark(marked), docker_tests, test)


def children() -> set[int]:
    return {one.pid for one in proc_table.read_all() if one.parent == os.getpid()}


@needs_engine
async def test_a_sandbox_on_a_machine_that_only_ssh_reaches(
    server_image: str, machine: Sshd
) -> None:
    before = children()
    await work_there()
    gc.collect()
    until(lambda: children() <= before)


async def work_there() -> None:
    provider = DockerProvider()
    async with SandboxAgent.start(provider) as client:
        session = await client.create_session("mock")
        assert (await session.prompt("text hello")).stop_reason == "end_turn"
        assert client.sandbox is not None
        url = (await provider.port_url(client.sandbox.ref, 2468)).url
        assert url.startswith("http://127.0.0.1:")
        # A line that breaks is laid again, to the same port.
        (tunnel,) = provider._daemon._tunnels._open.values()  # type: ignore[union-attr]
        broken = tunnel._process
        broken.kill()
        until(lambda: tunnel._process is not broken and answers(url))
        assert (await session.prompt("text again")).stop_reason == "end_turn"
        # More at once than an sshd lets log in.
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(provider.list())


@needs_engine
async def test_ssh_says_why_it_does_not_get_there(machine: Sshd) -> None:
    machine.known_hosts.write_text("")
    with pytest.raises(ProviderUnavailable, match="Host key verification failed"):
        await DockerProvider().list()
    answer = await DockerProvider(docker_host="ssh://127.0.0.1:1").preflight()
    assert not answer.ok
    assert "Connection refused" in answer.checks[-1].message


def answers(url: str) -> bool:
    try:
        httpx.get(f"{url}/v1/health", trust_env=False)
    except httpx.TransportError:
        return False
    return True
