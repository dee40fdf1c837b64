"""All processes that came from one, or from all of a data directory, and the end of them.

Kinship finds most: children, and who shares the leader's session. The marker finds who left both. The server,
as the parent of orphans, finds who also cleared its environment. Everything here blocks: it is for threads.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Sequence
from typing import Final

from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.children import the_children
from sandbox_agent_server.runtime.marker import is_below
from sandbox_agent_server.runtime.proc_table import ProcessStat
from sandbox_agent_server.runtime.snapshot import Snapshot, take_snapshot

__all__ = ["ProcessTree"]

logger = logging.getLogger(__name__)

_MAX_STOPPING_LOOKS: Final = 8
"""What still forks after so many is killed as far as it is known, and looked for again."""

_living: dict[int, ProcessTree] = {}
"""Whose leader this process started and has not ended: each may be where an orphan comes from."""


class ProcessTree:
    def __init__(
        self, *, marker: str | None, leader: tuple[int, int] | None = None, is_ours: bool = False
    ) -> None:
        """`marker`: of all its processes; None: they are known by kinship alone. `leader`: pid and start time of the process that all came from, which may be gone. `is_ours`: this
        process started it, and `ended` will be called.
        """
        self._marker = marker
        self._leader = leader
        self._since = leader[1] if leader is not None else 0
        self._known: dict[int, ProcessStat] = {}
        if is_ours:
            _living[id(self)] = self

    def look(self) -> list[ProcessStat]:
        """Who runs now, the leader too. They are remembered: a look at the right time finds what later
        nothing would lead to."""
        snapshot = take_snapshot()
        table = snapshot.table
        protected = _lineage(os.getpid(), table)
        seeds, session = self._seeds(snapshot)
        found = proc_table.family(seeds - protected, session, table, without=protected)
        known = dict(self._known)
        known.update((stat.pid, stat) for stat in found)
        self._known = known
        return found

    def signal(self, number: signal.Signals) -> None:
        """Those that were found so far."""
        for stat in self._known.values():
            proc_table.kill(stat, number)

    def kill(self, patience_s: float) -> bool:
        """SIGKILL until a look finds nobody. False when that has not come to an end in time: there are
        processes that the kernel does not let go of, and others that are not ours to kill."""
        deadline = time.monotonic() + patience_s
        while found := self._stopped():
            for stat in found:
                proc_table.kill(stat, signal.SIGKILL)
            proc_table.wait_until_gone(found, deadline - time.monotonic())
            if time.monotonic() > deadline:
                left = [stat.pid for stat in found if proc_table.is_running(stat)]
                if left:
                    logger.warning("processes %s cannot be killed", left)
                return not left
        return True

    def ended(self) -> None:
        """Its leader is no more."""
        _living.pop(id(self), None)

    def _stopped(self) -> list[ProcessStat]:
        """Everybody, and so that nobody can fork while the others are looked for."""
        stopped: dict[int, ProcessStat] = {}
        for _look in range(_MAX_STOPPING_LOOKS):
            fresh = [stat for stat in self.look() if stat.pid not in stopped]
            if not fresh:
                break
            for stat in fresh:
                proc_table.kill(stat, signal.SIGSTOP)
                stopped[stat.pid] = stat
        return list(stopped.values())

    def _seeds(self, snapshot: Snapshot) -> tuple[set[int], int | None]:
        """Whose descendants, and the members of which session, belong to it."""
        table = snapshot.table
        seeds: set[int] = set()
        session = None
        start_times = {stat.pid: stat.start_time for stat in table}
        if self._leader is not None:
            pid, start_time = self._leader
            # Its pid may have been given away, and the session is then another one's.
            if start_times.get(pid, start_time) == start_time:
                session = pid
        seeds.update(
            stat.pid
            for stat in self._known.values()
            if start_times.get(stat.pid) == stat.start_time
        )
        # One with a marker is some other's: a command that has ended may have left it running on purpose.
        seeds.update(
            stat.pid for stat in self._orphans(table) if snapshot.marker_of(stat.pid) is None
        )
        if self._marker is not None:
            for stat in table:
                if stat.start_time >= self._since and stat.pid not in seeds:
                    marker = snapshot.marker_of(stat.pid)
                    if marker is not None and is_below(marker, self._marker):
                        seeds.add(stat.pid)
        return seeds, session

    def _orphans(self, table: Sequence[ProcessStat]) -> list[ProcessStat]:
        """Those that can be no other's: every other tree that there is began later than they."""
        began = min(
            (tree._since for tree in list(_living.values()) if tree is not self), default=None
        )
        return [
            stat
            for stat in the_children.orphans(table)
            if stat.start_time >= self._since and (began is None or stat.start_time < began)
        ]


def _lineage(pid: int, table: Sequence[ProcessStat]) -> set[int]:
    """The process itself and its ancestors: a server may have been started by what it is to end."""
    parents = {stat.pid: stat.parent for stat in table}
    lineage: set[int] = set()
    while pid and pid not in lineage:
        lineage.add(pid)
        pid = parents.get(pid, 0)
    return lineage
