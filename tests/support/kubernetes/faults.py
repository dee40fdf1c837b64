"""Failures that a test orders: the next requests of one kind are refused, cut, or done without an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from support.kubernetes.refusals import Refusal

__all__ = ["Fault", "Faults"]

Cut = Literal["before", "after"]


@dataclass(slots=True)
class Fault:
    """`cut`: the connection is cut before the request is done, or after it, so that nobody hears of it."""

    verb: str
    resource: str
    times: int
    refusal: Refusal | None
    cut: Cut | None

    def is_about(self, verb: str, resource: str) -> bool:
        return self.verb in ("*", verb) and self.resource in ("*", resource)


class Faults:
    """Those that are still to come, in the order they were given."""

    def __init__(self) -> None:
        self._coming: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._coming.append(fault)

    def take(self, verb: str, resource: str) -> Fault | None:
        """The one that this request meets."""
        for fault in self._coming:
            if fault.is_about(verb, resource):
                fault.times -= 1
                if fault.times <= 0:
                    self._coming.remove(fault)
                return fault
        return None
