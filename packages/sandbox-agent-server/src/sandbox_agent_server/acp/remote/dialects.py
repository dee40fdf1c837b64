"""The versions of ACP that are spoken to clients. A connection has one, which its `initialize` chooses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict

from sandbox_agent_server.acp.remote import greeting
from sandbox_agent_server.acp.remote.attachment import Question
from sandbox_agent_server.acp.remote.attachments import MakeReader
from sandbox_agent_server.acp.remote.reading import Reader, Reading
from sandbox_agent_server.acp.remote.requests import SessionRequests
from sandbox_agent_server.acp.remote.v2 import greeting as draft_greeting
from sandbox_agent_server.acp.remote.v2.reading import Now
from sandbox_agent_server.acp.remote.v2.reading import Reading as DraftReading
from sandbox_agent_server.acp.remote.v2.requests import DraftRequests
from sandbox_agent_server.agents.runner.inventory import AgentInventory
from sandbox_agent_server.sessions.manager import SessionManager

__all__ = ["Dialect", "dialect_of"]


class _Greet(Protocol):
    def __call__(
        self, agents: AgentInventory, name: str, params: dict[str, Any], *, version: str
    ) -> Awaitable[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    greet: _Greet
    """Raises: InvalidRequest."""
    capabilities: str
    """The member of `initialize` that has those of the client."""
    requests: type[SessionRequests]
    reader: MakeReader
    understood: Callable[[Frame, Question], Frame]
    """The client's answer to what an agent has asked, as it is for the agent."""


def dialect_of(params: dict[str, Any], *, with_draft: bool) -> Dialect:
    """The highest that is spoken, of those at or below what `initialize` asks for."""
    asked = params.get("protocolVersion")
    if isinstance(asked, bool) or not isinstance(asked, int | float):
        return _V1
    return _V2 if with_draft and asked >= draft_greeting.VERSION else _V1


def _read_stable(manager: SessionManager, session_id: str, *, is_resumed: bool) -> Reader:
    return Reading(session_id)


def _read_draft(manager: SessionManager, session_id: str, *, is_resumed: bool) -> Reader:
    with manager.session(session_id) as session:
        state = session.state
        turns = frozenset(id for id in (state.turn_id, state.own_turn_id) if id is not None)
        waiting = frozenset(
            id
            for id, asked in state.pending.items()
            if asked.get("turnId") in turns and asked.get("kind") in ("permission", "question")
        )
        now = Now(session.log.last_seq, turns, waiting, state.options)
    return DraftReading(session_id, now, is_resumed=is_resumed)


def _as_it_is(answer: Frame, _question: Question) -> Frame:
    return answer


def _approved_or_not(answer: Frame, question: Question) -> Frame:
    """What is not understood approves nothing."""
    if "error" in answer:
        return answer
    result = as_dict(answer.get("result"))
    if question.method == acp.SESSION_REQUEST_PERMISSION:
        outcome = as_dict(result.get("outcome"))
        is_clear = (
            outcome.get("outcome") == "selected" and outcome.get("optionId") in question.options
        )
        return answer if is_clear else {**answer, "result": {"outcome": {"outcome": "cancelled"}}}
    is_clear = result.get("action") in ("accept", "decline", "cancel")
    return answer if is_clear else {**answer, "result": {"action": "cancel"}}


_V1: Final = Dialect(
    greeting.greeting, "clientCapabilities", SessionRequests, _read_stable, _as_it_is
)
_V2: Final = Dialect(
    draft_greeting.greeting, "capabilities", DraftRequests, _read_draft, _approved_or_not
)
