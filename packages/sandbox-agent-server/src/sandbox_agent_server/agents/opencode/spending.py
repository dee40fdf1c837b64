"""What a session has cost, and how full its context is. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from sandbox_agent_core.frames import acp

from sandbox_agent_server.agents.native.translator import Native, Update
from sandbox_agent_server.agents.opencode.turns import count

__all__ = ["Spending"]

_COST_DIGITS: Final = 9


class Call(NamedTuple):
    """An answer of a model."""

    tokens: dict[str, int]
    cost: float


class Spending:
    def __init__(self, session: Native) -> None:
        self._spent = _cost_of(session)
        self._costs: dict[str, float] = {}
        """Of each message of the turn: it is told again and again."""
        self._told: Update = {}
        self._calls: dict[str, Call] = {}
        """As they were told last, of the turn."""

    @property
    def context_tokens(self) -> int | None:
        """As it was told last."""
        used = self._told.get("used")
        return used if isinstance(used, int) else None

    def begin_turn(self) -> None:
        self._costs.clear()
        self._calls.clear()

    def begin_context(self) -> None:
        """Another one than that was told of."""
        self._told = {}

    def read_message(self, message: Native) -> None:
        message_id, cost = str(message.get("id")), _cost_of(message)
        self._spent += cost - self._costs.get(message_id, 0.0)
        self._costs[message_id] = cost

    def of_call(self, message: Native) -> Call | None:
        """Of a message that is complete. None: it used nothing, or that is no news."""
        message_id = str(message.get("id"))
        call = Call(count(message.get("tokens")), _cost_of(message))
        if not call.tokens["totalTokens"] or call == self._calls.get(message_id):
            return None
        self._calls[message_id] = call
        return call

    def update(self, message: Native, size: int | None) -> Update | None:
        """Of a message that is complete, for a context of `size` tokens. None when there is no news."""
        used = count(message.get("tokens"))["totalTokens"]
        if size is None or not used:
            return None
        cost = {"amount": round(self._spent, _COST_DIGITS), "currency": "USD"}
        update = {"sessionUpdate": acp.USAGE_UPDATE, "used": used, "size": size, "cost": cost}
        if update == self._told:
            return None
        self._told = update
        return update


def _cost_of(native: Native) -> float:
    """In US dollars, as OpenCode reckons."""
    cost = native.get("cost")
    return cost if isinstance(cost, (int, float)) and not isinstance(cost, bool) else 0.0
