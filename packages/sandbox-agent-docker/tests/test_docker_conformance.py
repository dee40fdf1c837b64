"""The conformance suite on a real Docker engine, with an image that has the server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from sandbox_agent_client.testing.providers import KillOutside, ProviderConformance
from sandbox_agent_core.spi.provider import SandboxInfo, SandboxRef
from sandbox_agent_docker import DockerProvider
from support.docker_fixtures import docker_tests

pytestmark = docker_tests


class OneOfSeveral(DockerProvider):
    """Does not see what other tests make on the same engine at the same time."""

    def __init__(self) -> None:
        self._mine = {"test": secrets.token_hex(8)}
        super().__init__(labels=self._mine)

    async def list(self, labels: Mapping[str, str] | None = None) -> list[SandboxInfo]:
        return await super().list({**(labels or {}), **self._mine})


@pytest.mark.usefixtures("docker_environment", "server_image")
class TestDocker(ProviderConformance):
    @pytest.fixture
    def provider(self) -> DockerProvider:
        return OneOfSeveral()

    @pytest.fixture
    def open_port(self) -> int:
        return 2468

    @pytest.fixture
    def kill_outside(self, docker_client: Any) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            await asyncio.to_thread(
                partial(docker_client.api.remove_container, ref.id, force=True, v=True)
            )

        return kill
