"""What Codex says again and again, told only when it is new."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.lenient import as_dict

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Repeats"]


class Repeats:
    def __init__(self) -> None:
        self._limits: Any = None
        self._diff: Any = None

    def is_new_diff(self, params: Native) -> bool:
        """All that the turn has changed; repeated as it was when the turn ends."""
        is_new: bool = params != self._diff
        self._diff = params
        return is_new

    def are_new_limits(self, params: Native) -> bool:
        """Sent with every answer of the model, mostly with nothing (new) in it."""
        limits = as_dict(params.get("rateLimits"))
        says = {key: value for key, value in limits.items() if value is not None}
        if says.keys() <= {"limitId"} or says == self._limits:
            return False
        self._limits = says
        return True
