"""A turn: what it asks of the agent, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.events.usage import Cost
from sandbox_agent_core.frames import Frame, acp, operations
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection import stop_reason, turn_cost, turn_data

from sandbox_agent_server.agents.runner.failures import error_of_frame

__all__ = ["Turn", "TurnOutcome", "Work"]


@dataclass(frozen=True, slots=True)
class Work:
    """The request that begins a turn, but for the session's id."""

    method: str
    params: Mapping[str, Any]
    marks: Mapping[str, Any] | None = None
    """Annotations of its entry, when it is a prompt of ours that stands for an operation."""

    output_schema: Mapping[str, Any] | None = None
    """What the answer to a prompt is to be."""

    @classmethod
    def prompt(
        cls, blocks: list[dict[str, Any]], output_schema: Mapping[str, Any] | None = None
    ) -> Work:
        return cls(acp.SESSION_PROMPT, {"prompt": blocks}, output_schema=output_schema)

    @classmethod
    def in_words(cls, operation: str, text: str) -> Work:
        """An operation that the agent has not, and is asked for in words of ours."""
        marks = {"operation": operation, "emulated": True}
        return cls(acp.SESSION_PROMPT, {"prompt": [{"type": "text", "text": text}]}, marks)

    @property
    def is_emulated(self) -> bool:
        return as_dict(self.marks).get("emulated") is True

    @property
    def takes_context(self) -> bool:
        """What the agent does not know can be put before it."""
        return self.method == acp.SESSION_PROMPT

    @property
    def can_be_steered(self) -> bool:
        return self.method != operations.SESSION_COMPACT

    def data(self) -> dict[str, Any]:
        """As `turn.started` has it."""
        return turn_data(self.method, self.params, self.marks)


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    stop_reason: str
    usage: dict[str, Any] | None = None
    cost: Cost | None = None
    output: Any = None
    """The answer by the schema of the prompt."""
    error: SandboxAgentError | None = None

    @classmethod
    def of_answer(cls, frame: Frame, annotations: Mapping[str, Any] | None = None) -> TurnOutcome:
        """How the agent's answer to what began the turn ends it. `annotations`: of its entry."""
        if "error" in frame:
            return cls("error", error=error_of_frame(frame))
        result = as_dict(frame.get("result"))
        usage = result.get("usage")
        cost = turn_cost(annotations, result)
        return cls(
            stop_reason(result),
            usage=usage if isinstance(usage, dict) else None,
            cost=None if cost is None else Cost.model_validate(cost),
            output=as_dict(result.get("_meta")).get("structuredOutput"),
        )


@dataclass(slots=True, eq=False)
class Turn:
    id: str
    work: Work = field(default_factory=lambda: Work.prompt([]))
    """Nothing, of one that the agent began by itself."""
    size_bytes: int = 0
    """Of what is asked, while it waits."""
    is_cancelling: bool = False
    outcome: TurnOutcome | None = None
    grace: asyncio.TimerHandle | None = None
    """Until the agent is stopped that ignores a cancel."""
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    def finish(self, outcome: TurnOutcome) -> None:
        if self.grace is not None:
            self.grace.cancel()
        if self.outcome is None:
            self.outcome = outcome
            self._done.set()

    async def wait(self) -> TurnOutcome:
        await self._done.wait()
        assert self.outcome is not None
        return self.outcome
