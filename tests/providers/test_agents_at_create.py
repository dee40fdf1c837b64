"""`agents=[…]`: installed while the sandbox is made, and there for the first session."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from sandbox_agent_client import LocalProvider, SandboxAgent
from sandbox_agent_core.spi.provider import SandboxProvider
from sandbox_agent_server.install.pins import find_pin
from sandbox_agent_server.runtime.platforms import this_platform
from support.directory_provider import DirectoryProvider
from support.npm_registry import NpmRegistry

# One that only speaks ACP; the package of the test holds the mock agent in its place.
AGENT = "copilot"
MOCK = f'#!/bin/sh\nexec "{sys.executable}" -m sandbox_agent_server.agents.mock\n'.encode()


@pytest.fixture
def registry() -> Iterator[NpmRegistry]:
    with NpmRegistry() as running:
        pin = find_pin(AGENT)
        package = pin.package_for(this_platform(), pin.version)
        running.publish(package.name, package.version, {f"{package.path}*": MOCK})
        running.publish(pin.package, pin.version, {})
        yield running


@pytest.mark.parametrize("kind", ["local", "directory"])
async def test_an_agent_is_there_for_the_first_session(
    kind: str, provider: DirectoryProvider, registry: NpmRegistry
) -> None:
    chosen: SandboxProvider = LocalProvider() if kind == "local" else provider
    env = {
        "NPM_CONFIG_REGISTRY": registry.url,
        "SANDBOX_AGENT_AGENTS_DIR": str(provider.root / "agents"),
        "SANDBOX_AGENT_REQUIRE_PREINSTALLED": "false",
    }
    steps: list[str] = []
    async with SandboxAgent.start(chosen, agents=[AGENT], env=env, report=steps.append) as client:
        asked = len(registry.requests)
        assert asked > 0
        assert (await client.get_agent(AGENT, config=False)).installed
        session = await client.create_session(AGENT)
        assert (await session.prompt("text hello")).stop_reason == "end_turn"
        assert len(registry.requests) == asked
    assert [step for step in steps if step.endswith(f"installing the agent {AGENT}")]
