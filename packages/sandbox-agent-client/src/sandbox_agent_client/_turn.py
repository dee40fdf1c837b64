"""What one turn was, read from its entries, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.errors import AgentError, SandboxAgentError, SessionClosed, error_classes
from sandbox_agent_core.events import (
    AgentExited,
    Event,
    Fault,
    MessageCompleted,
    PermissionResolved,
    QuestionResolved,
    TurnDropped,
    TurnEnded,
)
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project

from sandbox_agent_client._result import PromptResult

__all__ = ["TurnReader"]


class TurnReader:
    """Takes the entries of a session, gives the events of one turn, and knows when it is over."""

    def __init__(self, turn_id: str) -> None:
        self.turn_id = turn_id
        self._end: TurnEnded | TurnDropped | None = None
        self._exit: AgentExited | None = None
        self._message_id: str | None = None
        self._text: list[str] = []
        self._unanswered = 0

    @property
    def is_over(self) -> bool:
        return self._end is not None

    def take(self, entry: LogEntry) -> Event | None:
        """The event, when the entry is one and belongs to the turn."""
        if entry.turn_id != self.turn_id and entry.turn_id is not None:
            return None
        event = project(entry)
        if event is None or event.turn_id != self.turn_id:
            return None
        match event:
            case TurnEnded() | TurnDropped():
                self._end = event
            case PermissionResolved(decided_by="timeout") | QuestionResolved(decided_by="timeout"):
                self._unanswered += 1
            case AgentExited():
                self._exit = event
            case MessageCompleted(role="assistant", parent_tool_call_id=None):
                self._add(event)
            case _:
                pass
        return event

    def result(self) -> PromptResult:
        """How it ended. Only when it is over.

        Raises:
            AgentProcessExited, AgentError: the turn ended with an error.
            SessionClosed: it waited for its turn, and the session was ended before.
        """
        assert self._end is not None
        if isinstance(self._end, TurnDropped):
            return self._dropped(self._end)
        end = self._end
        # A limit is no failure: whoever set it wants to know what was done until then.
        if end.error is not None and end.limit is None:
            raise self._error(end.error)
        if end.stop_reason == "error" and end.limit is None:
            raise AgentError(
                "The turn ended with an error that nobody described.", **self._details()
            )
        return PromptResult(
            turn_id=self.turn_id,
            stop_reason=end.stop_reason,
            limit=end.limit,
            usage=end.usage,
            model_calls=end.model_calls,
            cost=end.cost,
            text="".join(self._text),
            output=end.output,
            unanswered=self._unanswered,
        )

    def _dropped(self, end: TurnDropped) -> PromptResult:
        if end.reason == "session_ended":
            raise SessionClosed("The session was ended before the turn started.", **self._details())
        reason = "cancelled" if end.reason == "cancelled" else "interrupted"
        return PromptResult(turn_id=self.turn_id, stop_reason=reason, limit=end.limit)

    def _error(self, fault: Fault) -> SandboxAgentError:
        data = fault.data if isinstance(fault.data, Mapping) else {"data": fault.data}
        details: dict[str, Any] = self._details() | {"rpcCode": fault.rpc_code}
        details |= {str(key): value for key, value in data.items() if key != "message"}
        return error_classes().get(fault.code, AgentError)(fault.message, **details)

    def _details(self) -> dict[str, Any]:
        details: dict[str, Any] = {"turnId": self.turn_id}
        if self._exit is not None:
            details |= {
                "exitCode": self._exit.exit_code,
                "signal": self._exit.signal,
                "stderrTail": self._exit.stderr_tail,
            }
        return details

    def _add(self, event: MessageCompleted) -> None:
        # A message is all its completions; the next message replaces it.
        if event.message_id != self._message_id or event.message_id is None:
            self._text.clear()
            self._message_id = event.message_id
        self._text.append(event.text)
