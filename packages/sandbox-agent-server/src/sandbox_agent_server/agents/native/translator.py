"""What a translator of an agent's messages is, as far as its adapter is concerned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox_agent_core.frames import Frame

__all__ = ["Native", "Output", "Translator"]

Native = dict[str, Any]
"""A message of the agent's own protocol."""


@dataclass(slots=True)
class Output:
    frames: list[Frame] = field(default_factory=list)
    """For the client."""
    replies: list[Native] = field(default_factory=list)
    """For the agent, to be written after the message that caused them was read."""


class Translator(Protocol):
    """One session, without I/O."""

    @property
    def is_prompted(self) -> bool: ...

    def feed(self, message: Native) -> Output:
        """A message of the agent that answers none of the adapter's questions."""
        ...
