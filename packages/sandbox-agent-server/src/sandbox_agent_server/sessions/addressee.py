"""Which of the sessions in an agent's process is this one: what it says of others is kept apart."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict, as_str

__all__ = ["Addressee"]

_MADE: Final = (acp.SESSION_NEW, acp.SESSION_FORK)
_BROUGHT_BACK: Final = (acp.SESSION_LOAD, acp.SESSION_RESUME)


class Addressee:
    def __init__(self) -> None:
        self._ids: set[str] = set()
        """Empty until it is opened: then any id may turn out to be ours."""

    def asked(self, method: str, params: Any) -> None:
        """The agent is asked to open a session."""
        if method in _MADE:
            self._ids.clear()
        elif method in _BROUGHT_BACK:
            self._add(params)

    def answered(self, method: str | None, result: Any) -> None:
        if method in _MADE or method in _BROUGHT_BACK:
            self._add(result)

    def other_session(self, frame: Frame, current: str | None) -> str | None:
        """The session that a frame of the agent is about, when it is not ours. `current`: what ours is called by now."""
        params = frame.get("params")
        named = params.get("sessionId") if isinstance(params, dict) else None
        if not isinstance(named, str) or named in self._ids or named == current or not self._ids:
            return None
        return named

    def _add(self, told: Any) -> None:
        if (id := as_str(as_dict(told).get("sessionId"))) is not None:
            self._ids.add(id)
