"""What a prompt may take: its limits on the wire, and what is left of them for another turn. Without I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from sandbox_agent_core.api.turns import LimitsRequest
from sandbox_agent_core.events import LimitKind

from sandbox_agent_client._calls.call import built
from sandbox_agent_client._result import PromptResult

__all__ = ["Allowance", "limits_of"]


def limits_of(
    *, timeout: float | None, max_turns: int | None, max_cost: float | None
) -> LimitsRequest | None:
    """None without any. Raises: InvalidRequest."""
    if timeout is max_turns is max_cost is None:
        return None
    return built(LimitsRequest, timeout_seconds=timeout, max_turns=max_turns, max_cost=max_cost)


@dataclass(slots=True)
class Allowance:
    """Of a prompt that may take several turns, because its answer is asked for again."""

    limits: LimitsRequest | None
    clock: Callable[[], float]
    _deadline: float | None = None

    @classmethod
    def begun(cls, limits: LimitsRequest | None, clock: Callable[[], float]) -> Self:
        timeout = None if limits is None else limits.timeout_seconds
        return cls(limits, clock, None if timeout is None else clock() + timeout)

    def take(self, result: PromptResult) -> bool:
        """What a turn has taken. False: nothing is left for another one."""
        return self.spent(result) is None

    def spent(self, result: PromptResult) -> LimitKind | None:
        """As `take`: the limit of which nothing is left."""
        if self.limits is None:
            return None
        left: dict[str, float | int] = {}
        if self._deadline is not None:
            left["timeout_seconds"] = self._deadline - self.clock()
        if self.limits.max_turns is not None:
            left["max_turns"] = self.limits.max_turns - (result.model_calls or 1)
        if self.limits.max_cost is not None:
            # What nobody knows is all that there was.
            left["max_cost"] = (
                0 if result.cost is None else self.limits.max_cost - result.cost.amount
            )
        for name, kind in _KINDS:
            if left.get(name, 1) <= 0:
                return kind
        self.limits = LimitsRequest.model_validate(left)
        return None


_KINDS: tuple[tuple[str, LimitKind], ...] = (
    ("timeout_seconds", "timeout"),
    ("max_turns", "max_turns"),
    ("max_cost", "max_cost"),
)
