"""Commands that other packages add to `sandbox-agent`: the entry-point group `sandbox_agent.commands`.

The name of the entry point is the command's; it is loaded when the command is given. It gets what follows
its name on the command line, and what only the client has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from sandbox_agent_core.spi.provider import Wheel

__all__ = ["GROUP", "Command", "CommandContext"]

GROUP: Final = "sandbox_agent.commands"


class CommandContext(Protocol):
    @property
    def wheels(self) -> Callable[[], Sequence[Wheel]]:
        """Packs the server and core as installed here; nothing when the server is not."""
        ...

    @property
    def load_wheelhouse(self) -> Callable[[Path], Sequence[Wheel]]:
        """Reads one. Raises: InvalidRequest when the directory is none."""
        ...


class Command(Protocol):
    def __call__(self, argv: Sequence[str], context: CommandContext) -> int:
        """Do it, print what it has to say; the exit status."""
        ...
