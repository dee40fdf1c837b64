"""Local credentials as the environment of an agent somewhere else, in Python and on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_agent_client import Endpoint, SandboxAgent, local_credentials
from sandbox_agent_client.credentials import MAX_LOGIN_FILE_BYTES
from sandbox_agent_client.errors import UnsupportedAgent

PROGRAM = str(Path(sys.executable).parent / "sandbox-agent")
DEADLINE_S = 30.0
KEY = "sk-ant-api03-it's a $ecret-1234"
TOKEN = "sk-ant-oat01-0123456789abcdef"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Of a person with an Anthropic key, a Claude login and an OpenAI key that OpenCode keeps."""
    write(tmp_path, ".claude/.credentials.json", {"claudeAiOauth": {"accessToken": TOKEN}})
    stored = {"openai": {"type": "api", "key": "sk-of-opencode-123456"}}
    write(tmp_path, ".local/share/opencode/auth.json", stored)
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "ANTHROPIC_API_KEY": KEY}


def write(home: Path, name: str, document: object) -> None:
    file = home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")


def cli(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "credentials", *arguments],
        env=environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


def test_the_environment_for_an_agent_is_what_comes_first(environ: dict[str, str]) -> None:
    assert local_credentials(["claude"], environ=environ).env == {"ANTHROPIC_API_KEY": KEY}
    del environ["ANTHROPIC_API_KEY"]
    assert local_credentials(["claude"], environ=environ).env == {"CLAUDE_CODE_OAUTH_TOKEN": TOKEN}


def test_several_agents_share_one_environment(environ: dict[str, str]) -> None:
    found = local_credentials(["claude", "codex"], environ=environ)
    assert found.env.keys() == {"ANTHROPIC_API_KEY", "CODEX_API_KEY", "OPENAI_API_KEY"}
    assert [credential.agent for credential in found.credentials] == ["claude", "claude", "codex"]
    assert local_credentials(environ=environ).env.items() >= found.env.items()


def test_showing_what_was_found_shows_no_secret(environ: dict[str, str]) -> None:
    found = local_credentials(environ=environ)
    assert "ANTHROPIC_API_KEY" in repr(found)
    for secret in (KEY, TOKEN, "sk-of-opencode-123456"):
        assert secret not in repr(found) + str(found)
        assert secret in found.env.values() or any(secret == one.value for one in found.credentials)


def test_what_cannot_be_read_is_a_problem_and_not_an_error(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / ".claude.json").write_bytes(b"\xff\xfe")
    with (tmp_path / ".claude.json.api").open("wb") as opened:
        opened.truncate(MAX_LOGIN_FILE_BYTES + 1)
    os.mkfifo(tmp_path / ".claude-oauth-credentials.json")
    found = local_credentials(["claude"], environ=environ)
    assert found.env == {"ANTHROPIC_API_KEY": KEY}
    assert {Path(problem.source).name for problem in found.problems} == {
        ".claude.json",
        ".claude.json.api",
    }


def test_an_agent_that_nobody_knows_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(UnsupportedAgent):
        local_credentials(["claud"], environ=environ)


async def test_it_is_what_create_session_takes(endpoint: Endpoint, environ: dict[str, str]) -> None:
    found = local_credentials(["claude"], environ=environ)
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        session = await client.create_session("mock", env=found.env)
        assert KEY not in str(session.info)
        await client.end_session(session.id)


def test_extract_masks_unless_told_otherwise(environ: dict[str, str]) -> None:
    done = cli(environ, "extract")
    assert done.returncode == 0, done.stderr
    assert "$ANTHROPIC_API_KEY" in done.stdout
    assert ".claude/.credentials.json" in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr
    shown = cli(environ, "extract", "--agent", "claude", "--reveal").stdout
    assert KEY in shown
    assert TOKEN in shown
    assert "opencode" not in shown


def test_extract_in_json(environ: dict[str, str]) -> None:
    lines = cli(environ, "extract", "-a", "claude", "--json").stdout.splitlines()
    first, second = map(json.loads, lines)
    assert first["value"] == "sk-a…1234"
    assert first | {"value": ""} == {
        "agent": "claude", "provider": "anthropic", "kind": "api_key", "source": "$ANTHROPIC_API_KEY",
        "value": "", "variables": ["ANTHROPIC_API_KEY"], "expiresAt": None, "expired": False,
        "borrowed": False,
    }  # fmt: skip
    assert second["kind"] == "oauth"
    (revealed, _) = cli(environ, "extract", "-a", "claude", "--json", "-r").stdout.splitlines()
    assert json.loads(revealed)["value"] == KEY


@pytest.mark.parametrize("arguments", [[], ["--export"]])
def test_a_shell_reads_back_what_extract_env_prints(
    environ: dict[str, str], arguments: list[str]
) -> None:
    lines = cli(environ, "extract-env", "--agent", "claude", *arguments).stdout
    assert lines.startswith("export ") is bool(arguments)
    script = f"set -a; {lines}\nexec {sys.executable} -c 'import os; print(os.environ[\"ANTHROPIC_API_KEY\"])'"
    read = subprocess.run(
        ["/bin/sh", "-c", script], env={}, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert read.stdout == f"{KEY}\n"


@pytest.mark.parametrize("command", ["extract", "extract-env"])
def test_where_nothing_is_found_it_says_so(command: str, tmp_path: Path) -> None:
    write(tmp_path, ".codex/auth.json", ["no object"])
    done = cli({"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no credentials found" in done.stderr
    assert "warning: codex: " in done.stderr


def test_an_unknown_agent_is_a_usage_error(environ: dict[str, str]) -> None:
    done = cli(environ, "extract", "--agent", "nobody")
    assert done.returncode == 2
    assert "claude" in done.stderr
