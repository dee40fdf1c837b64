"""Every real agent at work in a confined server: it does its work, and finds nothing outside of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_conformance.under_test import AGENTS, AgentUnderTest
from sandbox_agent_client import PermissionPolicy, SandboxAgentSync
from support.bubblewrap import bubblewrap
from support.fixtures import require_agent, scripted_llm
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess

__all__ = ["bubblewrap", "scripted_llm"]

pytestmark = [pytest.mark.real_agent, pytest.mark.usefixtures("bubblewrap")]

SECRET = "a-secret-of-the-user"


@pytest.fixture
def confined(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path, arguments=["--confine"])
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_it_works_and_sees_nothing_else(
    agent: AgentUnderTest, confined: ServerProcess, scripted_llm: ScriptedLLM, tmp_path: Path
) -> None:
    require_agent(agent.name)
    home, workspace = tmp_path / "home", tmp_path / "home" / "workspace"
    workspace.mkdir(parents=True)
    (home / "secret").write_text(SECRET, encoding="utf-8")
    env = agent.session_env(home, scripted_llm)
    before = everything_in(home)
    with SandboxAgentSync.connect(base_url=confined.url, token=confined.token) as client:
        session = client.create_session(
            agent.name,
            cwd=str(workspace),
            env=env,
            permission_policy=PermissionPolicy(default="allow"),
        )
        command = f"echo done | tee made; cat {home}/secret; touch ~/planted"
        result = session.prompt(f"SCENARIO:tool SHELL<<{command}>>")
        assert result.stop_reason == "end_turn"
        assert (workspace / "made").read_text(encoding="utf-8") == "done\n"
        assert SECRET not in str(session.transcript().to_wire())
        session.end()
    assert everything_in(home) - before == {"workspace/made"}
    assert (home / "secret").read_text(encoding="utf-8") == SECRET


def everything_in(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}
