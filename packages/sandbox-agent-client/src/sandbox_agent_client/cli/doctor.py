"""`sandbox-agent doctor`: what somebody who shall help has to know of this machine. Secrets are masked."""

from __future__ import annotations

import asyncio
import json as json_module
import os
import platform
import shutil
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from sandbox_agent_core.redact import mask, secret_values
from sandbox_agent_core.spi.provider import SupportsPreflight, capabilities_of

from sandbox_agent_client._data_dir import data_dir
from sandbox_agent_client.cli import daemon
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.completion import complete_providers
from sandbox_agent_client.cli.exit_codes import ExitCode, finish
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, TokenEnv, Url
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.target import Target, resolve_target
from sandbox_agent_client.credentials import local_credentials
from sandbox_agent_client.errors import SandboxAgentError
from sandbox_agent_client.sandboxes.local.server import server_command
from sandbox_agent_client.sandboxes.plugins import find_provider, installed_providers

__all__ = ["add_doctor_command"]

PREFLIGHT_TIMEOUT_S = 20.0
LOG_LINES = 20
LOG_LINE_CHARS = 300
PROGRAMS = ("node", "npm", "git", "docker", "podman", "bwrap", "ssh")
Facts = dict[str, Any]
_STYLES = {"ok": "green", "no": "red", "–": "dim"}


def add_doctor_command(app: Commands, *, panel: str) -> None:
    app.command("doctor", rich_help_panel=panel)(_doctor)


def _doctor(
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    provider: Annotated[
        list[str] | None,
        typer.Option(
            "--provider",
            metavar="NAME",
            help="Of the providers only this one; repeat for more.",
            show_default=False,
            autocompletion=complete_providers,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Look at everything that a run needs, and say what is missing. Put what it prints into a report of a bug.

    Versions, programs, paths, providers, the server and its agents, credentials (where they are, never what they are), and
    the end of the server's log. Exit status 5: there is no server, and none can be started.
    """
    target = resolve_target(url=url, token_env=token_env)
    finish(_examine(target, provider or installed_providers(), as_json=json))


async def _examine(target: Target, providers: Sequence[str], *, as_json: bool) -> ExitCode:
    server, agents = await _server(target)
    programs = {name: shutil.which(name) for name in PROGRAMS}
    facts: Facts = {
        "versions": _versions(),
        "machine": _machine(),
        "variables": _variables(os.environ),
        "programs": {"sandbox-agent-server": _server_program(), **programs},
        "providers": await asyncio.gather(*map(_provider, providers)),
        "server": server,
        "agents": agents,
        "credentials": _credentials(),
        "log": _log(),
    }
    secrets = secret_values(os.environ)
    if as_json:
        print(mask(json_module.dumps(facts, ensure_ascii=False), secrets=secrets))
    else:
        _Report(secrets).show(facts)
    return ExitCode.OK if server["ok"] else ExitCode.SANDBOX


def _versions() -> dict[str, str]:
    found = {
        name: one.version
        for one in distributions()
        if (name := one.metadata["Name"]) and name.startswith("sandbox-agent")
    }
    return {
        **dict(sorted(found.items())),
        "python": f"{platform.python_version()} {sys.executable}",
    }


def _machine() -> Facts:
    kept = data_dir()
    there = next(path for path in (kept, *kept.parents) if path.exists())
    free = shutil.disk_usage(there).free
    return {
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "data": str(kept),
        "writable": os.access(there, os.W_OK),
        "free": f"{free / 1e9:.1f} GB",
        "terminal": f"{os.environ.get('TERM', 'none')}, {shutil.get_terminal_size().columns} columns",
        "language": os.environ.get("LC_ALL") or os.environ.get("LANG") or "none",
    }


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Of ours and of the network, which decide where things are looked for."""
    ours = {name: environ[name] for name in sorted(environ) if name.startswith("SANDBOX_AGENT_")}
    network = ("http_proxy", "https_proxy", "no_proxy", "ssl_cert_file", "docker_host")
    others = {name: environ[name] for name in sorted(environ) if name.lower() in network}
    shown = {**ours, **others}
    return {name: "***" if name.endswith("TOKEN") else value for name, value in shown.items()}


def _server_program() -> str | None:
    try:
        return " ".join(server_command())
    except SandboxAgentError:
        return None


async def _provider(name: str) -> Facts:
    try:
        provider = await asyncio.to_thread(find_provider, name)
    except SandboxAgentError as exc:
        return {"name": name, "ok": False, "checks": [], "problem": exc.message}
    checks: list[Facts] = []
    try:
        async with asyncio.timeout(PREFLIGHT_TIMEOUT_S):
            answer = await provider.preflight() if isinstance(provider, SupportsPreflight) else None
    except TimeoutError:
        checks.append({"name": "answer", "ok": False, "message": "none came in time"})
    else:
        checks += [
            {"name": one.name, "ok": one.ok, "message": one.message}
            for one in (answer.checks if answer is not None else ())
        ]
    is_ok = all(one["ok"] for one in checks)
    return {"name": name, "ok": is_ok, "can": str(capabilities_of(provider)), "checks": checks}


async def _server(target: Target) -> tuple[Facts, list[Facts]]:
    """The one that commands work at, or one that is started to see whether it does."""
    where = target.url or "one of its own, started for this"
    facts: Facts = {"where": where, "background": target.is_daemon}
    began = time.monotonic()
    try:
        async with target.open() as client:
            facts["seconds"] = round(time.monotonic() - began, 1)
            facts["version"] = (await client.health()).version
            agents = [
                {
                    "name": one.id,
                    "installed": one.installed,
                    "version": one.version,
                    "path": one.path,
                    "credentials": [found.source for found in one.credentials],
                    "problems": [found.problem for found in one.credentials if found.problem],
                }
                for one in await client.list_agents()
            ]
    except SandboxAgentError as exc:
        return {**facts, "ok": False, "problem": exc.message}, []
    return {**facts, "ok": True}, agents


def _credentials() -> list[Facts]:
    found = local_credentials()
    known = [
        {"agent": one.agent, "provider": one.provider, "source": one.source, "value": one.masked}
        for one in found.credentials
    ]
    return known + [{"problem": str(one)} for one in found.problems]


def _log() -> list[str]:
    """The end of that of `server start`."""
    try:
        with daemon.log_file().open(encoding="utf-8", errors="replace") as log:
            return [line.rstrip()[:LOG_LINE_CHARS] for line in deque(log, maxlen=LOG_LINES)]
    except OSError:
        return []


def _log_line(line: str) -> str:
    """For people: when, how bad, and what."""
    try:
        entry = json_module.loads(line)
        return f"{entry['time'][:19]} {entry['level']:<7} {entry['message']}"
    except (ValueError, LookupError, TypeError):  # it was cut, or something else has written it
        return line


class _Report:
    """For people, who read from top to bottom and look for what is red."""

    def __init__(self, secrets: frozenset[str] | set[str] | list[str]) -> None:
        self._console = Console(highlight=False)
        self._secrets = secrets

    def show(self, facts: Facts) -> None:
        self._pairs("versions", facts["versions"])
        self._pairs("machine", facts["machine"])
        self._pairs("variables", facts["variables"])
        self._pairs("programs", {name: at or "–" for name, at in facts["programs"].items()})
        self._title("providers")
        for one in facts["providers"]:
            self._line("ok" if one["ok"] else "–", one["name"], one.get("problem") or one["can"])
            for check in one["checks"]:
                self._line("", "", f"{check['name']}: {check['message']}")
        server = facts["server"]
        self._title("server")
        about = f"{server['where']}, {server.get('version', '')} in {server.get('seconds', '?')} s"
        self._line("ok" if server["ok"] else "no", "", server.get("problem") or about)
        self._title("agents")
        known = [one for one in facts["agents"] if one["installed"] or one["credentials"]]
        for one in known:
            login = "; ".join([*one["credentials"], *one["problems"]]) or "no credentials found"
            told = f"{one['version'] or ''} {one['path'] or ''}".strip() or "built in"
            told = told if one["installed"] else "not installed"
            needs = "" if one["name"] == "mock" else f"; {login}"
            self._line("ok" if one["installed"] else "–", one["name"], f"{told}{needs}")
        if others := [one["name"] for one in facts["agents"] if one not in known]:
            self._line("–", "", f"neither installed nor logged in: {', '.join(others)}")
        self._title("credentials of this machine")
        if not facts["credentials"]:
            self._line("–", "", "none found")
        for one in facts["credentials"]:
            if "problem" in one:
                self._line("no", "", one["problem"])
            else:
                self._line("ok", one["agent"], f"{one['provider']}: {one['source']} {one['value']}")
        self._title(f"log of `server start`: {daemon.log_file()}")
        for line in facts["log"] or ["none"]:
            self._line("", "", _log_line(line))

    def _pairs(self, title: str, pairs: Mapping[str, Any]) -> None:
        self._title(title)
        for name, value in pairs.items():
            self._line("", name, str(value))

    def _title(self, title: str) -> None:
        self._console.print(Text(title, "bold"), soft_wrap=True)

    def _line(self, mark: str, name: str, told: str) -> None:
        text = Text(f"  {mark:<2} ", _STYLES.get(mark, ""))
        words = f"{name:<24} {told}" if name else told
        text.append(mask(plain(words).replace("\n", " "), secrets=self._secrets), "default")
        self._console.print(text, soft_wrap=True)
