"""`sandbox-agent-server install-agent` and `agent-versions`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.errors import SandboxAgentError

from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.cli.progress import ProgressLine
from sandbox_agent_server.install.agents_dir import AgentsDir
from sandbox_agent_server.install.installer import Installer, NewestVersion, create_installer
from sandbox_agent_server.install.pins import VERSION_PATTERN, AgentPin, all_pins, installable
from sandbox_agent_server.settings import Settings, SettingsError, load_settings

__all__ = ["run_command"]

_INSTALL: Final = "install-agent"
_VERSIONS: Final = "agent-versions"

_FAILED: Final = 1
_USAGE: Final = 2
_CANCELLED: Final = 130
_ALL: Final = "all"

_INSTALL_EPILOG: Final = """\
where from: the npm registry of your npm configuration (NPM_CONFIG_REGISTRY, ~/.npmrc, tokens, proxies,
certificates), or with --from a directory that holds archives as `npm pack` makes them, or the agents'
directory of another machine; then there is no network at all.

exit codes: 0 installed or already there, 1 at least one could not be installed, 2 usage
"""


def run_command(argv: Sequence[str]) -> int:
    """`argv` starts with the name of the command. The exit code."""
    is_install = argv[0] == _INSTALL
    parser = _install_parser() if is_install else _versions_parser()
    given = vars(parser.parse_args(argv[1:]))
    flags: dict[str, Any] = {
        name: given.pop(name) for name in ("agents_dir", "agents_source") if name in given
    }
    try:
        settings = load_settings(flags, os.environ, given.pop("config"))
    except SettingsError as exc:
        print(f"sandbox-agent-server: {exc}", file=sys.stderr)
        return _USAGE
    try:
        return _install(settings, **given) if is_install else _versions(settings, **given)
    except KeyboardInterrupt:
        return _CANCELLED


def _install_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"sandbox-agent-server {_INSTALL}",
        description="Install an agent, in the version that was tested with this server unless you say "
        "another. Versions stay side by side; the one installed last is used.",
        epilog=_INSTALL_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "agent", metavar="AGENT", help=f"{', '.join(installable())}, or {_ALL} of them"
    )
    parser.add_argument("--version", type=_version, help="a version, or a tag such as latest")
    parser.add_argument("--reinstall", action="store_true", help="also when it is there")
    parser.add_argument(
        "--from",
        type=Path,
        dest="agents_source",
        metavar="DIR",
        help="install from this directory, without any network",
    )
    _add_common(parser)
    return parser


def _versions_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"sandbox-agent-server {_VERSIONS}",
        description="For every agent: the version that was tested, those that are installed, the "
        "newest in the registry that there is a program for, and which Node.js that wants. Exit code 0, or 1 when the registry does not say it for some agent.",
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the registry")
    _add_common(parser)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--agents-dir",
        type=Path,
        metavar="DIR",
        help="where agents are installed (default ~/.local/share/sandbox-agent/agents)",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the server's TOML file")


def _version(text: str) -> str:
    if not VERSION_PATTERN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no version")
    return text


def _install(settings: Settings, *, agent: str, version: str | None, reinstall: bool) -> int:
    if agent == _ALL and version is not None:
        print("sandbox-agent-server: --version is for one agent, not for all", file=sys.stderr)
        return _USAGE
    installer = create_installer(settings, os.environ)
    names = installable() if agent == _ALL else [agent]
    failed = [
        name
        for name in names
        if not _install_one(settings, installer, name, version=version, reinstall=reinstall)
    ]
    return _FAILED if failed else 0


def _install_one(
    settings: Settings, installer: Installer, agent: str, *, version: str | None, reinstall: bool
) -> bool:
    progress = ProgressLine()
    try:
        done = installer.install(agent, version=version, reinstall=reinstall, on_progress=progress)
    except SandboxAgentError as exc:
        progress.clear()
        print(f"{agent}: {exc.message}", file=sys.stderr)
        return False
    progress.clear()
    said = "is there already" if done.already else "installed"
    print(f"{agent} {done.version.version} {said}: {done.version.program}")
    used = AgentFactory(settings, Catalog(settings.agents)).find(agent)
    if (note := done.note(used)) is not None:
        print(f"  {note}", file=sys.stderr)
    return True


def _versions(settings: Settings, *, offline: bool) -> int:
    installer = create_installer(settings, os.environ)
    pins = list(all_pins().values())
    newest: Mapping[str, NewestVersion | SandboxAgentError] = {}
    if not offline:
        # Most of it is waiting for the registry.
        with ThreadPoolExecutor(max_workers=4) as pool:
            # PyPI is not asked.
            asked = [pin for pin in pins if pin.kind != "python"]
            answers = pool.map(lambda pin: _newest(installer, pin), asked)
            newest = {pin.name: answer for pin, answer in zip(asked, answers, strict=True)}
    rows = [("agent", "tested", "installed", "newest", "its Node.js")]
    rows += [
        (
            pin.name,
            pin.version,
            _installed(installer.agents_dir, pin),
            *_said(newest.get(pin.name)),
        )
        for pin in pins
    ]
    _print_table(rows)
    errors = {name: said for name, said in newest.items() if isinstance(said, SandboxAgentError)}
    for name, error in errors.items():
        print(f"{name}: {error.message}", file=sys.stderr)
    return _FAILED if errors else 0


def _newest(installer: Installer, pin: AgentPin) -> NewestVersion | SandboxAgentError:
    try:
        return installer.newest(pin.name)
    except SandboxAgentError as exc:
        return exc


def _said(newest: NewestVersion | SandboxAgentError | None) -> tuple[str, str]:
    match newest:
        case NewestVersion(version, node):
            return version, str(node) if node is not None else "-"
        case None:
            return "-", "-"
        case _:
            return "?", "?"


def _installed(agents_dir: AgentsDir, pin: AgentPin) -> str:
    """All of them; the one in use has a star."""
    active = agents_dir.active(pin.name, pin.program)
    names = {
        each.version: f"{each.version}*" if each == active else each.version
        for each in agents_dir.versions(pin.name)
    }
    return ", ".join(names.values()) or "-"


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
