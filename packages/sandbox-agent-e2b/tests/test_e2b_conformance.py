"""The conformance suite through E2B's real SDK, against a fake that executes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sandbox_agent_client.testing.providers import KillOutside, ProviderConformance
from sandbox_agent_core.spi.provider import SandboxRef
from support.fakes.e2b import FakeE2B
from support.fakes.e2b_provider import ThroughTheFake

TESTS = Path(__file__).parents[3] / "tests"


class TestE2B(ProviderConformance):
    @pytest.fixture
    def provider(self, e2b: ThroughTheFake) -> ThroughTheFake:
        return e2b

    @pytest.fixture
    def provider_source(self, provider: ThroughTheFake) -> str:
        return (
            f"sys.path.insert(0, {str(TESTS)!r})\n"
            "from support.fakes.e2b_provider import ThroughTheFake\n"
            f"provider = ThroughTheFake({provider._fake_url!r}, server_port={provider._port})"
        )

    @pytest.fixture
    def kill_outside(self, fake: FakeE2B) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            await asyncio.to_thread(fake.kill, ref.id)

        return kill
