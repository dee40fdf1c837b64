"""Building and pulling images."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import SandboxAgent
from sandbox_agent_core.errors import ProviderError
from sandbox_agent_core.spi.provider import Wheel
from sandbox_agent_docker import DockerProvider, build_image
from sandbox_agent_docker.image.build import _requirements
from support.docker_fixtures import docker_tests
from support.wheelhouse import installed_wheelhouse

pytestmark = [*docker_tests, pytest.mark.usefixtures("docker_environment")]


def test_the_server_comes_from_wheels_or_from_the_index() -> None:
    own = [
        Wheel(f"sandbox_agent_{name}-9.9.9-py3-none-any.whl", b"") for name in ("core", "server")
    ]
    assert _requirements(own, [], node=True) == (
        "/wheels/sandbox_agent_core-9.9.9-py3-none-any.whl "
        "/wheels/sandbox_agent_server-9.9.9-py3-none-any.whl[node]"
    )
    assert _requirements([], [], node=False).startswith("sandbox-agent-server~=")


async def test_the_command_builds_an_image_that_runs_the_mock_agent(
    base_image: str, docker_client: Any, tmp_path: Path
) -> None:
    for wheel in installed_wheelhouse():
        (tmp_path / wheel.filename).write_bytes(wheel.content)
    tag = "sandbox-agent-tests:built"
    done = subprocess.run(
        [
            Path(sys.executable).with_name("sandbox-agent"), "image", "build", "--tag", tag, "--base", base_image,
            "--packages", "", "--wheelhouse", tmp_path,
        ],
        capture_output=True, text=True, timeout=200, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == tag
    config = docker_client.api.inspect_image(tag)["Config"]
    assert config["User"] == "agent"
    assert config["WorkingDir"] == "/workspace"
    async with SandboxAgent.start(DockerProvider(tag, pull="never")) as client:
        session = await client.create_session("mock")
        assert (await session.prompt("text hello")).stop_reason == "end_turn"
    docker_client.api.remove_image(tag)


async def test_a_build_that_fails_ends_with_its_output(base_image: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await build_image(
            "sandbox-agent-tests:broken",
            base=base_image,
            packages=["no-such-package"],
            wheelhouse=installed_wheelhouse(),
        )
    assert "neither apt-get nor apk" in caught.value.details["log"]
