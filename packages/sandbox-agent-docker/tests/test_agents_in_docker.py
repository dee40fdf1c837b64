"""An agent for an image without npm: its registry is the one of the npm configuration where the sandbox is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox_agent_client import SandboxAgent
from sandbox_agent_docker import DockerProvider
from sandbox_agent_server.install.pins import find_pin
from sandbox_agent_server.runtime.platforms import this_platform
from support.docker_engine import DockerEngine
from support.docker_fixtures import docker_tests
from support.npm_registry import NpmRegistry

pytestmark = [*docker_tests, pytest.mark.usefixtures("docker_environment", "server_image")]

# One that only speaks ACP; the package of the test holds the mock agent in its place.
AGENT = "copilot"
MOCK = b"#!/bin/sh\nexec /opt/sandbox-agent/bin/python -m sandbox_agent_server.agents.mock\n"


async def test_the_callers_registry_reaches_an_image_without_npm(
    engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NPM_CONFIG_REGISTRY", raising=False)
    monkeypatch.delenv("npm_config_registry", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with NpmRegistry(address=engine.address) as registry:
        (tmp_path / ".npmrc").write_text(f"registry={registry.url}\n", encoding="utf-8")
        pin = find_pin(AGENT)
        package = pin.package_for(this_platform(), pin.version)
        registry.publish(package.name, package.version, {f"{package.path}*": MOCK})
        registry.publish(pin.package, pin.version, {})
        async with SandboxAgent.start(DockerProvider(), agents=[AGENT]) as client:
            session = await client.create_session(AGENT)
            assert (await session.prompt("text hello")).stop_reason == "end_turn"
    assert registry.count(".tgz") == 1
