"""A stamper that holds what another one held, whose process is gone: made from the entries it has stamped.

No second mechanism keeps that state on disk. What stamping an entry again would add is thrown away.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sandbox_agent_core.frames import LogEntry, acp, extensions, operations
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection import is_apart

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.stamper import Stamper
from sandbox_agent_server.log.step import Step

__all__ = ["restored"]

_COMPLETIONS: Final = frozenset(
    {extensions.MESSAGE_COMPLETED, extensions.REASONING_COMPLETED, extensions.TOOL_COMPLETED}
)
_ANY_NUMBER: Final = 1 << 30


def restored(entries: Iterable[LogEntry]) -> Stamper:
    """From all entries since the oldest of what is open began: a turn, or the turn of a background task."""
    stamper = Stamper()
    for entry in entries:
        step = _Replayed(entry.seq)
        if entry.method in _COMPLETIONS:
            stamper.forget(entry)
        elif _begins_a_turn(entry):
            stamper.begin_turn(step, entry.turn_id or "")
        elif _ends_a_turn(entry):
            stamper.close_items(step)
            stamper.end_turn(entry.turn_id)
        elif entry.sender == "agent":
            _feed(stamper, step, entry)
    return stamper


def _begins_a_turn(entry: LogEntry) -> bool:
    is_call = entry.sender == "client" and "method" in entry.payload
    return is_call and entry.method in operations.BEGIN_A_TURN


def _ends_a_turn(entry: LogEntry) -> bool:
    if entry.sender == "server":
        return entry.method == extensions.TURN_ENDED
    if entry.sender != "agent" or _is_marked(entry, "late"):
        return False
    if entry.method == extensions.TURN_ENDED:
        return _is_marked(entry, "background")
    return entry.method in operations.BEGIN_A_TURN and "method" not in entry.payload


def _feed(stamper: Stamper, step: Step, entry: LogEntry) -> None:
    frame = entry.payload
    method, params = frame.get("method"), as_dict(frame.get("params"))
    if _is_marked(entry, "replay") or is_apart(entry):
        return
    if _is_marked(entry, "background"):
        if method == extensions.TURN_STARTED:
            stamper.begin_own_turn(step, b"", frame, entry.turn_id or "")
        else:
            stamper.task(step, b"", frame, max_tasks=_ANY_NUMBER)
    elif method == acp.SESSION_UPDATE:
        kind = as_dict(params.get("update")).get("sessionUpdate")
        # A chunk weighs nothing here, so that no part is completed that was not then.
        is_tool = kind in (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE)
        stamper.update(step, dumps(frame) if is_tool else b"", frame)
    elif isinstance(method, str) and frame.get("id") is not None:
        tool_call = as_dict(params.get("toolCall")) if entry.item_id is not None else None
        stamper.agent_request(step, dumps(frame), frame, tool_call=tool_call)


def _is_marked(entry: LogEntry, name: str) -> bool:
    return as_dict(entry.annotations).get(name) is True


class _Replayed(Step):
    """An entry that is in the log already."""

    __slots__ = ()

    @property
    def next_seq(self) -> int:
        return self.first_seq
