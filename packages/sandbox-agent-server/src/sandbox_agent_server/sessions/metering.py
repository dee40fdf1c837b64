"""What the running turn has used so far, added up from what its agent tells of each answer of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict, as_text, compact
from sandbox_agent_core.projection import TOKENS, token_usage, turn_cost

__all__ = ["EstimateCost", "TurnMeter"]

EstimateCost = Callable[[Mapping[str, Any], str | None], dict[str, Any] | None]
"""Of ACP's `usage`, of a model or of that of the session: `{amount, currency, estimated}`, or None."""

_DIGITS: Final = 9
_CURRENCY: Final = "USD"


class TurnMeter:
    def __init__(self, estimate: EstimateCost) -> None:
        self._estimate = estimate
        self._calls: dict[str, _Call] = {}
        self._session_cost: float | None = None
        """As agents of ACP tell it."""
        self._cost_before = 0.0
        self._told_in_turn = False
        self.turn_id: str | None = None

    def begin(self, turn_id: str) -> None:
        self.turn_id = turn_id
        self._calls = {}
        self._cost_before = self._session_cost or 0.0
        self._told_in_turn = False

    def end(self, turn_id: str | None) -> None:
        """What is told from now on is of no turn."""
        if turn_id == self.turn_id:
            self.turn_id = None

    # What is told

    def model_responded(self, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """The turn so far, with this answer; None between turns."""
        if self.turn_id is None:
            return None
        id = as_text(params.get("callId")) or f"#{len(self._calls)}"
        usage = token_usage({"usage": params.get("usage")}) or {}
        cost = turn_cost(None, {"_meta": {"cost": params.get("cost")}})
        # Agents say 0 for models that they do not know the price of.
        if cost is None or (not cost["amount"] and any(usage.values())):
            cost = self._estimate(usage, as_text(params.get("model"))) if usage else None
        is_main = params.get("parentToolCallId") is None
        self._calls[id] = _Call(usage, cost, is_main=is_main)
        return self.so_far()

    def updated(self, frame: Frame) -> None:
        """A `session/update`. One of the context may tell what the session has cost."""
        update = as_dict(as_dict(frame.get("params")).get("update"))
        if update.get("sessionUpdate") != acp.USAGE_UPDATE:
            return
        told = turn_cost(None, {"_meta": {"cost": update.get("cost")}})
        if told is not None and told["currency"] == _CURRENCY:
            self._session_cost = told["amount"]
            self._told_in_turn = True

    # What it comes to

    @property
    def has_told_cost(self) -> bool:
        """Of the session, at some time."""
        return self._session_cost is not None

    @property
    def model_calls(self) -> int:
        """Round trips of the main agent."""
        return sum(call.is_main for call in self._calls.values())

    @property
    def cost(self) -> float | None:
        """In USD. None: nobody knows."""
        told = self._cost()
        return None if told is None else float(told["amount"])

    def so_far(self) -> dict[str, Any]:
        """`{modelCalls, usage?, cost?}`."""
        calls = self.model_calls
        return compact(usage=self._usage(), cost=self._cost()) | (
            {"modelCalls": calls} if self._calls else {}
        )

    def _usage(self) -> dict[str, int] | None:
        counts = {
            name: sum(call.usage.get(name, 0) for call in self._calls.values())
            for name in TOKENS
            if any(name in call.usage for call in self._calls.values())
        }
        return counts or None

    def _cost(self) -> dict[str, Any] | None:
        if self._calls:
            costs = [call.cost for call in self._calls.values()]
            if any(cost is None or cost["currency"] != _CURRENCY for cost in costs):
                return None
            amount = sum(cost["amount"] for cost in costs if cost is not None)
            estimated = any(cost.get("estimated") is True for cost in costs if cost is not None)
        elif self._told_in_turn and self._session_cost is not None:
            # A counter that was set back counts anew.
            amount, estimated = self._session_cost - self._cost_before, False
            amount = self._session_cost if amount < 0 else amount
        else:
            return None
        told = {"amount": round(amount, _DIGITS), "currency": _CURRENCY}
        return told | ({"estimated": True} if estimated else {})


class _Call:
    __slots__ = ("cost", "is_main", "usage")

    def __init__(
        self, usage: Mapping[str, int], cost: dict[str, Any] | None, *, is_main: bool
    ) -> None:
        self.usage = usage
        self.cost = cost
        self.is_main = is_main
