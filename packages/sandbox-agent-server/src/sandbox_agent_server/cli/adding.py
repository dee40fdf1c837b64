"""`sandbox-agent-server agents add|list|remove`: agents that a file of the ACP registry describes."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.errors import SandboxAgentError

from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.cli.progress import ProgressLine
from sandbox_agent_server.install.adding import AgentAdder, Proposal
from sandbox_agent_server.install.installer import create_installer
from sandbox_agent_server.settings import Settings, SettingsError, load_settings

__all__ = ["run_agents_command"]

_FAILED: Final = 1
_USAGE: Final = 2
_CANCELLED: Final = 130

_EPILOG: Final = """\
A registry file is the `agent.json` of the ACP registry (github.com/agentclientprotocol/registry), or one with many
agents. What it names is installed into the agents' directory, in that version: packages from npm (npx) and PyPI
(uvx) with your own configuration of those, or an archive for this platform. Sessions start what is there.

exit codes: 0 done, 1 it could not be, 2 usage, or nobody said yes
"""


def run_agents_command(argv: Sequence[str]) -> int:
    """`argv` is what stands behind `agents`. The exit code."""
    given = vars(_parser().parse_args(argv))
    flags: dict[str, Any] = {"agents_dir": given.pop("agents_dir")}
    try:
        settings = load_settings(flags, os.environ, given.pop("config"))
    except SettingsError as exc:
        print(f"sandbox-agent-server: {exc}", file=sys.stderr)
        return _USAGE
    command = given.pop("command")
    try:
        return _COMMANDS[command](settings, **given)
    except SandboxAgentError as exc:
        print(f"sandbox-agent-server: {exc.message}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        return _CANCELLED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandbox-agent-server agents",
        description="Agents that speak ACP and are not built in.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="install one that a registry file describes")
    add.add_argument("source", metavar="URL|FILE", help="https:, file: or a path")
    add.add_argument("--agent", metavar="ID", help="which, when the file describes several")
    add.add_argument("--yes", action="store_true", help="do not ask")
    lists = commands.add_parser("list", help="those that were added")
    remove = commands.add_parser("remove", help="forget one, and remove its program")
    remove.add_argument("agent", metavar="ID")
    for each in (add, lists, remove):
        each.add_argument(
            "--agents-dir", type=Path, metavar="DIR", help="where agents are installed"
        )
        each.add_argument("--config", type=Path, metavar="FILE", help="the server's TOML file")
    return parser


def _add(settings: Settings, *, source: str, agent: str | None, yes: bool) -> int:
    adder = _adder(settings)
    proposal = adder.look_up(source, agent=agent)
    print("\n".join(_shown(proposal)), flush=True)
    if not yes and not _is_agreed():
        print("Nothing was added.", file=sys.stderr)
        return _USAGE
    progress = ProgressLine()
    try:
        added = adder.add(proposal, on_progress=progress)
    finally:
        progress.clear()
    print(f"{added.id} {added.version} added: create_session({added.id!r})")
    return 0


def _shown(proposal: Proposal) -> list[str]:
    entry, chosen = proposal.entry, proposal.distribution
    env = " ".join(f"{name}={shlex.quote(value)}" for name, value in chosen.env.items())
    return [
        f"{entry.id}: {entry.name} {chosen.version}",
        f"  from      {ascii(proposal.source)[1:-1]}",
        f"  installs  {chosen.origin}",
        f"  runs      {ascii(shlex.join([chosen.program, *chosen.args]))[1:-1]}",
        *([f"  with      {ascii(env)[1:-1]}"] if env else []),
    ]


def _is_agreed() -> bool:
    if not sys.stdin.isatty():
        print("Nobody is there to be asked: say --yes.", file=sys.stderr)
        return False
    return input("It will run with your rights, as every agent. Add it? [y/N] ").lower() in (
        "y",
        "yes",
    )


def _list(settings: Settings) -> int:
    for agent in _adder(settings).added.read().values():
        print(f"{agent.id} {agent.version}  {agent.title}  ({agent.origin}; {agent.source})")
    return 0


def _remove(settings: Settings, *, agent: str) -> int:
    _adder(settings).remove(agent)
    print(f"{agent} removed")
    return 0


def _adder(settings: Settings) -> AgentAdder:
    installer = create_installer(settings, os.environ)
    return AgentAdder(installer, taken=Catalog(settings.agents).names())


_COMMANDS: Final[Mapping[str, Callable[..., int]]] = {"add": _add, "list": _list, "remove": _remove}
