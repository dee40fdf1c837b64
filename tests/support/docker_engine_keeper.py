"""Owns a Docker engine: `docker_engine_keeper.py DIRECTORY`. Starts it, waits until nobody uses it, cleans up.

Stdlib only: it is a program of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

READY_TIMEOUT_S = 50.0
END_TIMEOUT_S = 30.0
FIRST_SUBNET, LAST_SUBNET = 80, 250
"""172.30.N.0/24, of which one is taken that no interface has."""


def main(directory: Path) -> int:
    bridge = f"sbxd{os.getpid()}"
    # Socket paths are short: 107 bytes at most.
    work = Path(f"/tmp/sbx-docker-{os.getpid()}")
    work.mkdir(mode=0o700)
    daemon: subprocess.Popen[bytes] | None = None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        address = make_bridge(bridge)
        daemon = start_daemon(work, bridge, directory / "dockerd.log")
        wait_for(lambda: answers(work / "docker.sock"), READY_TIMEOUT_S)
        tell(directory, {"host": f"unix://{work}/docker.sock", "address": address})
        with (directory / "users.lock").open("w") as users:
            fcntl.flock(users, fcntl.LOCK_EX)
            clean_up(work, bridge, daemon)
            (directory / "engine.json").unlink()
    finally:
        clean_up(work, bridge, daemon)
    return 0


def make_bridge(name: str) -> str:
    """The address of this machine on a new bridge. dockerd's own, docker0, may be somebody else's."""
    run("ip", "link", "add", name, "type", "bridge")
    for number in range(FIRST_SUBNET, LAST_SUBNET):
        if f"172.30.{number}." in run("ip", "-4", "addr"):
            continue
        run("ip", "addr", "add", f"172.30.{number}.1/24", "dev", name)
        if run("ip", "-4", "addr").count(f"172.30.{number}.1/24") == 1:
            run("ip", "link", "set", name, "up")
            return f"172.30.{number}.1"
        run("ip", "addr", "flush", "dev", name)  # somebody else was as quick
    raise SystemExit("no free subnet in 172.30.0.0/16")


def start_daemon(work: Path, bridge: str, log: Path) -> subprocess.Popen[bytes]:
    command = [
        "dockerd",
        *("--data-root", work / "data", "--exec-root", work / "exec"),
        *("--pidfile", work / "docker.pid", "--host", f"unix://{work}/docker.sock"),
        *("--config-file", work / "none.json", "--bridge", bridge),
        *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
        *("--userland-proxy=true", "--shutdown-timeout", "5"),
    ]
    (work / "none.json").write_text("{}", encoding="utf-8")
    with log.open("wb") as out:
        return subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip


def answers(path: Path) -> bool:
    connection = http.client.HTTPConnection("docker")
    try:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def clean_up(work: Path, bridge: str, daemon: subprocess.Popen[bytes] | None) -> None:
    if daemon is not None and daemon.poll() is None:
        daemon.terminate()
        try:
            daemon.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # Its whole session: containerd and the shims are in it.
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
    for line in reversed(Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()):
        mounted = line.split()[1]
        if mounted.startswith(f"{work}/"):
            run("umount", "--lazy", mounted, check=False)
    shutil.rmtree(work, ignore_errors=True)
    run("ip", "link", "del", bridge, check=False)


def tell(directory: Path, facts: dict[str, str]) -> None:
    part = directory / "engine.json.part"
    part.write_text(json.dumps(facts), encoding="utf-8")
    part.replace(directory / "engine.json")


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("dockerd does not answer")
        time.sleep(0.02)


def run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if check and done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(Path(sys.argv[1])))
