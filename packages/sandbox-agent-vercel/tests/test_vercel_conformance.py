"""The conformance suite through Vercel's real SDK, against a fake that executes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_agent_client.testing.providers import KillOutside, ProviderConformance
from sandbox_agent_core.spi.provider import SandboxRef
from sandbox_agent_vercel import VercelProvider
from support.fakes.vercel import PROJECT, TEAM, TOKEN, FakeVercel


class TestVercel(ProviderConformance):
    @pytest.fixture
    def provider(self, vercel: FakeVercel) -> Iterator[VercelProvider]:
        yield VercelProvider(
            base_url=vercel.url, token=TOKEN, team_id=TEAM, project_id=PROJECT, request_timeout=20
        )
        assert vercel.boxes == {}

    @pytest.fixture
    def provider_source(self, vercel: FakeVercel) -> str:
        return (
            "from sandbox_agent_vercel import VercelProvider\n"
            f"provider = VercelProvider(base_url={vercel.url!r}, token={TOKEN!r}, team_id={TEAM!r}, "
            f"project_id={PROJECT!r})"
        )

    @pytest.fixture
    def open_port(self) -> int:
        return 2468

    @pytest.fixture
    def kill_outside(self, vercel: FakeVercel) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            vercel.kill(ref.id)

        return kill
