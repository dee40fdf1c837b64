"""What came of a trial: a line of `results.jsonl`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sandbox_agent_core.changes import ChangeTotals
from sandbox_agent_core.events import Cost, LimitKind, TokenUsage
from sandbox_agent_core.wire.model import WireModel

__all__ = ["Attempt", "Grade", "Phases", "TrialError", "TrialResult", "TrialStatus"]

TrialStatus = Literal["passed", "failed", "done", "error"]
"""`done`: it ended, and the task has no grade. `error`: it could not be carried out, so that nothing is known of the
agent; such a trial is run again when the batch goes on."""


class TrialError(WireModel):
    code: str
    """Of the error tree; `internal_error` of what has no code."""
    message: str
    details: dict[str, Any] = Field(default_factory=dict)


class Attempt(WireModel):
    """One that failed, and was followed by another or was the last."""

    error: TrialError
    seconds: float
    phase: str
    """What it was at: `sandbox`, `setup`, `agent` or `grade`."""

    @property
    def has_worked(self) -> bool:
        """Its agent was asked, so that it has spent something."""
        return self.phase in {"agent", "grade"}


class Grade(WireModel):
    passed: bool
    score: float
    exit_code: int | None = None
    """None: it was killed."""
    timed_out: bool = False
    details: dict[str, Any] = Field(default_factory=dict)
    """What else its object on stdout has."""


class Phases(WireModel):
    """Seconds of the last attempt."""

    sandbox: float | None = None
    setup: float | None = None
    agent: float | None = None
    grade: float | None = None


class TrialResult(WireModel):
    """Written as it is, with camelCase names. Tokens and cost are of all attempts, as far as they are known."""

    batch: str
    trial: str
    task: str
    agent: str
    """The label of its `AgentSpec`."""
    model: str | None = None
    repeat: int
    status: TrialStatus
    grade: Grade | None = None
    error: TrialError | None = None
    attempts: list[Attempt] = Field(default_factory=list)
    """Those that failed."""
    stop_reason: str | None = None
    """Of the last turn."""
    limit: LimitKind | None = None
    """The bound that stopped it."""
    text: str = ""
    """The agent's last answer."""
    turns: int = 0
    """Prompts that were given."""
    model_calls: int | None = None
    usage: TokenUsage | None = None
    cost: Cost | None = None
    """None: nobody knows."""
    changes: ChangeTotals | None = None
    """Of files. None: it is not known what became of them."""
    refused: int = 0
    """Times that the agent asked for something and was refused, because there is nobody to ask."""
    started_at: datetime
    seconds: float
    """From the first attempt to the end."""
    phases: Phases = Field(default_factory=Phases)
    session: str | None = None
    sandbox: dict[str, Any] | None = None
    """`SandboxRef.to_json()` of where it ran. It is gone, unless it was there before."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Of the task."""

    @property
    def tokens(self) -> int | None:
        """All of them together. None: nobody knows."""
        if self.usage is None:
            return None
        if self.usage.total_tokens is not None:
            return self.usage.total_tokens
        told = (self.usage.input_tokens, self.usage.output_tokens)
        return None if None in told else sum(count or 0 for count in told)

    @property
    def is_verdict(self) -> bool:
        """It need not be run again."""
        return self.status != "error"
