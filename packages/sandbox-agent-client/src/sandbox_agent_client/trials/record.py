"""What a session was, read from its events: what it used, what it was refused, how it ended. Without I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from sandbox_agent_core.events import (
    Cost,
    Event,
    PermissionResolved,
    QuestionResolved,
    TokenUsage,
    TurnEnded,
    parse_event,
)

__all__ = ["Record", "read_record", "sum_costs", "sum_usage"]


@dataclass(slots=True)
class Record:
    ends: list[TurnEnded] = field(default_factory=list)
    """Of all turns, those that the agent began by itself included."""
    refused: int = 0
    """Permissions that were not given, and questions that were not answered."""

    @property
    def usage(self) -> TokenUsage | None:
        return sum_usage([end.usage for end in self.ends])

    @property
    def cost(self) -> Cost | None:
        return sum_costs([end.cost for end in self.ends])

    @property
    def model_calls(self) -> int | None:
        calls = [end.model_calls for end in self.ends]
        return None if None in calls or not calls else sum(count or 0 for count in calls)


def read_record(events: str) -> Record:
    """Of the events in JSON lines."""
    record = Record()
    for line in events.split("\n"):
        # Most of a long session is read by nobody here.
        if '"turn.ended"' in line or '.resolved"' in line:
            _take(record, parse_event(json.loads(line)))
    return record


def _take(record: Record, event: Event) -> None:
    match event:
        case TurnEnded():
            record.ends.append(event)
        case PermissionResolved(decided_by="policy" | "timeout"):
            was_given = event.outcome == "selected" and "allow" in (event.option_kind or "")
            record.refused += not was_given
        case QuestionResolved(decided_by="policy" | "timeout"):
            record.refused += event.outcome != "answered"


def sum_usage(used: list[TokenUsage | None]) -> TokenUsage | None:
    """None where one of them is not known: a part is no sum."""
    known = [usage for usage in used if usage is not None]
    if len(known) < len(used) or not known:
        return None
    sums: dict[str, int] = {}
    for name in TokenUsage.model_fields:
        counts = [getattr(usage, name) for usage in known]
        if any(count is not None for count in counts):
            sums[name] = sum(count or 0 for count in counts)
    return TokenUsage(**sums)


def sum_costs(costs: list[Cost | None]) -> Cost | None:
    """None where one of them is not known, or they are in several currencies."""
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs) or len({cost.currency for cost in known}) != 1:
        return None
    return Cost(
        amount=sum(cost.amount for cost in known),
        currency=known[0].currency,
        estimated=any(cost.estimated for cost in known),
    )
