"""Installs an agent that is JavaScript: npm brings it and its dependencies, a launcher runs it with the same Node.js."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import InstallFailed

from sandbox_agent_server.install.node import ANY_NODE, NodeTools
from sandbox_agent_server.install.pins import AgentPin, PackagePin
from sandbox_agent_server.install.semver import VersionRange
from sandbox_agent_server.install.tool_process import run_tool

__all__ = ["NPM_TIMEOUT_S", "install_with_npm", "node_range_of", "write_launcher"]

NPM_TIMEOUT_S: Final = 900.0


def install_with_npm(
    package: PackagePin,
    directory: Path,
    *,
    tools: NodeTools,
    environ: Mapping[str, str],
    check: Callable[[], None],
) -> None:
    """Fill `directory/node_modules`. `check` is called while npm works and may raise, which ends npm.

    Raises:
        InstallFailed: npm failed; `details.stderr` has the end of what it said.
    """
    (directory / "package.json").write_text('{"private": true}', encoding="utf-8")
    command = [
        *tools.npm, "install", "--prefix", str(directory), "--no-save", "--no-audit", "--no-fund",
        # What a package would run at its installation is nobody's wish; platform packages need none.
        "--ignore-scripts", "--loglevel=error", package.spec,
    ]  # fmt: skip
    done = run_tool(
        command,
        name="npm",
        directory=directory,
        env=tools.environment(environ),
        timeout_s=NPM_TIMEOUT_S,
        check=check,
    )
    if done.code != 0:
        raise InstallFailed(
            f"npm could not install {package.spec} (status {done.code}): {done.first_lines}",
            package=package.name,
            stderr=done.said,
        )
    # What looks for the version of a program searches upwards from it.
    (directory / "package.json").write_text(
        json.dumps({"name": package.name, "version": package.version, "private": True}),
        encoding="utf-8",
    )
    os.sync()


def node_range_of(directory: Path, package: str) -> VersionRange:
    """Which Node.js the package wants that is installed in `directory`."""
    try:
        text = (directory / "node_modules" / package / "package.json").read_text(encoding="utf-8")
        wanted = json.loads(text)["engines"]["node"]
    except (OSError, ValueError, KeyError, TypeError):
        return ANY_NODE
    return VersionRange.parse(wanted) if isinstance(wanted, str) else ANY_NODE


def write_launcher(pin: AgentPin, directory: Path, tools: NodeTools, *, root: Path) -> Path:
    """`directory/bin/<program>`: runs with the Node.js that installed it, else with that on the PATH.

    `root`: the agents' directory. A Node.js in it is found there also when the whole was moved.

    Raises:
        InstallFailed: the package holds no such program.
    """
    package = directory / "node_modules" / pin.package
    script = next(package.glob(pin.path), None)
    if script is None:
        raise InstallFailed(
            f"{pin.package} holds no {pin.path!r}: this version is built differently.",
            agent=pin.name,
        )
    launcher = directory / "bin" / pin.program
    launcher.parent.mkdir(exist_ok=True)
    launcher.unlink(missing_ok=True)
    inside = shlex.quote(str(script.relative_to(directory)))
    lines = [
        "#!/bin/sh",
        'here=$(dirname -- "$(readlink -f -- "$0")")',
        f"node={shlex.quote(str(tools.node))}",
    ]
    if tools.node.is_relative_to(root):
        # From <root>/<agent>/<version>/bin.
        moved = shlex.quote(str(tools.node.relative_to(root)))
        lines.append(f'[ -x "$node" ] || node="$here"/../../../{moved}')
    lines += ['[ -x "$node" ] || node=node', f'exec "$node" "$here"/../{inside} "$@"', ""]
    launcher.write_text("\n".join(lines), encoding="utf-8")
    launcher.chmod(0o755)
    return launcher
