"""An installation as people see it: a bar on a terminal, a line for each step elsewhere. Both on stderr."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from sandbox_agent_core.api.agents import InstallProgress

from sandbox_agent_client._installing import shown_bytes, shown_step
from sandbox_agent_client.cli.plain import plain

__all__ = ["InstallBar"]


class InstallBar:
    """Nothing is seen before the first progress, and no bar after the block."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[bytes]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._step: str | None = None

    def __enter__(self) -> InstallBar:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._bar.stop()

    def show(self, progress: InstallProgress) -> None:
        is_new = progress.step != self._step
        self._step = progress.step
        text = plain(shown_step(progress))
        if not self._console.is_terminal:
            if is_new:
                print(text, file=sys.stderr)
            return
        self._bar.start()
        if is_new:
            # A bar forgets no total, and the next step may have none.
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(text, total=None, bytes="")
        self._bar.update(
            self._bar.task_ids[0],
            completed=progress.done_bytes or 0,
            total=progress.total_bytes,
            bytes=shown_bytes(progress),
        )
