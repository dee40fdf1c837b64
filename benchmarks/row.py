"""One measured line of the report."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .contenders import OurServer, OurServerOverAcp, PeerServer

__all__ = ["Measurement", "Plan", "Row", "median", "percentile"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure, and where the peer's binary is (`None`: measure ours alone)."""

    is_quick: bool = False
    peer_binary: Path | None = None
    skips_ours: bool = False
    soak_s: float = 30.0

    def repetitions(self, full: int) -> int:
        return max(2, full // 3) if self.is_quick else full

    def ours(self) -> OurServer | None:
        return None if self.skips_ours else OurServer()

    def ours_over_acp(self) -> OurServerOverAcp | None:
        return None if self.skips_ours else OurServerOverAcp()

    def peer(self) -> PeerServer | None:
        return PeerServer(self.peer_binary) if self.peer_binary else None


@dataclass(frozen=True, slots=True)
class Row:
    """`budget` is met by the ratio ours/peer or by our own number, as `budget_of` says."""

    what: str
    unit: str
    ours: float | None = None
    peer: float | None = None
    budget: str = ""
    budget_of: Literal["ratio", "ours"] = "ours"
    note: str = ""
    digits: int = 1

    @property
    def ratio(self) -> float | None:
        if self.ours is None or not self.peer:
            return None
        return self.ours / self.peer

    @property
    def is_met(self) -> bool | None:
        """`None` when there is no budget or nothing to compare."""
        value = self.ratio if self.budget_of == "ratio" else self.ours
        if not self.budget or value is None:
            return None
        sign, limit = self.budget.split()[:2]
        compare: Callable[[float, float], bool] = {
            ">=": float.__ge__,
            "<=": float.__le__,
            "<": float.__lt__,
            "=": float.__eq__,
        }[sign]
        return compare(float(value), float(limit))


Measurement = Callable[[Plan], list[Row]]


def median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def percentile(values: Sequence[float], share: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
