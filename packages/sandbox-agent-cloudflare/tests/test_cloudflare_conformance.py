"""The conformance suite, against a bridge that executes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_agent_client.testing.providers import KillOutside, ProviderConformance
from sandbox_agent_cloudflare import CloudflareProvider
from sandbox_agent_core.spi.provider import SandboxRef
from support.fakes.cloudflare import KEY, FakeBridge


class TestCloudflare(ProviderConformance):
    @pytest.fixture
    def provider(
        self, bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[CloudflareProvider]:
        # The environment says it all, also to the fresh process.
        monkeypatch.setenv("CLOUDFLARE_SANDBOX_URL", bridge.url)
        monkeypatch.setenv("CLOUDFLARE_SANDBOX_API_KEY", KEY)
        yield CloudflareProvider()
        assert bridge.containers == {}

    @pytest.fixture
    def open_port(self) -> int:
        return 2468

    @pytest.fixture
    def kill_outside(self, bridge: FakeBridge) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            bridge.sleep(ref.id)

        return kill
