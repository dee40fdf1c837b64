"""What a container looks like from the inside, and what it does not show to the outside."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.spi.provider import SandboxRef, SandboxSpec
from sandbox_agent_docker import DockerProvider
from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.daemon_address import find_daemon
from sandbox_agent_docker.machine import ContainerMachine
from support.docker_fixtures import docker_tests
from support.wheelhouse import installed_wheelhouse

pytestmark = [*docker_tests, pytest.mark.usefixtures("docker_environment", "server_image")]

SECRET = "value-that-nobody-else-may-see"


@pytest.fixture
def provider() -> DockerProvider:
    return DockerProvider(env={"MY_KEY": SECRET}, memory="300m", cpus=0.5, pids_limit=111)


@pytest.fixture
async def sandbox(provider: DockerProvider) -> AsyncIterator[SandboxRef]:
    ref = await provider.create(SandboxSpec())
    yield ref
    await provider.destroy(ref)


async def inside(ref: SandboxRef, script: str) -> str:
    done = await ContainerMachine(Daemon(find_daemon), ref.id).run(script, timeout_s=30)
    assert done.exit_code == 0, done.output
    return done.stdout


async def test_the_server_has_no_power(sandbox: SandboxRef) -> None:
    status = await inside(sandbox, "cat /proc/$(cat /var/lib/.sandbox-agent/pid)/status")
    facts = dict(line.split(":", 1) for line in status.splitlines())
    assert set(facts["Uid"].split()) == {"1000"}
    assert set(facts["Gid"].split()) == {"1000"}
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(facts[kind], 16) == 0
    assert facts["NoNewPrivs"].strip() == "1"


async def test_the_limits_are_those_of_the_kernel(sandbox: SandboxRef) -> None:
    said = await inside(
        sandbox,
        "cd /sys/fs/cgroup; for file in memory/memory.limit_in_bytes memory.max pids/pids.max pids.max "
        "cpu/cpu.cfs_quota_us cpu.max; do [ ! -r $file ] || echo $file $(cat $file); done",
    )
    found = {}
    for line in said.splitlines():
        name, value = line.split(maxsplit=1)
        found[name.rpartition("/")[2].partition(".")[0]] = value.split()[0]
    assert found == {"memory": str(300 * 1024 * 1024), "pids": "111", "cpu": "50000"}


async def test_ports_are_published_on_the_loopback_only(
    sandbox: SandboxRef, docker_client: Any
) -> None:
    facts = docker_client.api.inspect_container(sandbox.id)
    bindings = facts["NetworkSettings"]["Ports"]
    assert [one["HostIp"] for published in bindings.values() for one in published] == ["127.0.0.1"]


async def test_neither_token_nor_environment_is_in_docker_inspect(
    provider: DockerProvider, sandbox: SandboxRef, docker_client: Any
) -> None:
    token = (await provider.endpoint(sandbox)).token
    assert token
    everything = json.dumps(docker_client.api.inspect_container(sandbox.id))
    assert token not in everything
    assert SECRET not in everything
    # Nor in what programs in the container see of each other.
    command_lines = await inside(sandbox, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "sandbox-agent-server" in command_lines
    assert token not in command_lines
    assert SECRET not in command_lines
    modes = await inside(
        sandbox, "cd /var/lib/.sandbox-agent && stat -c '%a %u' . token environment"
    )
    assert modes.split("\n")[:3] == ["700 1000", "600 1000", "600 1000"]


async def test_a_read_only_sandbox_writes_where_it_may_and_nowhere_else(
    base_image: str, docker_client: Any
) -> None:
    provider = DockerProvider(base_image, read_only=True)
    spec = SandboxSpec(wheelhouse=installed_wheelhouse())
    ref = await provider.create(spec)
    try:
        said = await inside(
            ref,
            "for path in /workspace /tmp $HOME /var/lib/.sandbox-agent /usr/local /; do "
            "if touch $path/file 2>/dev/null; then echo yes; else echo no; fi; done",
        )
        assert said.split() == ["yes", "yes", "yes", "yes", "no", "no"]
        token = (await provider.endpoint(ref)).token
        docker_client.api.stop(ref.id)
        await provider.resume(ref)
        await provider.ensure_server(ref)
        assert (await provider.endpoint(ref)).token == token
        volumes = [one["Name"] for one in docker_client.api.inspect_container(ref.id)["Mounts"]]
        assert len(volumes) == 3
    finally:
        await provider.destroy(ref)
    left = {volume["Name"] for volume in docker_client.api.volumes()["Volumes"] or ()}
    assert not left & set(volumes)


async def test_a_mounted_directory_is_used_as_it_is(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "file").write_text("from outside")
    repository.chmod(0o755)
    tmp_path.chmod(0o755)
    before = repository.stat()
    provider = DockerProvider(mounts={repository: "/workspace:ro"})
    ref = await provider.create(SandboxSpec())
    try:
        assert await inside(ref, "cat /workspace/file") == "from outside"
        after = repository.stat()
        assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)
    finally:
        await provider.destroy(ref)
