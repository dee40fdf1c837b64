"""The processes of a fake sandbox: found by a variable that they inherit, whatever they have done to get away."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

__all__ = ["MARK", "signal_all", "stop_all"]

MARK = "FAKE_SANDBOX"
"""The variable; its value is the sandbox's id."""

KILL_DEADLINE_S = 10.0


def signal_all(sandbox_id: str, number: signal.Signals) -> None:
    for pid in _processes_of(sandbox_id):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def stop_all(sandbox_id: str) -> None:
    """Kill, and wait until all of them are gone."""
    deadline = time.monotonic() + KILL_DEADLINE_S
    while _processes_of(sandbox_id):
        signal_all(sandbox_id, signal.SIGKILL)
        assert time.monotonic() < deadline, f"processes of {sandbox_id} do not die"
        time.sleep(0.01)


def _processes_of(sandbox_id: str) -> list[int]:
    wanted = f"{MARK}={sandbox_id}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environ = (entry / "environ").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            continue
        if wanted in environ and state != "Z":
            found.append(int(entry.name))
    return found
