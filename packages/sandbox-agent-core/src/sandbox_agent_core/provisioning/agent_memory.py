"""How much memory agents need, for providers whose sandboxes have less by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["NEEDED_MB", "OTHERS_NEED_MB", "memory_warning", "needed_memory_mb"]

NEEDED_MB: Final[Mapping[str, int]] = {
    # Both as their makers' system requirements say: 4 GB of RAM.
    "claude": 4096,
    "codex": 4096,
}
OTHERS_NEED_MB: Final = 1024
"""For agents whose makers name no number: the agent's process and the server are a few hundred megabytes, and the
agent starts compilers and tests."""
_NO_AGENTS_OF_OTHERS: Final = frozenset({"mock"})
# 512 MB and 4 GB are sold as such and a little less, or counted in thousands.
_TOLERANCE: Final = 0.93


def needed_memory_mb(agents: Iterable[str]) -> int:
    """Of a sandbox for one session of the hungriest of them; 0 for none."""
    wanted = ("claude" if agent == "all" else agent for agent in agents)
    needs = (NEEDED_MB.get(a, OTHERS_NEED_MB) for a in wanted if a not in _NO_AGENTS_OF_OTHERS)
    return max(needs, default=0)


def memory_warning(agents: Iterable[str], memory_mb: float, *, remedy: str) -> str | None:
    """What to tell whoever starts these agents in a sandbox of that size; None when it is enough.

    `remedy`: how this provider gives more, as `memory="4g"`.
    """
    named = [*dict.fromkeys(agents)]
    needed = needed_memory_mb(named)
    if memory_mb >= needed * _TOLERANCE:
        return None
    hungry = [agent for agent in named if needed_memory_mb([agent]) * _TOLERANCE > memory_mb]
    verb = "needs" if len(hungry) == 1 else "need"
    return (
        f"{', '.join(hungry)} {verb} {needed} MB of memory, and the sandbox has {memory_mb:.0f} MB; give it more with "
        f"{remedy}"
    )
