"""`sandbox-agent sessions …` for long work, at a server."""

from __future__ import annotations

import json

import pytest
from sandbox_agent_client import Endpoint, SandboxAgentSync, SessionSync
from sandbox_agent_client.cli.main import app
from typer.testing import CliRunner, Result


@pytest.fixture
def session(endpoint: Endpoint) -> SessionSync:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        made = client.create_session("mock")
        for text in ("text", "edit"):
            made.prompt(text)
        return made


def sandbox_agent(env: dict[str, str], *arguments: str) -> Result:
    """In this process: a program would take longer to start than all of this takes."""
    return CliRunner().invoke(app, ["sessions", *arguments], env=env)


def test_a_session_is_worked_on_at_length(at_server: dict[str, str], session: SessionSync) -> None:
    def out(*arguments: str) -> str:
        done = sandbox_agent(at_server, *arguments)
        assert done.exit_code == 0, done.output
        return done.stdout

    out("rename", session.id, "Wombats")
    (row,) = [line for line in out("list").splitlines() if session.id in line]
    assert row.endswith("Wombats")
    assert out("steer", session.id, "text").startswith("begun as turn_")
    assert "There is nothing to object to." in out("review", session.id, "--branch", "main")
    compacted = sandbox_agent(at_server, "compact", session.id, "be brief")
    assert "the context was compacted: 1,000 -> 100 tokens" in compacted.output
    fork = out("fork", session.id, "--title", "Another").strip()
    assert json.loads(out("native", fork, "echo", '{"a": 1}'))["echo"] == {"a": 1}
    assert out("rewind", session.id, "--dry-run").startswith("would be forgotten: turn_")
    assert out("rewind", session.id).startswith("forgotten: turn_")
    assert "[the session went back to before this]" in out("show", session.id)
    assert out("cancel", session.id) == "Nothing was running.\n"


def test_without_a_server_there_is_nothing_to_work_on(environment: dict[str, str]) -> None:
    done = sandbox_agent(environment, "steer", "ses_1", "hello")
    assert done.exit_code == 2
    assert "give --url" in done.output
