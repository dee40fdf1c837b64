"""The conformance suite through Daytona's real SDK, against a fake that executes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sandbox_agent_client.testing.providers import KillOutside, ProviderConformance
from sandbox_agent_core.spi.provider import SandboxRef
from sandbox_agent_daytona import DaytonaProvider
from support.fakes.daytona import API_KEY, FakeDaytona


class TestDaytona(ProviderConformance):
    @pytest.fixture
    def provider(self, daytona: FakeDaytona) -> Iterator[DaytonaProvider]:
        yield DaytonaProvider(api_key=API_KEY, api_url=daytona.api_url, request_timeout=20)
        assert daytona.boxes == {}

    @pytest.fixture
    def provider_source(self, daytona: FakeDaytona) -> str:
        return (
            "from sandbox_agent_daytona import DaytonaProvider\n"
            f"provider = DaytonaProvider(api_key={API_KEY!r}, api_url={daytona.api_url!r})"
        )

    @pytest.fixture
    def open_port(self) -> int:
        return 2468

    @pytest.fixture
    def kill_outside(self, daytona: FakeDaytona) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            await asyncio.to_thread(daytona.kill, ref.id)

        return kill
