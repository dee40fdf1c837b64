"""Two real nodes of Ray on this machine, of the tests alone.

`ray stop` would end every Ray of the machine. So each node is a process that stays in front, in a session of its own,
and with it go all that it has started.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.optional import skip_without
from support.ports import free_port
from support.processes import is_running

__all__ = ["RayCluster", "ray_cluster"]

START_TIMEOUT_S = 90.0
OBJECT_STORE_BYTES = 80_000_000


@dataclass
class RayCluster:
    address: str
    folder: Path
    environment: dict[str, str] = field(repr=False)
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_node(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Returns when it is of the cluster."""
        number = len(self.nodes)
        log = self.folder / f"node-{number}.log"
        first_port = 21000 + os.getpid() % 300 * 100 + number % 2 * 50
        with log.open("wb") as output:
            node = subprocess.Popen(
                [
                    *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
                    *(f"--object-store-memory={OBJECT_STORE_BYTES}", "--disable-usage-stats"),
                    f"--min-worker-port={first_port}",
                    f"--max-worker-port={first_port + 49}",
                    *arguments,
                ],
                env=self.environment | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.nodes.append(node)
        deadline = time.monotonic() + START_TIMEOUT_S
        while b"Ray runtime started" not in log.read_bytes():
            if node.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"a node of Ray did not start: {log.read_text()}")
            time.sleep(0.05)
        return node

    def kill_node(self, node: subprocess.Popen[bytes]) -> None:
        """As a machine that loses its power: nothing of it has time for anything."""
        for pid in [node.pid, *_descendants(node.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.wait()

    def actor_pids(self, name: str) -> list[int]:
        """Of the processes that are an actor of this class now."""
        title = f"ray::{name}".encode()
        mine = {pid for node in self.nodes for pid in _descendants(node.pid)}
        return [pid for pid in mine if _title(pid).startswith(title)]

    def stop(self) -> None:
        pids = [pid for node in self.nodes for pid in (*_descendants(node.pid), node.pid)]
        for node in self.nodes:
            self.kill_node(node)
        deadline = time.monotonic() + 10
        while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)


@contextlib.contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """A head without anything for trials, and a node with `{"sandbox": 2}` where `ON_THE_SECOND` is set."""
    if importlib.util.find_spec("ray") is None:
        skip_without("Ray is not installed: there is none for this Python")
    # Its sockets have the path in their names, which may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    port = free_port()
    # Whoever reaches its ports could run programs here: they must know the token.
    environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    cluster = RayCluster(
        address=f"127.0.0.1:{port}", folder=folder, environment=os.environ | environment
    )
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        cluster.start_node(
            *("--head", "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=1"),
            *('--resources={"head": 1}', "--include-dashboard=false", f"--temp-dir={folder}"),
        )
        start_second(cluster)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def start_second(cluster: RayCluster) -> subprocess.Popen[bytes]:
    return cluster.start_node(
        *(f"--address={cluster.address}", "--num-cpus=1", '--resources={"sandbox": 2}'),
        ON_THE_SECOND="yes",
    )


def _descendants(pid: int) -> list[int]:
    """By kinship, which holds as long as all those between are alive."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                parent = int(stat.rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def _title(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
