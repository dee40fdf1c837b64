"""A batch in numbers: for each agent, how many trials passed, and what they took."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sandbox_agent_client.batch.plan import Plan
from sandbox_agent_client.batch.result import TrialResult

__all__ = ["AgentSummary", "BatchSummary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSummary:
    agent: str
    trials: int
    passed: int
    failed: int
    done: int
    """That ended and have no grade."""
    errors: int
    left: int
    """That were not run."""
    score: float | None
    """The mean of those that were graded."""
    seconds: float | None
    """The median of a trial."""
    tokens: int | None
    """Of all trials. None: of one of them nobody knows, or there is none."""
    cost: float | None
    """In USD; as `tokens`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSummary:
    plan: Plan
    results: Sequence[TrialResult]
    """In the order of the plan; the newest of each trial."""
    stopped: str | None = None
    """Why some were not run."""

    @classmethod
    def of(cls, plan: Plan, results: Sequence[TrialResult], *, stopped: str | None = None) -> Self:
        places = {
            (task.id, agent.label): number
            for number, (task, agent) in enumerate(
                (task, agent) for task in plan.tasks for agent in plan.agents
            )
        }
        ordered = sorted(results, key=lambda one: (places[one.task, one.agent], one.repeat))
        return cls(plan=plan, results=ordered, stopped=stopped)

    @property
    def ok(self) -> bool:
        """Every trial was run, and has passed, or ended where there is no grade."""
        return not self.left and all(one.status in {"passed", "done"} for one in self.results)

    @property
    def trials(self) -> int:
        return len(self.plan.tasks) * len(self.plan.agents) * self.plan.repeats

    @property
    def left(self) -> int:
        """Trials that were not run."""
        return self.trials - len(self.results)

    @property
    def agents(self) -> list[AgentSummary]:
        return [self._agent(agent.label) for agent in self.plan.agents]

    def _agent(self, label: str) -> AgentSummary:
        results = [result for result in self.results if result.agent == label]
        counts = Counter(result.status for result in results)
        trials = len(self.plan.tasks) * self.plan.repeats
        scores = [result.grade.score for result in results if result.grade is not None]
        worked = [result for result in results if result.turns]
        tokens = [result.tokens for result in worked]
        costs = [
            result.cost.amount
            if result.cost is not None and result.cost.currency == "USD"
            else None
            for result in worked
        ]
        return AgentSummary(
            agent=label,
            trials=trials,
            passed=counts["passed"],
            failed=counts["failed"],
            done=counts["done"],
            errors=counts["error"],
            left=trials - len(results),
            score=statistics.fmean(scores) if scores else None,
            seconds=statistics.median(one.seconds for one in results) if results else None,
            tokens=None if None in tokens or not tokens else sum(one or 0 for one in tokens),
            cost=None if None in costs or not costs else sum(one or 0.0 for one in costs),
        )
