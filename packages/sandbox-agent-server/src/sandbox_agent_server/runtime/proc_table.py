"""Who runs on this machine, from `/proc`. Empty answers where there is none (macOS)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["ProcessStat", "descendants", "is_running", "kill", "read_all", "read_one", "until_gone"]

_PROC = Path("/proc")
_LOOK_EVERY_S = 0.002


class ProcessStat(NamedTuple):
    pid: int
    parent: int
    session: int
    start_time: int
    """Clock ticks since boot: with the pid, it names a process for good."""
    is_zombie: bool


def read_one(pid: int) -> ProcessStat | None:
    """None when there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in parentheses, which may itself hold both and blanks.
    fields = text[text.rfind(b")") + 2 :].split()
    return ProcessStat(pid, int(fields[1]), int(fields[3]), int(fields[19]), fields[0] == b"Z")


def read_all() -> list[ProcessStat]:
    try:
        pids = [int(name) for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208
    except OSError:
        return []
    return [stat for pid in pids if (stat := read_one(pid)) is not None]


def descendants(pid: int, table: Iterable[ProcessStat]) -> list[ProcessStat]:
    """Everything that descends from `pid` or is in the session that it leads, without itself.

    The session finds orphans; the parents find children that made a session of their own, as
    agents do for the commands they run.
    """
    by_parent: dict[int, list[ProcessStat]] = {}
    found: dict[int, ProcessStat] = {}
    for stat in table:
        by_parent.setdefault(stat.parent, []).append(stat)
        if stat.session == pid:
            found[stat.pid] = stat
    waiting = [pid, *found]
    while waiting:
        for child in by_parent.get(waiting.pop(), ()):
            if child.pid not in found:
                found[child.pid] = child
                waiting.append(child.pid)
    found.pop(pid, None)
    return [stat for stat in found.values() if not stat.is_zombie]


def is_running(process: ProcessStat) -> bool:
    """Is it still there, and not another one with its pid?"""
    now = read_one(process.pid)
    return now is not None and now.start_time == process.start_time and not now.is_zombie


def kill(process: ProcessStat, number: signal.Signals) -> None:
    """Signal the process if it is still there."""
    if is_running(process):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


async def until_gone(processes: Iterable[ProcessStat], seconds: float) -> None:
    """Wait until none is left, but no longer than `seconds`."""
    # Processes of another parent tell nobody when they end: looking is all there is.
    deadline = time.monotonic() + seconds
    waiting = list(processes)
    while waiting := [process for process in waiting if is_running(process)]:
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(_LOOK_EVERY_S)
