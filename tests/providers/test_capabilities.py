"""What a provider can do is what it has the methods of."""

from __future__ import annotations

import pytest
from sandbox_agent_client import Endpoint, SandboxRef, SandboxSpec, errors
from sandbox_agent_client.sandboxes.plugins import find_provider
from sandbox_agent_core.spi.provider import (
    SandboxProvider,
    SupportsList,
    SupportsPause,
    SupportsPreflight,
    SupportsRestart,
    capabilities_of,
    require,
)


class Mine:
    """Inherits from nothing."""

    name = "mine"

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        return SandboxRef(provider=self.name, id="x")

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        return Endpoint(url="http://127.0.0.1:1")

    async def destroy(self, ref: SandboxRef) -> None: ...

    async def pause(self, ref: SandboxRef) -> None: ...

    async def resume(self, ref: SandboxRef) -> None: ...


class WithoutPause(Mine):
    pause = None  # type: ignore[assignment]


def test_methods_are_all_that_it_takes() -> None:
    mine: SandboxProvider = Mine()
    assert require(mine, SupportsPause) is mine
    assert str(capabilities_of(mine)) == "pause"
    assert not isinstance(mine, SupportsPreflight)
    with pytest.raises(errors.CapabilityNotSupported) as caught:
        require(mine, SupportsList)
    assert caught.value.details["capability"] == "list"


def test_a_provider_can_take_back_what_it_inherits() -> None:
    assert str(capabilities_of(WithoutPause())) == "none"


@pytest.mark.parametrize(
    ("name", "can"),
    [
        ("local", "list, logs, ports"),
        ("docker", "pause, list, logs, ports, images, snapshot"),
        ("e2b", "pause, list, logs, extend, ports, images, snapshot"),
        ("daytona", "pause, list, logs, extend, ports, images, snapshot"),
        ("modal", "list, logs, ports, images, snapshot"),
        ("vercel", "pause, list, logs, extend, ports, images"),
        ("cloudflare", "logs, extend, ports"),
    ],
)
def test_ours_can_do_what_the_docs_say(name: str, can: str) -> None:
    provider = find_provider(name)
    assert str(capabilities_of(provider)) == can
    assert isinstance(provider, SupportsPreflight)
    assert isinstance(provider, SupportsRestart) is (name != "local")
