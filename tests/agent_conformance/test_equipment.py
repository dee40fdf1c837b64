"""What a directory is configured with reaches the agent of a session there, and nothing else gets into the workspace."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx
from agent_conformance.conftest import Lab
from agent_conformance.stories import play
from agent_conformance.under_test import AGENTS
from support.mcp_server import MARK

MCP_SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"


def configure(lab: Lab, kind: str, directory: Path, entry: dict[str, Any], **name: str) -> None:
    answer = httpx.put(
        f"{lab.server.url}/v1/config/{kind}",
        params={"directory": str(directory), **name},
        json=entry,
        headers={"authorization": f"Bearer {lab.server.token}"},
        timeout=30,
    )
    assert answer.status_code == 204, answer.text


def test_claude_has_the_servers_and_skills_of_its_directory(lab: Lab, tmp_path: Path) -> None:
    agent = AGENTS["claude"]
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (tmp_path / "greeting").mkdir()
    (tmp_path / "greeting" / "SKILL.md").write_text(
        "---\nname: greeting\ndescription: How to greet quokkas.\n---\nAhoy.\n"
    )
    program = {
        "type": "local",
        "command": sys.executable,
        "args": [str(MCP_SERVER)],
        "timeoutMs": 60000,
    }
    configure(lab, "mcp", workspace, program, mcpName="stamper")
    skills = {"sources": [{"type": "local", "source": "../greeting"}]}
    configure(lab, "skills", workspace, skills, skillName="mine")
    session = lab.new_session(agent, cwd=str(workspace))
    assert (session.info.mcp_servers, session.info.skills) == (["stamper"], ["greeting"])

    story = play(session, 'SCENARIO:mcp TOOL<<stamp>> ARGS<<{"text": "letter"}>>')

    assert f"{MARK}letter" in story.text
    asked = [request.body for request in lab.llm.requests if request.scenario == "mcp"]
    assert "configured:greeting: How to greet quokkas." in str(asked)
    assert [path.name for path in workspace.iterdir()] == [".sandbox-agent"]
    session.end()


def test_claude_calls_a_function_of_the_client(lab: Lab) -> None:
    def stamp(text: str) -> str:
        """Puts a stamp on a text."""
        return f"stamped here: {text}"

    session = lab.new_session(AGENTS["claude"], tools=[stamp])
    assert (session.info.mcp_servers, session.info.tools) == (["host"], ["stamp"])

    # Nobody is asked for it, though Claude asks for tools of MCP servers.
    result = session.prompt('SCENARIO:mcp TOOL<<stamp>> ARGS<<{"text": "letter"}>>')

    assert "stamped here: letter" in result.text
    session.end()
