"""The requests of a client that wait for their answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import RequestId

__all__ = ["Asked"]


@dataclass(slots=True, eq=False)
class Asked:
    frame: Frame
    raw: bytes | None
    """As the client wrote it, on one line."""
    key: bytes
    """Its id, as JSON."""
    answer: asyncio.Future[bytes] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    inner_id: RequestId | None = None
    """Under which the agent knows it; the client's own, wherever that can be."""
    turn_id: str | None = None
    """That it began."""

    @property
    def id(self) -> Any:
        return self.frame["id"]

    @property
    def method(self) -> str:
        method: str = self.frame["method"]
        return method

    @property
    def is_answered(self) -> bool:
        return self.answer.done()

    def to_agent(self, frame: Frame | None = None) -> tuple[Frame, bytes | None]:
        """The request as it goes to the agent, and the client's bytes when they still say the same."""
        given = self.frame if frame is None else frame
        if self.inner_id is not None and self.inner_id is not self.frame["id"]:
            return {**given, "id": self.inner_id}, None
        return given, self.raw if given is self.frame else None
