"""Which processes run, written down, so that a later server can end what one that died left running.

A process is known by pid and start time, never by pid alone: pids are given away again. Where there is
no `/proc` nothing is written down.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from typing import Protocol

from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.proc_table import ProcessStat

__all__ = ["ProcessLedger", "ProcessRecords"]

logger = logging.getLogger(__name__)

_TERM_GRACE_S = 0.5


class ProcessRecords(Protocol):
    """Where it is written down."""

    def add(self, pid: int, start_time: int, owner: str) -> None:
        """A process that is there already changes its owner."""
        ...

    def remove(self, owner: str) -> None: ...

    def all(self) -> Sequence[tuple[int, int, str]]:
        """`(pid, start time, owner)`."""
        ...


class ProcessLedger:
    def __init__(self, records: ProcessRecords, *, term_grace_s: float = _TERM_GRACE_S) -> None:
        self._records = records
        self._grace_s = term_grace_s

    def note(self, pid: int, owner: str) -> None:
        """A process that leads a session of its own runs for `owner`. One that is gone already is not noted."""
        stat = proc_table.read_one(pid)
        if stat is not None:
            self._records.add(pid, stat.start_time, owner)

    def forget(self, owner: str) -> None:
        """Every process of `owner` has been ended."""
        self._records.remove(owner)

    async def reap_left_over(self) -> None:
        """End what an earlier server noted and did not forget, with its children. Called before anything runs."""
        left = self._records.all()
        ended = await asyncio.gather(*(self._reap(pid, started) for pid, started, _ in left))
        for (pid, _, owner), was_running in zip(left, ended, strict=True):
            if was_running:
                logger.warning("ended process %s of %s, left by an earlier server", pid, owner)
            self._records.remove(owner)

    async def _reap(self, pid: int, start_time: int) -> bool:
        """SIGTERM, then SIGKILL. The process itself may be gone while its children live on."""
        tree = _tree(pid, start_time)
        if not tree:
            return False
        for stat in tree:
            proc_table.kill(stat, signal.SIGTERM)
        await proc_table.until_gone(tree, self._grace_s)
        # Look again: what got SIGTERM may have forked.
        known = {stat.pid: stat for stat in (*tree, *_tree(pid, start_time))}
        for stat in known.values():
            proc_table.kill(stat, signal.SIGKILL)
        await proc_table.until_gone(known.values(), self._grace_s)
        return True


def _tree(pid: int, start_time: int) -> list[ProcessStat]:
    """Nothing when the pid has been given to another process since."""
    leader = proc_table.read_one(pid)
    if leader is not None and leader.start_time != start_time:
        return []
    tree = [
        stat
        for stat in proc_table.descendants(pid, proc_table.read_all())
        if stat.start_time >= start_time
    ]
    if leader is not None and not leader.is_zombie:
        tree.append(leader)
    return tree
