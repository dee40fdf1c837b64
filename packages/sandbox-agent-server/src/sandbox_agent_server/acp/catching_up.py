"""After a crash: a log may have what its client was not told, and nobody answers what the client had asked."""

from __future__ import annotations

from typing import Protocol

from sandbox_agent_core.errors import SandboxAgentError, Unavailable
from sandbox_agent_core.frames import LogEntry, operations

from sandbox_agent_server.acp.asked import Asked
from sandbox_agent_server.acp.attached import Attached
from sandbox_agent_server.acp.outbox import source_of
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.log.log import Cursor, SessionLog
from sandbox_agent_server.sessions.session import Session

__all__ = ["last_heard", "tell_missed"]


class Client(Protocol):
    def failed(self, asked: Asked, error: SandboxAgentError, *, session_id: str | None) -> None: ...


async def last_heard(outbox: SessionLog) -> dict[str, int]:
    """Of each session the last entry that the client was told of."""
    heard: dict[str, int] = {}
    cursor = Cursor(outbox, 0)
    while entries := await cursor.read():
        for session_id, seq in filter(None, map(source_of, entries)):
            heard[session_id] = max(seq, heard.get(session_id, 0))
    return heard


async def tell_missed(attached: Attached, session: Session, heard: int, client: Client) -> None:
    """What came after the entry `heard`, and that the last prompt will not be answered, if nobody said so."""
    prompted = session.state.turn_seq
    cursor = Cursor(session.log, min(heard, max(prompted - 1, 0)))
    while entries := await cursor.read():
        for each in entries:
            entry = each.to_log_entry(session.id)
            _note_prompt(attached, entry)
            if entry.seq > heard:
                attached.tell_again(_draft_of(entry), entry.seq)
            elif _is_answer(entry):
                attached.in_flight.pop(entry.payload["id"], None)
    unanswered, attached.in_flight = attached.in_flight, {}
    for asked in unanswered.values():
        error = Unavailable("the server was stopped during the turn")
        client.failed(asked, error, session_id=attached.acp_id)


def _note_prompt(attached: Attached, entry: LogEntry) -> None:
    id = entry.payload.get("id")
    if entry.sender != "client" or entry.method not in operations.BEGIN_A_TURN:
        return
    # Ids of our own making: a prompt of ours, or one of which only the dead server knew how the client calls it.
    if isinstance(id, str) and id.startswith(("server-", "client-")):
        return
    if isinstance(id, str | int):
        attached.in_flight[id] = Asked(entry.payload, None, dumps(id))


def _is_answer(entry: LogEntry) -> bool:
    return entry.sender == "agent" and "method" not in entry.payload and "id" in entry.payload


def _draft_of(entry: LogEntry) -> Draft:
    return Draft(
        entry.sender,
        dumps(entry.payload),
        entry.payload,
        method=entry.method,
        turn_id=entry.turn_id,
        item_id=entry.item_id,
        annotations=entry.annotations,
    )
