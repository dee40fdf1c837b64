"""`sandbox-agent server …`: one server in the background, found by all commands; and `doctor`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgentSync
from sandbox_agent_client.cli import doctor
from sandbox_agent_client.cli.exit_codes import ExitCode
from sandbox_agent_client.cli.main import app
from support.server import until
from terminal import DEADLINE_S, PROGRAM
from typer.testing import CliRunner, Result


def start(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """As a program, that the server outlives."""
    return subprocess.run(
        [*PROGRAM, "server", "start", *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


@pytest.fixture
def here(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """A command of the same person, in this process, which is quicker."""
    kept = Path(environment["XDG_DATA_HOME"]) / "sandbox-agent"
    monkeypatch.setenv("SANDBOX_AGENT_DATA_DIR", str(kept))
    return lambda *arguments: CliRunner().invoke(app, arguments, env=environment)


@pytest.fixture
def started(environment: dict[str, str], here: Callable[..., Result]) -> Iterator[dict[str, Any]]:
    """By two starts at the same time, which find one server."""
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: start(environment, "--port", "0", "--json"), range(2)))
    try:
        first, second = (json.loads(done.stdout) for done in both)
        assert first["pid"] == second["pid"]
        yield first
    finally:
        here("server", "stop")


def test_a_server_in_the_background_is_where_commands_work(
    here: Callable[..., Result],
    environment: dict[str, str],
    started: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = Path(started["tokenFile"])
    assert token.stat().st_mode & 0o077 == 0
    monkeypatch.chdir(tmp_path)
    run = here("run", "--agent", "mock", "hi")
    assert run.stdout == "You said: hi\n", run.output
    with SandboxAgentSync.connect(started["url"], token=token.read_text().strip()) as client:
        (session,) = client.list_sessions()
        assert session.info.cwd == str(tmp_path)
        session.send("permission")
        until(session.requests)
        status = here("server", "status")
        assert status.exit_code == 0
        assert "1 open requests" in status.stdout
        assert f'SANDBOX_AGENT_TOKEN="$(cat {token})"' in status.stdout
        assert token.read_text().strip() not in status.stdout
        # Its Inspector is there exactly when the page is.
        link = f"{started['url']}/ui/"
        told = json.loads(here("server", "status", "--json").stdout)["inspector"]
        assert told == (link if httpx.get(link).is_success else None)
        assert (f"  inspector  {link}   (asks" in status.stdout) == (told is not None)
        log = here("doctor", "--provider", "local").stdout.partition("log of")[2]
        assert re.search(r"T\d\d:\d\d:\d\d info +GET /v1/", log)
        assert "allow once" in here("requests", "allow").stderr
    # Its URL alone is enough: where its token is, is known.
    assert session.id in here("sessions", "list", "--url", started["url"]).stdout
    other = start(environment, "--port", "1")
    assert other.returncode == ExitCode.FAILED
    assert "server stop" in other.stderr

    assert f"process {started['pid']}" in here("server", "stop").stdout
    assert here("server", "status").exit_code == ExitCode.SANDBOX
    assert "GET /v1" in here("server", "logs").stdout
    again = json.loads(start(environment, "--port", "0", "--json").stdout)
    assert (again["sessions"], again["pid"] != started["pid"]) == (1, True)
    os.kill(again["pid"], signal.SIGKILL)
    until(lambda: here("server", "status").exit_code == ExitCode.SANDBOX)
    assert "No server runs" in here("server", "stop").stdout


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(
    environment: dict[str, str], here: Callable[..., Result]
) -> None:
    done = start(environment, "--log-level", "loud")
    assert done.returncode == ExitCode.SANDBOX
    assert "loud" in done.stderr
    assert here("server", "status").exit_code == ExitCode.SANDBOX


def test_the_options_of_the_server_instead_of_a_command_run_it_in_the_foreground(
    environment: dict[str, str],
) -> None:
    done = subprocess.run(
        [*PROGRAM, "server", "--no-token", "--host", "0.0.0.0"],
        env=environment, capture_output=True, text=True, timeout=DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--insecure" in done.stderr


def test_a_report_for_who_shall_help_has_everything_but_secrets(
    at_server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-ant-" + "x" * 40
    given = at_server | {"ANTHROPIC_API_KEY": secret}
    # Those of vendors load their SDKs and are asked: `sandboxes check` is tested with them.
    monkeypatch.setattr(doctor, "installed_providers", lambda: ["local"])

    def report(*arguments: str, **env: str) -> Result:
        return CliRunner().invoke(app, ["doctor", *arguments], env=given | env)

    done = report("--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["server"]["ok"]
    assert {one["name"] for one in facts["agents"]} >= {"mock", "claude"}
    assert "sandbox-agent-client" in facts["versions"]
    assert [(one["name"], one["ok"]) for one in facts["providers"]] == [("local", True)]
    assert any(one.get("source") == "$ANTHROPIC_API_KEY" for one in facts["credentials"])
    broken = report("--provider", "no-such", SANDBOX_AGENT_URL="http://127.0.0.1:1")
    assert broken.exit_code == ExitCode.SANDBOX
    assert "127.0.0.1:1" in broken.stdout
    assert "no-such" in broken.stdout
    assert "local " not in broken.stdout.partition("providers")[2].partition("server")[0]
    for said in (done.stdout, broken.stdout):
        assert secret not in said
        assert at_server["SANDBOX_AGENT_TOKEN"] not in said
