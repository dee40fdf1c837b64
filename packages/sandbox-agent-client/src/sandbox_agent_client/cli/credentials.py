"""`sandbox-agent credentials`: what the agents of this machine log in with."""

from __future__ import annotations

import json
import shlex
import sys
import time
from typing import Annotated, Any

import typer
from sandbox_agent_core.frames.entry import rfc3339

from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import ExitCode
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.credentials import Credential, LocalCredentials, local_credentials
from sandbox_agent_client.errors import UnsupportedAgent

__all__ = ["credentials_app"]

credentials_app = Commands(
    help="What the agents of this machine log in with: variables and login files.",
)

Agents = Annotated[
    list[str] | None,
    typer.Option("--agent", "-a", help="Only of this one. Repeat for more.", show_default=False),
]


@credentials_app.command("extract")
def extract(
    agent: Agents = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", "-r", help="Show the secrets themselves.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """What was found, best first. Exit status 1: nothing."""
    found = _look(agent)
    if json:
        _print_json(found, reveal=reveal)
    elif found.credentials:
        _print_table(found, reveal=reveal)
    _tell_problems(found)
    if not found.credentials:
        _nothing_found()


@credentials_app.command("extract-env")
def extract_env(
    agent: Agents = None,
    export: Annotated[
        bool, typer.Option("--export", "-e", help="Put `export` before each line.")
    ] = False,
) -> None:
    """NAME=VALUE lines for a shell, with the secrets. Exit status 1: nothing.

    The lines give agents somewhere else what they log in with here. Do not let them into a log.
    """
    found = _look(agent)
    _tell_problems(found)
    if not found.env:
        _nothing_found()
    prefix = "export " if export else ""
    for name, value in found.env.items():
        print(f"{prefix}{name}={shlex.quote(value)}")


def _look(agents: list[str] | None) -> LocalCredentials:
    try:
        return local_credentials(agents or None)
    except UnsupportedAgent as exc:
        raise typer.BadParameter(exc.message) from None


def _print_json(found: LocalCredentials, *, reveal: bool) -> None:
    now_ms = _now_ms()
    for credential in found.credentials:
        print(json.dumps(_document(credential, now_ms, reveal=reveal)))


def _document(credential: Credential, now_ms: int, *, reveal: bool) -> dict[str, Any]:
    expires_ms = credential.expires_ms
    return {
        "agent": credential.agent,
        "provider": credential.provider,
        "kind": credential.kind,
        "source": credential.source,
        "value": credential.value if reveal else credential.masked,
        "variables": list(credential.variables),
        "expiresAt": None if expires_ms is None else rfc3339(expires_ms),
        "expired": credential.is_expired(now_ms),
        "borrowed": credential.is_borrowed,
    }


def _print_table(found: LocalCredentials, *, reveal: bool) -> None:
    now_ms = _now_ms()
    rows = [
        (
            credential.agent,
            credential.provider,
            credential.kind,
            credential.source,
            _remark(credential, now_ms),
            credential.value if reveal else credential.masked,
        )
        for credential in found.credentials
    ]
    print_table(("agent", "provider", "kind", "from", "", "value"), rows)


def _remark(credential: Credential, now_ms: int) -> str:
    if credential.is_expired(now_ms):
        return "expired"
    if not credential.variables:
        return "only here"
    return "of another agent" if credential.is_borrowed else ""


def _tell_problems(found: LocalCredentials) -> None:
    for problem in found.problems:
        print(f"sandbox-agent: warning: {plain(str(problem))}", file=sys.stderr)


def _nothing_found() -> None:
    print("sandbox-agent: no credentials found", file=sys.stderr)
    raise typer.Exit(int(ExitCode.FAILED))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
