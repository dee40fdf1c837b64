"""Who runs on this machine, from `/proc`. Empty answers where there is none (macOS)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["ProcessStat", "family", "is_running", "kill", "read_all", "read_one", "wait_until_gone"]

_PROC = Path("/proc")
_MAX_STAT_BYTES = 4096
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
    # Asked for every process that is started: a `Path` and a file object would take twice as long.
    try:
        descriptor = os.open(f"{_PROC}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(descriptor, _MAX_STAT_BYTES)
    except OSError:
        return None  # it has gone meanwhile
    finally:
        os.close(descriptor)
    # The second field is the program's name in parentheses, which may itself hold both and blanks.
    fields = text[text.rfind(b")") + 2 :].split(maxsplit=20)
    # One whose first thread has ended looks like a zombie while its other threads run on.
    is_zombie = fields[0] == b"Z" and int(fields[17]) <= 1
    return ProcessStat(pid, int(fields[1]), int(fields[3]), int(fields[19]), is_zombie)


def read_all() -> list[ProcessStat]:
    try:
        pids = [int(name) for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208
    except OSError:
        return []
    return [stat for pid in pids if (stat := read_one(pid)) is not None]


def family(
    roots: Iterable[int],
    session: int | None,
    table: Iterable[ProcessStat],
    *,
    without: Collection[int] = (),
) -> list[ProcessStat]:
    """The roots, everything in the session, and all that descends from them; not `without` and what only
    that leads to.

    The session finds orphans; the parents find children that made a session of their own, as
    agents do for the commands they run.
    """
    by_parent: dict[int, list[ProcessStat]] = {}
    wanted = set(roots)
    waiting: list[ProcessStat] = []
    for stat in table:
        by_parent.setdefault(stat.parent, []).append(stat)
        if stat.pid in wanted or (session is not None and stat.session == session):
            waiting.append(stat)
    found: dict[int, ProcessStat] = {}
    while waiting:
        stat = waiting.pop()
        if stat.pid not in found and stat.pid not in without:
            found[stat.pid] = stat
            waiting += by_parent.get(stat.pid, ())
    return [stat for stat in found.values() if not stat.is_zombie]


def is_running(process: ProcessStat) -> bool:
    """Is it still there, and not another one with its pid?"""
    now = read_one(process.pid)
    return now is not None and now.start_time == process.start_time and not now.is_zombie


def kill(process: ProcessStat, number: signal.Signals) -> None:
    """Signal the process if it is still there, and ours to signal."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        # Not Linux, or a sandbox kernel without pidfds (gVisor).
        if is_running(process):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, number)
        return
    try:
        # What is looked at is now what the handle is of, or dead: the pid cannot become a stranger's between.
        if is_running(process):
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def wait_until_gone(processes: Iterable[ProcessStat], seconds: float) -> None:
    """Wait until none is left, but no longer than `seconds`. Blocks."""
    # Processes of another parent tell nobody when they end: looking is all there is.
    deadline = time.monotonic() + seconds
    waiting = list(processes)
    while waiting := [process for process in waiting if is_running(process)]:
        if time.monotonic() > deadline:
            return
        time.sleep(_LOOK_EVERY_S)
