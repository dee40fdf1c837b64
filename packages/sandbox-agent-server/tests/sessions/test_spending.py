"""What the turns of a session have used, added up."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames import LogEntry
from sandbox_agent_server.sessions.spending import Spending


def entry(cost: Any = None) -> LogEntry:
    wire = {"seq": 1, "time": "2026-11-23T12:00:00.000Z", "sender": "agent", "payload": {}}
    return LogEntry.from_wire("ses_1", wire | ({"annotations": {"cost": cost}} if cost else {}))


def test_turns_are_added_and_what_an_agent_tells_goes_before_the_estimate() -> None:
    told = {"usage": {"inputTokens": 7, "outputTokens": 3}, "_meta": {"cost": {"amount": 0.5}}}
    spent = Spending().after(entry({"amount": 9.0}), told)
    assert (spent.input_tokens, spent.output_tokens, spent.cost) == (7, 3, 0.5)
    assert not spent.is_estimated

    spent = spent.after(entry({"amount": 0.25, "estimated": True}), {"usage": {"inputTokens": 1}})
    assert (spent.input_tokens, spent.cost, spent.is_estimated) == (8, 0.75, True)
    assert Spending.from_wire(spent.to_wire()) == spent
    cost = spent.info().cost
    assert cost is not None
    assert (cost.amount, cost.currency, cost.estimated) == (0.75, "USD", True)


def test_what_cannot_be_is_not_counted() -> None:
    nonsense = {
        "usage": {"inputTokens": 10**30, "outputTokens": -1, "totalTokens": "7"},
        "_meta": {"cost": {"amount": float("nan")}},
    }
    assert Spending().after(entry(), nonsense) == Spending()


def test_costs_of_two_currencies_are_not_added() -> None:
    spent = Spending().after(entry(), {"_meta": {"cost": {"amount": 1.0, "currency": "EUR"}}})
    spent = spent.after(entry({"amount": 2.0}), {})
    assert (spent.cost, spent.currency) == (1.0, "EUR")


def test_a_session_without_turns_has_spent_nothing() -> None:
    assert Spending.from_wire(None) == Spending()
    assert Spending().info().cost is None
