"""Who is next, and when the budget is used up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox_agent_client import Budget, Cost, TokenUsage, TrialResult
from sandbox_agent_client.batch import BatchSummary, Grade, Handout, Plan
from sandbox_agent_client.batch.runner import plan_of

PLAN = plan_of([{"id": name, "prompt": name} for name in "abcd"], agents=["x", "y"])


def result(
    trial: str, *, status: str = "passed", usd: float | None = None, **more: Any
) -> TrialResult:
    task, agent, repeat = trial.split(".")
    return TrialResult.model_validate(
        {
            "batch": PLAN.id, "trial": trial, "task": task, "agent": agent, "repeat": int(repeat),
            "status": status, "cost": None if usd is None else Cost(amount=usd), "turns": 1,
            "started_at": datetime(2026, 1, 1, tzinfo=UTC), "seconds": 1.0, **more,
        }
    )  # fmt: skip


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def handout(
    *done: TrialResult, plan: Plan = PLAN, clock: Clock | None = None, **budget: Any
) -> Handout:
    return Handout(plan, done, Budget(**budget), clock=clock or Clock())


def test_what_has_a_verdict_is_not_handed_out_again_and_an_error_is() -> None:
    found = handout(
        result("a.x.1"), result("a.y.1", status="error"), result("b.x.1", status="failed")
    )
    names = []
    while (trial := found.next()) is not None:
        names.append(trial.id)
    assert names == ["a.y.1", "b.y.1", "c.x.1", "c.y.1", "d.x.1", "d.y.1"]
    assert (found.stopped, found.left) == (None, 0)


def test_what_this_run_has_had_is_not_handed_out_again_whatever_came_of_it() -> None:
    plan = plan_of(["x"], agents="x")
    had = result("task-1.x.1", status="error")
    found = Handout(plan, [had], Budget(), clock=Clock(), ended={had.trial})
    assert (found.next(), found.left) == (None, 0)


def test_the_budget_is_of_all_that_was_ever_spent() -> None:
    found = handout(result("a.x.1", usd=0.6), max_cost=1)
    assert found.next() is not None
    found.take(result("a.y.1", usd=0.4))
    assert found.next() is None
    assert found.stopped == "the budget of 1 USD is used up (1.00 USD)"


def test_what_nobody_knows_may_have_been_anything() -> None:
    found = handout(max_cost=1)
    found.take(result("a.x.1"))
    assert found.next() is None
    assert found.stopped == "nobody knows what a.x.1 has cost, and the budget is 1 USD"
    euros = handout(max_cost=1)
    euros.take(result("a.x.1", cost=Cost(amount=0.1, currency="EUR")))
    assert euros.next() is None


def test_a_trial_that_never_came_to_its_agent_has_cost_nothing() -> None:
    found = handout(max_cost=1, max_tokens=10)
    found.take(result("a.x.1", status="error", turns=0))
    assert found.next() is not None


def test_tokens_and_time_are_budgets_too() -> None:
    found = handout(max_tokens=100)
    found.take(result("a.x.1", usage=TokenUsage(input_tokens=60, output_tokens=40)))
    assert found.next() is None
    assert found.stopped == "the budget of 100 tokens is used up (100)"
    clock = Clock()
    timed = handout(clock=clock, max_seconds=60)
    assert timed.next() is not None
    clock.now = 60
    assert timed.next() is None
    assert timed.stopped == "the time of 60 s is over"


def test_a_budget_that_is_used_up_with_the_last_trial_has_stopped_nothing() -> None:
    plan = plan_of(["x"], agents="x")
    found = handout(plan=plan, max_cost=1)
    assert found.next() is not None
    found.take(result("task-1.x.1", usd=2))
    assert (found.next(), found.stopped) == (None, None)


def test_a_summary_counts_what_each_agent_has_done() -> None:
    def graded(trial: str, score: float, **more: Any) -> TrialResult:
        passed = score >= 1
        status = "passed" if passed else "failed"
        return result(trial, status=status, grade=Grade(passed=passed, score=score), **more)

    summary = BatchSummary.of(
        PLAN,
        [
            graded("b.x.1", 1, usd=0.5, seconds=3, usage=TokenUsage(total_tokens=7)),
            graded("a.x.1", 0.5, usd=0.25, seconds=1, usage=TokenUsage(total_tokens=5)),
            result("c.x.1", status="error", turns=0, seconds=2),
            graded("a.y.1", 1),
        ],
    )
    assert [one.trial for one in summary.results] == ["a.x.1", "a.y.1", "b.x.1", "c.x.1"]
    assert (summary.trials, summary.left, summary.ok) == (8, 4, False)
    x, y = summary.agents
    assert (x.passed, x.failed, x.errors, x.left) == (1, 1, 1, 1)
    assert (x.score, x.seconds, x.tokens, x.cost) == (0.75, 2, 12, 0.75)
    assert (y.passed, y.left, y.tokens, y.cost) == (1, 3, None, None)
