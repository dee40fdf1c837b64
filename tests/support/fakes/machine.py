"""The inside of a fake provider's sandbox: a home directory, and processes of this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.fakes.processes import MARK, stop_all
from support.ports import free_port
from support.wheelhouse import BARE_PYTHON, OUR_SERVER

__all__ = ["PrivateMachine", "Ran", "SavedFiles"]

SIGNALLED = 128


@dataclass(frozen=True, slots=True)
class Ran:
    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class SavedFiles:
    directory: Path
    home: Path
    """Where they were."""


class PrivateMachine:
    """Not modelled: users, a file system and a network of its own, limits on memory and processors.

    Instead of a network of its own there is `port`: the server that the image brings listens there, on
    loopback, whatever it was told. An image without a server has Python; a server that is installed into
    that listens where it was told (`port_of` knows both).
    """

    def __init__(
        self, root: Path, name: str, *, env: Mapping[str, str], has_server: bool = True
    ) -> None:
        self.name = name
        self.root = root / name
        self.home = self.root / "home"
        self.home.mkdir(parents=True)
        self.port = free_port()
        self._has_server = has_server
        programs = self.root / "bin"
        programs.mkdir()
        if has_server:
            _add_program(
                programs / "sandbox-agent-server",
                f'[ "$1" != --host ] || set -- "$@" --host 127.0.0.1 --port {self.port}\n'
                f'exec {shlex.quote(str(OUR_SERVER))} "$@"',
            )
        else:
            _add_program(programs / "python3", f'exec {shlex.quote(str(BARE_PYTHON))} "$@"')
        self.env = {
            "HOME": str(self.home),
            "PATH": f"{programs}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            MARK: name,
            **env,
        }

    def port_of(self, inside: int) -> int:
        """The port of this machine that is the sandbox's `inside`."""
        return self.port if self._has_server else inside

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Ran:
        """To the end, or until it is killed after `timeout_s`.

        Raises:
            OSError: it cannot be started.
        """
        process = subprocess.Popen(
            list(command),
            cwd=cwd or self.home,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        code = process.returncode
        return Ran(code if code >= 0 else SIGNALLED - code, out, err)

    def write(self, path: str, content: bytes, *, mode: int | None = None) -> None:
        """Raises: PermissionError outside of the sandbox's own directory."""
        file = self.home / path
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise PermissionError(f"{path} is outside of this fake's sandbox, {self.root}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if mode is not None:
            file.chmod(mode)

    def keep(self, directory: Path) -> SavedFiles:
        """A copy of its files as they are."""
        shutil.copytree(self.home, directory, symlinks=True)
        return SavedFiles(directory, self.home)

    def restore(self, saved: SavedFiles) -> None:
        """Those files in this one. Where they were is another directory here, and in a vendor's sandboxes the same: what
        names it names this one's then."""
        shutil.copytree(saved.directory, self.home, symlinks=True, dirs_exist_ok=True)
        was, now = os.fsencode(saved.home), os.fsencode(self.home)
        for file in self.home.rglob("*"):
            if file.is_file() and not file.is_symlink() and was in (old := file.read_bytes()):
                file.write_bytes(old.replace(was, now))

    def stop(self) -> None:
        """Kill what runs in it; its files stay."""
        stop_all(self.name)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)


def _add_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
