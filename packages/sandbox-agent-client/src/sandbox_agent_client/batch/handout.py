"""Which trial is next, and whether there is one: what every engine asks. Without I/O."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from sandbox_agent_client.batch.engine import Budget
from sandbox_agent_client.batch.plan import Plan, Trial, trials_of
from sandbox_agent_client.batch.result import TrialResult

__all__ = ["Handout"]


class Handout:
    """The trials of a plan that have no verdict yet, until the budget is used up.

    What was spent by results that were there before counts, too.
    """

    def __init__(
        self,
        plan: Plan,
        done: Iterable[TrialResult],
        budget: Budget,
        *,
        clock: Callable[[], float],
        ended: Collection[str] = (),
    ) -> None:
        """`clock` is in seconds. `ended`: trials that this run has had already, whatever came of them."""
        done = list(done)
        over = {result.trial for result in done if result.is_verdict}.union(ended)
        self._left = [trial for trial in reversed(trials_of(plan)) if trial.id not in over]
        self._budget = budget
        self._clock = clock
        self._began_at = clock()
        self._cost = 0.0
        self._tokens = 0
        self._stopped: str | None = None
        for result in done:
            self.take(result)

    @property
    def stopped(self) -> str | None:
        """Why trials are left that will not be handed out."""
        return self._stopped if self._left else None

    @property
    def left(self) -> int:
        """How many trials were not handed out."""
        return len(self._left)

    def next(self) -> Trial | None:
        """None: all are handed out, or the budget is used up, which `stopped` tells."""
        self._stopped = self._stopped or self._out_of_time()
        if self._stopped is not None or not self._left:
            return None
        return self._left.pop()

    def take(self, result: TrialResult) -> None:
        """Count what a trial has spent. What nobody knows may have been anything."""
        has_worked = result.turns > 0
        if (most := self._budget.max_cost) is not None and has_worked:
            if result.cost is None or result.cost.currency != "USD":
                self._stop(
                    f"nobody knows what {result.trial} has cost, and the budget is {most:g} USD"
                )
            else:
                self._cost += result.cost.amount
                if self._cost >= most:
                    self._stop(f"the budget of {most:g} USD is used up ({self._cost:.2f} USD)")
        if (limit := self._budget.max_tokens) is not None and has_worked:
            tokens = result.tokens
            if tokens is None:
                self._stop(f"nobody knows what tokens {result.trial} has used, of {limit}")
            else:
                self._tokens += tokens
                if self._tokens >= limit:
                    self._stop(f"the budget of {limit} tokens is used up ({self._tokens})")

    def _out_of_time(self) -> str | None:
        most = self._budget.max_seconds
        if most is None or self._clock() - self._began_at < most:
            return None
        return f"the time of {most:g} s is over"

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why
