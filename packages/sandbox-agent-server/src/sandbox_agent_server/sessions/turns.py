"""Turns of a session: one runs, the others wait in order."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox_agent_core.errors import AgentAuthRequired, AgentError, SandboxAgentError
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import AUTH_REQUIRED

__all__ = ["Turn", "TurnLine", "TurnOutcome", "error_of_frame", "outcome_of_frame"]


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    stop_reason: str
    usage: dict[str, Any] | None = None
    error: SandboxAgentError | None = None


@dataclass(slots=True, eq=False)
class Turn:
    id: str
    prompt: list[dict[str, Any]]
    seq: int = 0
    """Where its `session/prompt` is in the log; 0 while it waits."""
    is_cancelling: bool = False
    outcome: TurnOutcome | None = None
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    def finish(self, outcome: TurnOutcome) -> None:
        if self.outcome is None:
            self.outcome = outcome
            self._done.set()

    async def wait(self) -> TurnOutcome:
        await self._done.wait()
        assert self.outcome is not None
        return self.outcome


class TurnLine:
    """The running turn and those behind it. Bookkeeping only: the session writes the log."""

    def __init__(self) -> None:
        self.current: Turn | None = None
        self.ending: Turn | None = None
        """Its last entry is on the way into the log."""
        self.queued: deque[Turn] = deque()

    @property
    def is_free(self) -> bool:
        return self.current is None and self.ending is None and not self.queued

    def begin_ending(self) -> None:
        self.current, self.ending = None, self.current

    def ended(self) -> Turn | None:
        """Forget the running or ending turn, and return it."""
        turn = self.current or self.ending
        self.current = self.ending = None
        return turn

    def find_queued(self, turn_id: str) -> Turn | None:
        return next((turn for turn in self.queued if turn.id == turn_id), None)

    def to_state(self) -> dict[str, Any]:
        """What recovery needs."""
        return {
            "turn": self.current.id if self.current else None,
            "turnSeq": self.current.seq if self.current else None,
            "queued": [turn.id for turn in self.queued],
        }


def outcome_of_frame(frame: Frame) -> TurnOutcome:
    """How the agent's answer to `session/prompt` ends the turn."""
    if "error" in frame:
        return TurnOutcome("error", error=error_of_frame(frame))
    result = frame.get("result")
    if not isinstance(result, dict):
        return TurnOutcome("end_turn")
    usage = result.get("usage")
    stop_reason = result.get("stopReason")
    return TurnOutcome(
        stop_reason if isinstance(stop_reason, str) else "end_turn",
        usage=usage if isinstance(usage, dict) else None,
    )


def error_of_frame(frame: Frame) -> AgentError | AgentAuthRequired:
    """A JSON-RPC error as ours; the agent's code and data ride in the details."""
    error = frame.get("error")
    error = error if isinstance(error, dict) else {"message": repr(error)}
    kind = AgentAuthRequired if error.get("code") == AUTH_REQUIRED else AgentError
    return kind(
        str(error.get("message") or "the agent answered with an error"),
        agentCode=error.get("code"),
        data=error.get("data"),
    )
