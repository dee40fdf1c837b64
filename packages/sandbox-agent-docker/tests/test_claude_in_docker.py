"""The main job in a container: the real Claude Code, which reaches a scripted model by the bridge."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sandbox_agent_client import MessageDelta, PermissionRequested, SandboxAgent, ToolCompleted
from sandbox_agent_docker import DockerProvider
from support.docker_engine import DockerEngine
from support.docker_fixtures import docker_tests
from support.fixtures import claude_env
from support.scripted_llm import ScriptedLLM

pytestmark = [
    *docker_tests,
    pytest.mark.real_agent,
    pytest.mark.usefixtures("docker_environment", "server_image"),
]

HOME = Path("/home/agent")


async def test_claude_asks_and_writes_into_the_mounted_workspace(
    engine: DockerEngine, claude_binary: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    # Not the user of the image: who owns the repository is who works in it.
    os.chown(workspace, 1001, 1001)
    provider = DockerProvider(
        mounts={workspace: "/workspace", claude_binary: "/usr/local/bin/claude:ro"}
    )
    with ScriptedLLM(host=engine.address) as llm:
        env = claude_env(HOME, llm)
        async with SandboxAgent.start(provider, env={"TZ": "UTC"}) as client:
            session = await client.create_session("claude", cwd="/workspace", env=env)
            session.on_permission(lambda request: request.allow_once())
            prompt = "SCENARIO:tool SHELL<<id -u >made && echo made>>"
            events = [event async for event in session.prompt_stream(prompt)]
    assert any(isinstance(event, PermissionRequested) for event in events)
    assert [event.status for event in events if isinstance(event, ToolCompleted)] == ["completed"]
    assert any(isinstance(event, MessageDelta) for event in events)
    assert (workspace / "made").read_text() == "1001\n"
    assert (workspace / "made").stat().st_uid == 1001
