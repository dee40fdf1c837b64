"""The children of this server: those that it started, and the orphans of agents, which Linux gives to it.

As a subreaper the server gets every process below it whose parent is gone. So nothing of an agent can leave
the server's tree while the server lives, also without a marker.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, Protocol, TypeVar

from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.proc_table import ProcessStat

__all__ = ["Children", "the_children"]

logger = logging.getLogger(__name__)

_PR_SET_CHILD_SUBREAPER: Final = 36


class _Started(Protocol):
    @property
    def pid(self) -> int: ...


T = TypeVar("T", bound=_Started)


class Children:
    """Of one process; for any of its threads."""

    def __init__(self) -> None:
        self._is_parent = False
        self._own: dict[int, int] = {}
        """pid -> start time of what was started here."""
        self._starting: list[int] = []
        """When the starts that are under way began."""
        self._lock = threading.Lock()
        self._dead: dict[int, int] = {}
        """The orphans that were found dead at the last look."""

    def adopt_orphans(self) -> None:
        """Become their parent. Where that cannot be, the marker is all that leads to them."""
        try:
            done = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        except (OSError, AttributeError):
            return  # no Linux
        self._is_parent = done == 0
        if done != 0:
            logger.debug("orphans are not adopted here: %s", os.strerror(ctypes.get_errno()))

    def start(self, launch: Callable[[], T]) -> T:
        """What `launch` starts is no orphan. Raises what it raises."""
        began = int(time.clock_gettime(time.CLOCK_BOOTTIME) * _ticks()) if self._is_parent else 0
        with self._lock:
            self._starting.append(began)
        try:
            started = launch()
            self.own(started.pid)
            return started
        finally:
            with self._lock:
                self._starting.remove(began)

    def own(self, pid: int) -> None:
        """Somebody here started it, and waits for it."""
        if self._is_parent and (stat := proc_table.read_one(pid)) is not None:
            self._own[pid] = stat.start_time

    def start_time_of(self, pid: int) -> int | None:
        """Of what was started here. None where nobody knows."""
        if self._is_parent:
            return self._own.get(pid)
        stat = proc_table.read_one(pid)
        return stat.start_time if stat is not None else None

    def disown(self, pid: int, start_time: int) -> None:
        """It has been collected."""
        if self._own.get(pid) == start_time:
            self._own.pop(pid, None)

    def orphans(self, table: Iterable[ProcessStat]) -> list[ProcessStat]:
        """Of the agents, dead ones too. `table` was read just now."""
        # The first process of a container is the parent of whatever is run in it, not of our orphans only.
        return self._adopted(table) if self._is_parent and os.getpid() != 1 else []

    def bury_orphans(self) -> None:
        """Collect the dead ones. Blocks.

        Only those that were dead at the last look too: whoever waits for a child of his, unknown here,
        has collected it by now.
        """
        if not self._is_parent or not _has_dead_children():
            self._dead = {}
            return
        for pid, start_time in list(self._own.items()):
            stat = proc_table.read_one(pid)
            if stat is None or stat.start_time != start_time:
                self._own.pop(pid, None)
        before = self._dead
        dead = {
            stat.pid: stat.start_time
            for stat in self._adopted(proc_table.read_all())
            if stat.is_zombie
        }
        self._dead = {pid: since for pid, since in dead.items() if not _bury(pid, since, before)}

    def _adopted(self, table: Iterable[ProcessStat]) -> list[ProcessStat]:
        with self._lock:
            # One that is being started is not known yet.
            began = min(self._starting, default=None)
        me = os.getpid()
        # What else the server runs, as npm, stays in its session; an agent never does.
        session = os.getsid(0)
        return [
            stat
            for stat in table
            if stat.parent == me
            and stat.session != session
            and self._own.get(stat.pid) != stat.start_time
            and (began is None or stat.start_time < began)
        ]


the_children = Children()
"""Of this process: being a subreaper is a property of processes."""


def _bury(pid: int, start_time: int, before: Mapping[int, int]) -> bool:
    if before.get(pid) != start_time:
        return False
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return True


def _has_dead_children() -> bool:
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK")
