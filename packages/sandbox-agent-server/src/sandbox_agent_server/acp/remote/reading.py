"""Entries of a session's log as what they say to one of its ACP clients. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sandbox_agent_core.frames import LogEntry, acp, extensions, operations
from sandbox_agent_core.frames.jsonrpc import AUTH_REQUIRED, INTERNAL_ERROR, notification
from sandbox_agent_core.lenient import as_dict, as_str, compact, dicts_in
from sandbox_agent_core.projection import stop_reason, turn_data

from sandbox_agent_server.acp.remote.vocabulary import META
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Entry

__all__ = [
    "FOR_A_PERSON",
    "SPLIT_BYTES",
    "Asked",
    "Item",
    "Passed",
    "PromptAnswered",
    "Reader",
    "Reading",
    "Resolved",
    "Said",
    "Standing",
    "asked_of",
    "ended_by_agent",
    "ended_by_server",
    "is_told",
    "message",
    "piecewise",
    "read_entries",
    "without_settled",
]

SPLIT_BYTES: Final = 512 * 1024
"""Python's `websockets` closes at a message of 1 MiB."""
_PIECE_CHARS: Final = 64 * 1024
"""As JSON at most 12 bytes each."""
_CHUNKS: Final = (acp.USER_MESSAGE_CHUNK, acp.AGENT_MESSAGE_CHUNK, acp.AGENT_THOUGHT_CHUNK)
FOR_A_PERSON: Final = (acp.SESSION_REQUEST_PERMISSION, acp.ELICITATION_CREATE)
_UNKNOWN_REASON: Final = "end_turn"


@dataclass(frozen=True, slots=True)
class Said:
    seq: int
    messages: list[bytes]
    by_turn: str | None = None
    """Of a prompt: its turn. Whoever gave it knows it."""


@dataclass(frozen=True, slots=True)
class Asked:
    seq: int
    request_id: str
    rpc_id: Any
    """The agent's own."""
    method: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resolved:
    seq: int
    request_id: str


@dataclass(frozen=True, slots=True)
class PromptAnswered:
    """In version 1 with the end of its turn, in version 2 with its beginning."""

    seq: int
    turn_id: str
    answer: dict[str, Any]
    """`{result}` or `{error}`, as the agent said it or as the server knows it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are where a client begins to follow."""

    messages: list[bytes]


@dataclass(frozen=True, slots=True)
class Passed:
    """Everything up to there was read."""

    seq: int


Item = Said | Asked | Resolved | PromptAnswered | Standing | Passed


class Reader(Protocol):
    """Of one session's log for one client, in the words of its version. `read` may be called in a thread."""

    def read(self, entries: Iterable[Entry]) -> list[Item]: ...

    def standing(self) -> list[bytes]:
        """What tells a client that begins to follow how things are; for one that has nothing to read before."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """Of version 1. A `Reader`."""

    session_id: str

    def read(self, entries: Iterable[Entry]) -> list[Item]:
        return read_entries(entries, self.session_id)

    def standing(self) -> list[bytes]:
        return []


def read_entries(entries: Iterable[Entry], session_id: str) -> list[Item]:
    items: list[Item] = []
    last = 0
    for entry in entries:
        last = entry.seq
        item = _read(entry.to_log_entry(session_id), len(entry.line))
        if item is not None:
            items.append(item)
    return [*without_settled(items), Passed(last)]


def without_settled(items: list[Item]) -> list[Item]:
    """What a policy decides at once is put to nobody."""
    resolved = {item.request_id for item in items if isinstance(item, Resolved)}
    return [item for item in items if not (isinstance(item, Asked) and item.request_id in resolved)]


def _read(entry: LogEntry, size_bytes: int) -> Item | None:
    method, notes = entry.method, as_dict(entry.annotations)
    if "method" not in entry.payload:
        return _answer(entry, notes)
    if entry.sender == "agent":
        if method in FOR_A_PERSON:
            return asked_of(entry, notes)
        return _from_agent(entry, size_bytes) if is_told(entry, notes) else None
    if entry.sender == "client" and method in operations.BEGIN_A_TURN:
        return _prompted(entry)
    if method in (extensions.TURN_ENDED, extensions.TURN_DROPPED):
        return ended_by_server(entry)
    if method == extensions.TOOL_COMPLETED:
        return _closed_call(entry)
    return None


def _answer(entry: LogEntry, notes: dict[str, Any]) -> Item | None:
    if entry.sender != "agent":
        # The end of what the agent asked, by whomever.
        if entry.method in FOR_A_PERSON and entry.item_id is not None:
            return Resolved(entry.seq, entry.item_id)
        return None
    return ended_by_agent(entry, notes)


def ended_by_agent(entry: LogEntry, notes: dict[str, Any]) -> PromptAnswered | None:
    """By its answer to what began the turn."""
    if entry.method not in operations.BEGIN_A_TURN or entry.turn_id is None:
        return None
    if "error" in entry.payload:
        answer: dict[str, Any] = {"error": entry.payload["error"]}
        if notes.get("limit") is not None:
            answer = {"result": {"stopReason": "cancelled"}}
    else:
        result = as_dict(entry.payload.get("result"))
        answer = {"result": {**result, "stopReason": _acp_reason(stop_reason(result))}}
    return PromptAnswered(entry.seq, entry.turn_id, answer)


def asked_of(entry: LogEntry, notes: dict[str, Any]) -> Asked | None:
    if entry.item_id is None or "kind" not in notes or notes.get("refused"):
        return None
    params = as_dict(entry.payload.get("params"))
    earlier, call = as_dict(notes.get("tool")), params.get("toolCall")
    if earlier and isinstance(call, dict):
        params = {**params, "toolCall": {**earlier, **compact(**call)}}
    return Asked(entry.seq, entry.item_id, entry.payload["id"], entry.payload["method"], params)


def is_told(entry: LogEntry, notes: dict[str, Any]) -> bool:
    """A notification of the agent that is news. What only the server understands is for its own clients."""
    method = entry.payload["method"]
    if entry.payload.get("id") is not None or {"replay", "otherSession"} & notes.keys():
        return False
    return not method.startswith(extensions.PREFIX) and method != acp.CANCEL_REQUEST


def _from_agent(entry: LogEntry, size_bytes: int) -> Said:
    method = entry.payload["method"]
    params = as_dict(entry.payload.get("params"))
    update = as_dict(params.get("update"))
    parts: list[dict[str, Any]] = [params]
    if size_bytes > SPLIT_BYTES and update.get("sessionUpdate") in _CHUNKS:
        parts = [{**params, "update": part} for part in piecewise(update)]
    return Said(entry.seq, [message(entry, method, part) for part in parts])


def _prompted(entry: LogEntry) -> Said | None:
    if entry.turn_id is None:
        return None
    params = as_dict(entry.payload.get("params"))
    data = turn_data(entry.payload["method"], params, entry.annotations)
    messages = [
        message(entry, acp.SESSION_UPDATE, {"update": part})
        for block in dicts_in(data.get("content"))
        for part in piecewise({"sessionUpdate": acp.USER_MESSAGE_CHUNK, "content": block})
    ]
    return Said(entry.seq, messages, by_turn=entry.turn_id)


def ended_by_server(entry: LogEntry) -> PromptAnswered | None:
    params = as_dict(entry.payload.get("params"))
    turn_id = as_str(params.get("turnId")) or entry.turn_id
    if turn_id is None or entry.sender == "agent":
        return None
    fault = as_dict(params.get("error"))
    if fault:
        code = AUTH_REQUIRED if fault.get("code") == "agent_auth_required" else INTERNAL_ERROR
        data = {"code": fault.get("code"), **as_dict(fault.get("data"))}
        error = {"code": code, "message": str(fault.get("message")), "data": data}
        return PromptAnswered(entry.seq, turn_id, {"error": error})
    reason = as_str(params.get("stopReason")) or "cancelled"
    return PromptAnswered(entry.seq, turn_id, {"result": {"stopReason": _acp_reason(reason)}})


def _closed_call(entry: LogEntry) -> Said:
    """The agent left it open, and will not speak of it again."""
    call_id = as_dict(entry.payload.get("params")).get("toolCallId")
    update = {"sessionUpdate": acp.TOOL_CALL_UPDATE, "toolCallId": call_id, "status": "failed"}
    return Said(entry.seq, [message(entry, acp.SESSION_UPDATE, {"update": update})])


def _acp_reason(reason: str) -> str:
    """Clients know ACP's alone, and the Python SDK fails at any other."""
    if reason in acp.STOP_REASONS:
        return reason
    return "cancelled" if reason in ("interrupted", "error") else _UNKNOWN_REASON


def message(entry: LogEntry, method: str, params: dict[str, Any]) -> bytes:
    """With our id of the session, and the cursor."""
    meta = {**as_dict(params.get("_meta")), META: {"cursor": entry.seq}}
    named = {**params, "sessionId": entry.session_id, "_meta": meta}
    return dumps(notification(method, named))


def piecewise(update: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A chunk of a message as several, where its text is too long for one."""
    content = as_dict(update.get("content"))
    text = content.get("text")
    if content.get("type") != "text" or not isinstance(text, str) or len(text) <= _PIECE_CHARS:
        yield update
        return
    for start in range(0, len(text), _PIECE_CHARS):
        piece = text[start : start + _PIECE_CHARS]
        yield {**update, "content": {**content, "text": piece}}
