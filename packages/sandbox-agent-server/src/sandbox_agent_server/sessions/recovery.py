"""After a crash of the server: end what it left open, once, and remove the processes it left behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from sandbox_agent_core.frames import LogEntry, extensions

from sandbox_agent_server.runtime.reaper import reap
from sandbox_agent_server.sessions.desk import RequestChange
from sandbox_agent_server.sessions.session import Session
from sandbox_agent_server.store import Draft, SessionRow, SqliteStore

__all__ = ["needs_recovery", "reap_left_over", "recover"]

logger = logging.getLogger(__name__)

_PAGE = 1000


async def reap_left_over(store: SqliteStore) -> None:
    """Kill the agents of an earlier server, found by pid and start time: a reused pid is left alone."""
    found = store.processes()
    if not found:
        return
    results = await asyncio.gather(*(reap(pid, start_time) for pid, start_time, _ in found))
    for (pid, _, key), was_alive in zip(found, results, strict=True):
        if was_alive:
            logger.warning("killed process group %s, left by an earlier server", pid)
        store.forget_processes(key)


def needs_recovery(state: dict[str, object]) -> bool:
    return bool(state.get("turn") or state.get("queued") or state.get("running"))


def recover(session: Session, store: SqliteStore) -> None:
    """Exactly one end for the turn that was running. One transaction: a crash in here repeats it.

    Raises:
        StorageError: the log cannot be written.
    """
    state = session.row.state
    stamper = session.stamper
    out: list[Draft] = []
    changes: list[RequestChange] = []
    turn_id = state.get("turn")
    if turn_id is not None:
        stamper.restore(turn_id, _entries(store, session.row, state["turnSeq"] - 1))
    stamper.close_items(out)
    session.desk.cancel_left_over(out, changes)
    if state.get("running"):
        params = {"expected": False, "reason": "server_stopped"}
        out.append(stamper.fact(extensions.AGENT_EXITED, params))
    if turn_id is not None:
        stamper.close_turn(out)
        error = {"code": "unavailable", "message": "the server stopped during the turn"}
        params = {"turnId": turn_id, "stopReason": "interrupted", "error": error}
        out.append(stamper.fact(extensions.TURN_ENDED, params))
        stamper.end_turn()
    out.extend(
        stamper.fact(extensions.TURN_DROPPED, {"turnId": queued_id, "reason": "interrupted"})
        for queued_id in state.get("queued") or ()
    )
    session.journal.append(out, save_row=True, changes=changes)
    logger.info("session %s: ended what an earlier server left open", session.id)


def _entries(store: SqliteStore, row: SessionRow, after: int) -> Iterator[LogEntry]:
    while page := store.read(row.key, after, limit=_PAGE):
        for entry in page:
            yield entry.to_log_entry(row.id)
        after = page[-1].seq
