"""A pool whose warm containers are hurt from outside."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_client import SandboxAgent, SandboxPool
from sandbox_agent_core.spi.labels import POOL
from sandbox_agent_docker import DockerProvider
from support.docker_fixtures import docker_tests

pytestmark = [*docker_tests, pytest.mark.usefixtures("docker_environment", "server_image")]


async def test_a_warm_container_that_was_removed_is_replaced_before_anybody_gets_it(
    docker_client: Any,
) -> None:
    warmed: list[str] = []

    async def prepare(client: SandboxAgent) -> None:
        await client.fs.write("/tmp/prepared", "yes")
        warmed.append(client.sandbox.ref.id)

    pool = SandboxPool(DockerProvider(), size=1, max_size=1, name="of-tests", prepare=prepare)
    async with pool:
        await pool.wait_warm()
        assert (
            docker_client.api.inspect_container(warmed[0])["Config"]["Labels"][POOL] == "of-tests"
        )
        docker_client.api.remove_container(warmed[0], force=True)
        client = await pool.acquire(timeout=120)
    async with client:
        assert client.sandbox.ref.id == warmed[1]
        assert await client.fs.read("/tmp/prepared") == b"yes"
    assert not await DockerProvider().list({POOL: "of-tests"})


async def test_a_container_sleeps_until_it_is_handed_out(docker_client: Any) -> None:
    async with SandboxPool(DockerProvider(), size=1, max_size=1, paused=True) as pool:
        await pool.wait_warm()
        (asleep,) = await DockerProvider().list({POOL: pool.name})
        assert asleep.state == "paused"
        client = await pool.acquire(timeout=60)
    async with client:
        assert (await client.health()).status == "ok"
