"""A turn: what it asks of the agent, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox_agent_core.api.turns import LimitsRequest
from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.events import LimitKind
from sandbox_agent_core.frames import Frame, acp, operations
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection import stop_reason, turn_data, turn_use

from sandbox_agent_server.agents.runner.failures import error_of_frame
from sandbox_agent_server.sessions.turn_limits import LimitWatch

__all__ = ["ClientRequest", "Turn", "TurnOutcome", "TurnUse", "Work"]

TurnUse = dict[str, Any]
"""`{usage?, cost?, modelCalls?, limit?}` of a turn, on the wire."""


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """Of an ACP client, which is answered under its own id."""

    frame: Frame
    raw: bytes | None = None
    """As the client wrote it."""

    def with_params(self, params: Mapping[str, Any]) -> tuple[Frame, bytes | None]:
        """The request as it goes to the agent, and the client's bytes when it is still what they say."""
        if params == self.frame.get("params"):
            return self.frame, self.raw
        return {**self.frame, "params": dict(params)}, None


@dataclass(frozen=True, slots=True)
class Work:
    """The request that begins a turn, but for the session's id."""

    method: str
    params: Mapping[str, Any]
    marks: Mapping[str, Any] | None = None
    """Annotations of its entry, when it is a prompt of ours that stands for an operation."""

    output_schema: Mapping[str, Any] | None = None
    """What the answer to a prompt is to be."""
    limits: LimitsRequest | None = None
    asked: ClientRequest | None = None
    """None: it is a request of our own."""

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

    @property
    def annotations(self) -> dict[str, Any] | None:
        """Of the entry that begins the turn."""
        limits = self.limits and self.limits.model_dump(by_alias=True, exclude_none=True)
        return {**(self.marks or {}), **({"limits": limits} if limits else {})} or None

    def data(self) -> dict[str, Any]:
        """As `turn.started` has it."""
        return turn_data(self.method, self.params, self.annotations)


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    stop_reason: str
    use: TurnUse = field(default_factory=dict)
    """`{usage?, cost?, modelCalls?, limit?}`, as `turn.ended` has them."""
    output: Any = None
    """The answer by the schema of the prompt."""
    error: SandboxAgentError | None = None

    @classmethod
    def of_answer(cls, frame: Frame, annotations: Mapping[str, Any] | None = None) -> TurnOutcome:
        """How the agent's answer to what began the turn ends it. `annotations`: of its entry."""
        result = as_dict(frame.get("result"))
        use = turn_use(annotations, result)
        if "error" in frame and "limit" in use:
            return cls("cancelled", use)
        if "error" in frame:
            return cls("error", use, error=error_of_frame(frame))
        output = as_dict(result.get("_meta")).get("structuredOutput")
        return cls(stop_reason(result), use, output=output)


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
    limit: LimitKind | None = None
    """What stops it."""
    watch: LimitWatch | None = None
    """Of its other limits, while it runs."""
    deadline: asyncio.TimerHandle | None = None
    """Until its `timeoutSeconds` are over."""
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    def finish(self, outcome: TurnOutcome) -> None:
        for timer in (self.grace, self.deadline):
            if timer is not None:
                timer.cancel()
        if self.outcome is None:
            self.outcome = outcome
            self._done.set()

    async def wait(self) -> TurnOutcome:
        await self._done.wait()
        assert self.outcome is not None
        return self.outcome
