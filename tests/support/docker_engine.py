"""A Docker engine of the tests' own: one for all workers of a run, gone with the last of them.

It has its own data, socket and bridge, touches no firewall rule, and its containers reach this machine by
the bridge's address and nothing else. A keeper process (`docker_engine_keeper`) owns it: it waits for a
lock that every worker shares, so it also cleans up after workers that were killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["DockerEngine", "docker_engine", "why_no_engine"]

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
PROGRAMS = ("dockerd", "containerd", "runc", "docker-proxy", "ip", "busybox")


@dataclass(frozen=True, slots=True)
class DockerEngine:
    host: str
    """For `DOCKER_HOST`."""
    address: str
    """Of this machine, as containers reach it."""
    directory: Path

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One worker at a time, for what all of them need and one of them makes."""
        with (self.directory / "alone.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def why_no_engine() -> str | None:
    """What an engine lacks here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a Docker engine of the tests' own needs Linux and root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} missing: apt-get install docker.io iptables iproute2 busybox-static"
    return None


@contextlib.contextmanager
def docker_engine(directory: Path) -> Iterator[DockerEngine]:
    """The engine of `directory`, which all processes that name it share; started by the first of them."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "users.lock").open("w") as users:
        with (directory / "start.lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            if not _join(users) or not _answers(directory):
                _wait_gone(directory)
                fcntl.flock(users, fcntl.LOCK_SH)
                _start(directory)
            facts = json.loads((directory / "engine.json").read_text(encoding="utf-8"))
        try:
            yield DockerEngine(host=facts["host"], address=facts["address"], directory=directory)
        finally:
            _leave(users, directory)


def _join(users: IO[str]) -> bool:
    """False when the keeper is cleaning up."""
    try:
        fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(directory: Path) -> bool:
    return (directory / "engine.json").exists()


def _start(directory: Path) -> None:
    # The keeper outlives this process when others still use the engine.
    with (directory / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("docker_engine_keeper.py"), directory],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _answers(directory):
        if keeper.poll() is not None or time.monotonic() > deadline:
            said = [
                (directory / name).read_text(encoding="utf-8", errors="replace")
                for name in ("keeper.log", "dockerd.log")
                if (directory / name).exists()
            ]
            raise RuntimeError("the Docker engine did not start\n" + "\n".join(said))
        time.sleep(0.02)
    keeper.returncode = 0  # its end shows in its file; nobody waits for the process


def _leave(users: IO[str], directory: Path) -> None:
    """The last one waits until nothing is left."""
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_last = True
    except BlockingIOError:
        # Others use it, or the keeper was quicker: then it cannot be shared any more.
        is_last = not _join(users)
    fcntl.flock(users, fcntl.LOCK_UN)
    if is_last:
        _wait_gone(directory)


def _wait_gone(directory: Path) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _answers(directory):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the Docker engine in {directory} does not stop")
        time.sleep(0.02)
