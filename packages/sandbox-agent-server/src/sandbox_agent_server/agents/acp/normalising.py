"""What an agent's frames go through when the agent leaves something out that others say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sandbox_agent_core.frames import Frame
from sandbox_agent_core.spi.agent import WireFrame

__all__ = ["Normaliser"]


class Normaliser(Protocol):
    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        """What the agent wrote, with what is missing put in where it belongs. Nothing is left out, but a
        request may be put into other words."""
        ...

    def outgoing(self, frame: Frame) -> Sequence[WireFrame]:
        """Looks at what the client says to the agent; frames to put in, as if the agent had written them."""
        ...

    def to_agent(self, frame: Frame) -> Frame:
        """What the agent is told in place of `frame`, which has been through `outgoing`."""
        ...
