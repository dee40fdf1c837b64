"""Podman's own Docker API, for real: what differs there is who owns what, as its archives tell it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_agent_core.errors import ProviderError
from sandbox_agent_core.spi.provider import SandboxRef, SandboxSpec
from sandbox_agent_docker import DockerProvider
from sandbox_agent_docker.machine import ContainerMachine
from support.docker_images import shell_archive
from support.optional import skip_without
from support.podman_engine import podman_engine, why_no_podman

IMAGE = "sandbox-agent-tests-shell:latest"


@pytest.fixture(scope="module")
def podman() -> Iterator[str]:
    if reason := why_no_podman():
        skip_without(reason)
    import docker

    with podman_engine() as host:
        client = docker.DockerClient(base_url=host)
        client.api.import_image_from_data(shell_archive(), repository=IMAGE.partition(":")[0])
        client.close()
        yield host


async def test_a_container_of_podman_is_made_for_the_owner_paused_stopped_and_removed(
    podman: str, tmp_path: Path
) -> None:
    os.chown(tmp_path, 1001, 1001)
    provider = DockerProvider(
        IMAGE, mounts={tmp_path: "/workspace"}, docker_host=podman, pull="never"
    )
    answer = await provider.preflight()
    assert answer.ok, answer
    assert "Podman" in answer.checks[1].message
    async with provider._made(SandboxSpec()) as container:
        ref = SandboxRef(provider="docker", id=container.id)
        machine = ContainerMachine(provider._daemon, container.id)
        done = await machine.run(
            "touch /workspace/made $HOME/x && id -u && grep CapEff /proc/self/status", timeout_s=30
        )
        assert done.stdout.split() == ["1001", "CapEff:", "0000000000000000"]
        assert (tmp_path / "made").stat().st_uid == 1001
        assert (await provider.port_url(ref, 2468)).url.startswith("http://127.0.0.1:")
        await provider.pause(ref)
        assert [one.state for one in await provider.list()] == ["paused"]
        await provider.resume(ref)
        await provider._daemon.call(lambda client: client.api.stop(ref.id, timeout=5))
        with pytest.raises(ProviderError) as caught:
            await provider.port_url(ref, 2468)
        assert caught.value.details["state"] == "stopped"
        await provider.resume(ref)
        assert [one.state for one in await provider.list()] == ["running"]
        await provider.destroy(ref)
    assert await provider.list() == []
