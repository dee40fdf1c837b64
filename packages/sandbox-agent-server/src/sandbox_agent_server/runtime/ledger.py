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
from sandbox_agent_server.runtime.children import the_children
from sandbox_agent_server.runtime.marker import is_below, marker_of
from sandbox_agent_server.runtime.process_tree import ProcessTree

__all__ = ["ProcessLedger", "ProcessRecords"]

logger = logging.getLogger(__name__)

_TERM_GRACE_S = 0.5
_KILL_PATIENCE_S = 1.0


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
    def __init__(
        self, records: ProcessRecords, *, marker: str, term_grace_s: float = _TERM_GRACE_S
    ) -> None:
        """`marker`: of the data directory; everything that runs for it is marked with it."""
        self._records = records
        self._marker = marker
        self._grace_s = term_grace_s

    def note(self, pid: int, owner: str) -> None:
        """A process that leads a session of its own runs for `owner`. One that is gone already is not noted."""
        # A plug-in may have started it by other means than ours.
        the_children.own(pid)
        stat = proc_table.read_one(pid)
        if stat is not None:
            self._records.add(pid, stat.start_time, owner)

    def forget(self, owner: str) -> None:
        """Every process of `owner` has been ended."""
        self._records.remove(owner)

    async def reap_left_over(self) -> None:
        """End what an earlier server noted and did not forget, and all that came from it. Called before
        anything runs."""
        left = self._records.all()
        # By kinship too: a marker can be read of this user's processes only.
        ended = await asyncio.gather(
            *(asyncio.to_thread(self._end_noted, pid, start) for pid, start, _ in left)
        )
        for (pid, _, owner), count in zip(left, ended, strict=True):
            if count:
                logger.warning("ended process %s of %s, left by an earlier server", pid, owner)
            self._records.remove(owner)
        if count := await asyncio.to_thread(self._end, ProcessTree(marker=self._marker)):
            logger.warning("ended %d more processes, left by an earlier server", count)

    async def end_all(self) -> None:
        """Everything that still runs for this data directory. Called when all that was noted has ended."""
        await asyncio.to_thread(ProcessTree(marker=self._marker).kill, _KILL_PATIENCE_S)

    def _end_noted(self, pid: int, start_time: int) -> int:
        marker = marker_of(pid)
        if marker is not None and not is_below(marker, self._marker):
            return 0  # what was noted is a copy of another server's directory, which may live
        return self._end(ProcessTree(marker=None, leader=(pid, start_time)))

    def _end(self, tree: ProcessTree) -> int:
        """SIGTERM, then SIGKILL. How many there were. Blocks."""
        found = tree.look()
        tree.signal(signal.SIGTERM)
        proc_table.wait_until_gone(found, self._grace_s)
        tree.kill(_KILL_PATIENCE_S)
        return len(found)
