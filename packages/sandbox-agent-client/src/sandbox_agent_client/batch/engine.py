"""What carries out a batch, wherever that is.

An engine is a plug-in: a package has an entry point in the group `sandbox_agent.engines` whose value makes one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox_agent_core.spi.provider import Endpoint, SandboxProvider, SandboxRef

from sandbox_agent_client.batch.plan import Plan, Trial
from sandbox_agent_client.batch.result import Attempt, TrialResult

__all__ = [
    "BatchEvent",
    "Budget",
    "Engine",
    "Results",
    "ServerPlace",
    "TrialEnded",
    "TrialPhase",
    "TrialRetried",
    "TrialStarted",
]


class Results(Protocol):
    """Where results are, and the files of each trial. Safe to be used by many trials at a time."""

    async def find(self, trial_id: str) -> TrialResult | None:
        """The newest of a trial."""

    async def all(self) -> list[TrialResult]:
        """The newest of each trial."""

    async def save(self, result: TrialResult, files: Path) -> None:
        """Keep the files (`events.jsonl`, `diff.patch`, `grade.txt`: those that there are) of a directory that is gone
        afterwards, then the result: who finds it finds them. A trial that has a verdict already keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    trial: Trial
    where: str = ""
    """The worker, where there are several: for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPhase:
    trial: Trial
    phase: str
    """`sandbox`, `setup`, `agent` or `grade`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRetried:
    """An attempt failed, and another follows."""

    trial: Trial
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """Its result is saved."""

    trial: Trial
    result: TrialResult


BatchEvent = TrialStarted | TrialPhase | TrialRetried | TrialEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Of the whole batch. What runs when it is used up goes on to its end."""

    max_cost: float | None = None
    """In USD."""
    max_tokens: int | None = None
    max_seconds: float | None = None
    """From the start of this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlace:
    """A server that is there: in a sandbox that somebody has made, or else at its address."""

    endpoint: Endpoint
    provider: SandboxProvider | None = None
    ref: SandboxRef | None = None


class Engine(Protocol):
    """Made with `concurrency=N` (trials at a time) and its own options."""

    name: str

    async def run(
        self,
        plan: Plan,
        *,
        results: Results,
        budget: Budget,
        observe: Callable[[BatchEvent], None],
        stopping: asyncio.Event,
    ) -> str | None:
        """Carry out each trial that has no verdict in `results`, and save what comes of it there.

        Returns when all are done, or when `stopping` is set or the budget is used up, and what runs has ended: then
        with why, in words. Cancelled, it cancels what runs, and no sandbox of it is left.
        """
