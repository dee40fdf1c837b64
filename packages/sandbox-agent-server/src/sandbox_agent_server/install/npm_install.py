"""Installs an agent that is JavaScript: npm brings it and its dependencies, a launcher runs it with the same Node.js."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import InstallFailed
from sandbox_agent_core.redact import mask

from sandbox_agent_server.install.node import NodeTools
from sandbox_agent_server.install.pins import AgentPin, PackagePin
from sandbox_agent_server.runtime.children import the_children

__all__ = ["NPM_TIMEOUT_S", "install_with_npm", "write_launcher"]

NPM_TIMEOUT_S: Final = 900.0
_POLL_S: Final = 0.1
_SAID_CHARS: Final = 4000


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
    with tempfile.TemporaryFile() as output:
        try:
            npm = the_children.start(
                lambda: subprocess.Popen(  # noqa: S603 - npm with arguments of ours
                    command,
                    cwd=directory,
                    env=tools.environment(environ),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )
        except OSError as exc:
            raise InstallFailed(f"npm cannot be run: {exc}", program=command[0]) from exc
        try:
            code = _wait(npm, check)
        finally:
            _end(npm)
        if code != 0:
            output.seek(0)
            said = mask(output.read().decode("utf-8", "replace").strip()[-_SAID_CHARS:])
            raise InstallFailed(
                f"npm could not install {package.spec} (status {code}): {_first_line(said)}",
                package=package.name,
                stderr=said,
            )
    # What looks for the version of a program searches upwards from it.
    (directory / "package.json").write_text(
        json.dumps({"name": package.name, "version": package.version, "private": True}),
        encoding="utf-8",
    )
    os.sync()


def write_launcher(pin: AgentPin, directory: Path, tools: NodeTools) -> Path:
    """`directory/bin/<program>`: runs with the Node.js that installed it, else with that on the PATH.

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
    node = shlex.quote(str(tools.node))
    launcher.write_text(
        "#!/bin/sh\n"
        'here=$(dirname -- "$(readlink -f -- "$0")")\n'
        f"node={node}\n"
        '[ -x "$node" ] || node=node\n'
        f'exec "$node" "$here"/../{inside} "$@"\n',
        encoding="utf-8",
    )
    launcher.chmod(0o755)
    return launcher


def _wait(npm: subprocess.Popen[bytes], check: Callable[[], None]) -> int:
    deadline = time.monotonic() + NPM_TIMEOUT_S
    while True:
        try:
            return npm.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            check()
        if time.monotonic() > deadline:
            raise InstallFailed(
                f"npm took more than {NPM_TIMEOUT_S:g} s and was ended.", limit="NPM_TIMEOUT_S"
            )


def _end(npm: subprocess.Popen[bytes]) -> None:
    if npm.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(npm.pid, signal.SIGKILL)
        npm.wait()


def _first_line(said: str) -> str:
    lines = [line.removeprefix("npm error ").strip() for line in said.splitlines()]
    # npm's first line is its code, which says less than what follows.
    return " ".join(line for line in lines[:3] if line) or "it said nothing"
