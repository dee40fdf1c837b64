"""Who runs, and with which marker, read once for all who ask at the same time: many agents end together."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.marker import marker_of
from sandbox_agent_server.runtime.proc_table import ProcessStat

__all__ = ["Snapshot", "take_snapshot"]

_lock = threading.Lock()
_begun = 0
_latest: Snapshot | None = None


class Snapshot:
    def __init__(self, number: int) -> None:
        self.number = number
        self.table: Sequence[ProcessStat] = proc_table.read_all()
        self._markers: dict[int, str | None] = {}

    def marker_of(self, pid: int) -> str | None:
        """Read at the first question."""
        if pid not in self._markers:
            self._markers[pid] = marker_of(pid)
        return self._markers[pid]


def take_snapshot() -> Snapshot:
    """One that was begun after this was called. Blocks."""
    global _begun, _latest
    wanted = _begun + 1
    with _lock:
        if _latest is None or _latest.number < wanted:
            _begun += 1
            _latest = Snapshot(_begun)
        return _latest
