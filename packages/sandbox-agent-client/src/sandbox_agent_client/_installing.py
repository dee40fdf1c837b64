"""What is said of an installation that a session waits for: each step, and a download now and then."""

from __future__ import annotations

from typing import Final

from sandbox_agent_core.api.agents import InstallProgress

__all__ = ["InstallLines", "shown_bytes", "shown_step"]

LINES_OF_A_DOWNLOAD: Final = 10
BYTES_PER_LINE: Final = 16_000_000
"""Of a download whose size nobody knows."""


class InstallLines:
    """Which progress is worth a line."""

    def __init__(self) -> None:
        self._said: tuple[str, int] | None = None

    def line(self, progress: InstallProgress) -> str | None:
        """None: nothing that a line has not said already."""
        here = (progress.step, _part(progress))
        if here == self._said:
            return None
        self._said = here
        return ", ".join(filter(None, (shown_step(progress), shown_bytes(progress))))


def shown_step(progress: InstallProgress) -> str:
    what = " ".join(filter(None, (progress.agent, progress.version)))
    return f"installing {what}: {progress.step.replace('_', ' ')}"


def shown_bytes(progress: InstallProgress) -> str:
    if progress.done_bytes is None:
        return ""
    of = f" of {progress.total_bytes / 1e6:.1f}" if progress.total_bytes else ""
    return f"{progress.done_bytes / 1e6:.1f}{of} MB"


def _part(progress: InstallProgress) -> int:
    done = progress.done_bytes or 0
    if progress.total_bytes:
        return done * LINES_OF_A_DOWNLOAD // progress.total_bytes
    return done // BYTES_PER_LINE
