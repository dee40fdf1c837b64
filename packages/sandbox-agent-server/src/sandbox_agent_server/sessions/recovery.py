"""From logs to sessions: what an earlier server left open is ended, and a lost index is made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.frames import LogEntry, extensions

from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.log.reading import read_entries
from sandbox_agent_server.log.restoring import restored
from sandbox_agent_server.sessions.fold import (
    RequestChange,
    SessionStep,
    created,
    fold,
    request_change,
)
from sandbox_agent_server.sessions.requests.pending import cancel_left_over
from sandbox_agent_server.sessions.state import SessionState

__all__ = ["end_left_over", "state_of_log"]

_READ_BYTES = 1024 * 1024
_READ_ENTRIES = 65536


def state_of_log(
    log: SessionLog,
    native_modes: Callable[[str], Mapping[str, str]],
    *,
    known: SessionState | None = None,
    seq: int = 0,
) -> tuple[SessionState, list[RequestChange]]:
    """Fold a log, from what is known of it up to `seq`. Blocks. `native_modes`: by the name of an agent.

    Raises:
        ValueError: it is no log of a session.
        StorageError: it cannot be read.
    """
    state = known
    changes: list[RequestChange] = []
    for entry in entries_after(log, seq if known is not None else 0):
        if state is None:
            state = created(entry, native_modes=native_modes)
            continue
        if (change := request_change(state, entry)) is not None:
            changes.append(change)
        state = fold(state, entry)
    if state is None:
        raise ValueError("the log is empty")
    return state, changes


def end_left_over(log: SessionLog, state: SessionState) -> SessionStep | None:
    """The step that ends what a server left open that died: exactly one end for the turn that ran. None when
    there is nothing to end. Blocks.

    Raises:
        StorageError: the log cannot be read.
    """
    if not state.is_open:
        return None
    step = SessionStep(log.session_id, log.next_seq, log.now_ms, state)
    step.is_end = True
    since = state.open_since_seq
    stamper = restored(() if since is None else entries_after(log, since - 1))
    stamper.close_items(step)
    cancel_left_over(step, stamper)
    if state.is_running:
        params = {"expected": False, "reason": "server_stopped"}
        stamper.server_entry(step, extensions.AGENT_EXITED, params)
    error = {"code": "unavailable", "message": "the server stopped meanwhile"}
    stamper.end_tasks(step, status="failed", error=error)
    for turn_id in (state.own_turn_id, state.turn_id):
        if turn_id is None:
            continue
        stamper.close_turn(step, turn_id)
        error = {"code": "unavailable", "message": "the server stopped during the turn"}
        params = {"turnId": turn_id, "stopReason": "interrupted", "error": error}
        stamper.server_entry(step, extensions.TURN_ENDED, params)
        stamper.end_turn(turn_id)
    stamper.close_turn(step, None)
    for queued_id in state.queued:
        params = {"turnId": queued_id, "reason": "interrupted"}
        stamper.server_entry(step, extensions.TURN_DROPPED, params)
    return step


def entries_after(log: SessionLog, after: int) -> Iterator[LogEntry]:
    """Blocks. Raises: StorageError."""
    try:
        place = log.file.find(after + 1)
        while True:
            entries, place = read_entries(
                log.file, log.session_id, place, limit=_READ_ENTRIES, max_bytes=_READ_BYTES
            )
            if not entries:
                return
            for entry in entries:
                if entry.seq > after:
                    yield entry.to_log_entry(log.session_id)
    except OSError as exc:
        raise StorageError(f"cannot read the log {str(log.file.path)!r}: {exc}") from exc
