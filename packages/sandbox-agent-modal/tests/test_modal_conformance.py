"""The conformance suite through Modal's real SDK, against a fake that executes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_agent_client.testing.providers import KillOutside, ProviderConformance
from sandbox_agent_core.spi.provider import SandboxRef
from support.fakes.modal import FakeModal
from support.fakes.modal_provider import ThroughTheFake

TESTS = Path(__file__).parents[3] / "tests"


class TestModal(ProviderConformance):
    @pytest.fixture
    def provider(self, modal: FakeModal) -> Iterator[ThroughTheFake]:
        yield ThroughTheFake()
        assert modal.alive == []

    @pytest.fixture
    def provider_source(self) -> str:
        return (
            f"sys.path.insert(0, {str(TESTS)!r})\n"
            "from support.fakes.modal_provider import ThroughTheFake\n"
            "provider = ThroughTheFake()"
        )

    @pytest.fixture
    def open_port(self) -> int:
        return 2468

    @pytest.fixture
    def kill_outside(self, modal: FakeModal) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            modal.kill(ref.id)

        return kill
