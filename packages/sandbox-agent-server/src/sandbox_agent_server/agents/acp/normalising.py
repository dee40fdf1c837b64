"""What an agent's frames go through when the agent leaves something out that others say, or says it in its own way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sandbox_agent_core.frames import Frame
from sandbox_agent_core.spi.agent import WireFrame

__all__ = ["AsItIs", "Chain", "Normaliser", "Send", "chain"]

Send = Callable[[Frame], None]


class Normaliser(Protocol):
    def attach(self, *, send: Send, tell: Send) -> None:
        """Before the first frame. `send` says something to the agent that no client has said, `tell` something to
        the client that no frame of the agent brings."""
        ...

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        """What the agent wrote, with what is missing put in where it belongs. Nothing of it is lost, but it may be
        put into other words."""
        ...

    def outgoing(self, frame: Frame) -> Sequence[WireFrame]:
        """Looks at what the client says to the agent; frames to put in, as if the agent had written them."""
        ...

    def to_agent(self, frame: Frame) -> Frame | None:
        """What the agent is told in place of `frame`, which has been through `outgoing`. None: nothing."""
        ...


class AsItIs:
    """A `Normaliser` that changes nothing: what a small one is made of."""

    def attach(self, *, send: Send, tell: Send) -> None:
        self._send = send
        self._tell = tell

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return batch

    def outgoing(self, _frame: Frame) -> Sequence[WireFrame]:
        return ()

    def to_agent(self, frame: Frame) -> Frame | None:
        return frame


class Chain(AsItIs):
    """Several, the one next to the agent first. Each looks at what the client says as the client says it."""

    def __init__(self, *members: Normaliser) -> None:
        self._members = members

    def attach(self, *, send: Send, tell: Send) -> None:
        for member in self._members:
            member.attach(send=send, tell=tell)

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        for member in self._members:
            batch = member.incoming(batch)
        return batch

    def outgoing(self, frame: Frame) -> Sequence[WireFrame]:
        return [each for member in reversed(self._members) for each in member.outgoing(frame)]

    def to_agent(self, frame: Frame) -> Frame | None:
        told: Frame | None = frame
        for member in reversed(self._members):
            if told is not None:
                told = member.to_agent(told)
        return told


def chain(*kinds: Callable[[], Normaliser]) -> Callable[[], Chain]:
    """Makes one for a session."""
    return lambda: Chain(*(kind() for kind in kinds))
