"""What agents ask a client, until it has answered or nobody waits for it any more."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from sandbox_agent_core.frames.jsonrpc import same_id

from sandbox_agent_server.acp.attached import Attached
from sandbox_agent_server.jsonio import dumps

__all__ = ["Outstanding", "OutstandingRequests"]


@dataclass(frozen=True, slots=True)
class Outstanding:
    attached: Attached
    id: Any
    """As the client knows it."""
    rpc_id: Any
    """As the agent knows it."""


class OutstandingRequests:
    def __init__(self) -> None:
        self._by_id: dict[bytes, Outstanding] = {}
        """By the id that it has for the client, as JSON."""
        self._numbers = count(1)

    def put(self, attached: Attached, rpc_id: Any) -> Any:
        """The id that it has for the client: the agent's own, unless another process has just given it too."""
        id = rpc_id
        if dumps(id) in self._by_id:
            id = f"{attached.session_id or 'agent'}-{next(self._numbers)}"
        self._by_id[dumps(id)] = Outstanding(attached, id, rpc_id)
        return id

    def take(self, id: Any) -> Outstanding | None:
        """The client answers it. None: somebody else was first, or nobody waits for it any more."""
        return self._by_id.pop(dumps(id), None)

    def put_back(self, outstanding: Outstanding) -> None:
        """Its answer could not be taken."""
        self._by_id[dumps(outstanding.id)] = outstanding

    def withdraw(self, attached: Attached, rpc_id: Any) -> Any:
        """Somebody else answered it: the id that the client has for it, None when that has answered it itself."""
        for key, one in self._by_id.items():
            if one.attached is attached and same_id(one.rpc_id, rpc_id):
                del self._by_id[key]
                return one.id
        return None

    def gone(self, attached: Attached) -> None:
        """Their agent is."""
        self._by_id = {key: one for key, one in self._by_id.items() if one.attached is not attached}
