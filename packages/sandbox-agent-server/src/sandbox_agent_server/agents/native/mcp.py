"""What became of a session's MCP servers: an agent goes on without one that is dead, and waits for one that hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.lenient import as_int, as_text, compact, dicts_with

__all__ = ["SLOW_S", "McpServers"]

SLOW_S: Final = 5.0
"""One that is not there by then is told as slow."""
_WATCHED_S: Final = 300.0
_LOOK_EVERY_S: Final = (0.2, 0.4, 0.8, 1.6)

_MAX_ERROR_CHARS: Final = 2000
_STATUSES: Final = {
    "pending": "pending",
    "starting": "pending",
    "connecting": "pending",
    "slow": "slow",
    "connected": "connected",
    "ready": "connected",
    "failed": "failed",
    "error": "failed",
    "cancelled": "failed",
    "needs-auth": "needs-auth",
    "needs_auth": "needs-auth",
    "needs_client_registration": "needs-auth",
    "disabled": "disabled",
}
"""The words of the agents for ours."""


class McpServers:
    """Tells each change once, as the frames of `mcp.status`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, dict[str, Any]] = {}
        self._pending_since: dict[str, float] = {}

    @property
    def are_pending(self) -> bool:
        return bool(self._pending_since)

    def read(self, servers: Any) -> list[Frame]:
        """A list of `{name, status, error?, tools?}`."""
        return [frame for server in dicts_with(servers, "name") for frame in self._changed(server)]

    def find_slow(self) -> list[Frame]:
        """Those that have been starting for long."""
        now = self._clock()
        slow = [name for name, since in self._pending_since.items() if now - since >= SLOW_S]
        return [frame for name in slow for frame in self._tell(name, {"status": "slow"})]

    async def watch(
        self,
        ask: Callable[[], Awaitable[Any]],
        emit: Callable[[list[Frame]], None],
        *,
        at_least_s: float = 0,
    ) -> None:
        """Tell what `ask` says of them, until all have started or have not. Raises what `ask` does."""
        since = self._clock()
        looks = iter(_LOOK_EVERY_S)
        while True:
            emit([*self.read(await ask()), *self.find_slow()])
            passed_s = self._clock() - since
            if passed_s >= (_WATCHED_S if self.are_pending else at_least_s):
                return
            await asyncio.sleep(next(looks, _LOOK_EVERY_S[-1]))

    def _changed(self, server: dict[str, Any]) -> list[Frame]:
        name, word = server["name"], str(server.get("status"))
        status = _STATUSES.get(word, "failed")
        known = self._told.get(name, {})
        if status == "pending":
            self._pending_since.setdefault(name, self._clock())
            return [] if known.get("status") == "slow" else self._tell(name, {"status": status})
        self._pending_since.pop(name, None)
        error, tools = as_text(server.get("error")), server.get("tools")
        told = compact(
            status=status,
            error=error[:_MAX_ERROR_CHARS] if error else None,
            tools=len(tools) if isinstance(tools, list) else as_int(tools),
        )
        if word not in _STATUSES and error is None:
            told["error"] = word
        # What it says of them in passing has less in it.
        return self._tell(name, {**known, **told} if known.get("status") == status else told)

    def _tell(self, name: str, told: dict[str, Any]) -> list[Frame]:
        if self._told.get(name) == told:
            return []
        self._told[name] = told
        return [notification(extensions.MCP_STATUS, {"server": name, **told})]
