"""What the turns of a session have used together: tokens, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from sandbox_agent_core.api.sessions import SessionUsage
from sandbox_agent_core.events.usage import Cost
from sandbox_agent_core.frames import LogEntry
from sandbox_agent_core.lenient import as_dict, as_int, as_str
from sandbox_agent_core.projection import TOKENS, turn_cost, turn_use

__all__ = ["Spending"]

_DIGITS: Final = 9
_MAX_TOKENS: Final = 10**12
"""Of one turn; an agent that says more is not believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    input_tokens: int = 0
    output_tokens: int = 0
    cached_read_tokens: int = 0
    cached_write_tokens: int = 0
    thought_tokens: int = 0
    total_tokens: int = 0
    cost: float | None = None
    currency: str = "USD"
    """Of the first turn that had a cost; costs in another are not added."""
    is_estimated: bool = False

    def after(self, entry: LogEntry, result: Mapping[str, Any]) -> Spending:
        """With the turn that the entry ends; `result` is what its agent said of it."""
        usage = turn_use(entry.annotations, dict(result)).get("usage", {})
        counts = {
            field: getattr(self, field) + count
            for name, field in TOKENS.items()
            if (count := usage.get(name)) is not None and 0 <= count <= _MAX_TOKENS
        }
        after = replace(self, **counts) if counts else self
        told = turn_cost(entry.annotations, dict(result))
        if told is None or (self.cost is not None and told["currency"] != self.currency):
            return after
        return replace(
            after,
            cost=round((self.cost or 0) + told["amount"], _DIGITS),
            currency=told["currency"],
            is_estimated=self.is_estimated or told.get("estimated") is True,
        )

    def info(self) -> SessionUsage:
        tokens = {field: getattr(self, field) for field in TOKENS.values()}
        cost = (
            None
            if self.cost is None
            else Cost(amount=self.cost, currency=self.currency, estimated=self.is_estimated)
        )
        return SessionUsage.model_construct(**tokens, cost=cost)

    def to_wire(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_wire(cls, wire: Any) -> Spending:
        """Raises: TypeError."""
        told = as_dict(wire)
        tokens = {field: as_int(told.get(field)) or 0 for field in TOKENS.values()}
        cost = told.get("cost")
        return cls(
            **tokens,
            cost=None if cost is None else float(cost),
            currency=as_str(told.get("currency")) or "USD",
            is_estimated=told.get("is_estimated") is True,
        )
