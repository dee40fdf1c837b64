"""Clears away what a server that died left running: found by pid and start time, never by pid alone."""

from __future__ import annotations

import signal

from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.proc_table import ProcessStat

__all__ = ["reap", "start_time"]

_TERM_GRACE_S = 0.5


def start_time(pid: int) -> int | None:
    """What to remember beside a pid, to know the process again. None when it is gone, or without `/proc`."""
    stat = proc_table.read_one(pid)
    return stat.start_time if stat is not None else None


async def reap(pid: int, start_time: int, *, grace_s: float = _TERM_GRACE_S) -> bool:
    """End the tree of a process that an earlier server started: SIGTERM, then SIGKILL.

    The process itself may be gone while its session lives on. Nothing is touched when the pid has
    been given to another process since. True when something was there to end.
    """
    tree = _tree(pid, start_time)
    if not tree:
        return False
    for stat in tree:
        proc_table.kill(stat, signal.SIGTERM)
    await proc_table.until_gone(tree, grace_s)
    # Look again: what got SIGTERM may have forked.
    known = {stat.pid: stat for stat in (*tree, *_tree(pid, start_time))}
    for stat in known.values():
        proc_table.kill(stat, signal.SIGKILL)
    await proc_table.until_gone(known.values(), grace_s)
    return True


def _tree(pid: int, start_time: int) -> list[ProcessStat]:
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
