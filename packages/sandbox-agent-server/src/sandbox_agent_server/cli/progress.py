"""Shows an installation to a person: a bar on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import shutil
import sys
from typing import Final, TextIO

from sandbox_agent_core.api.agents import InstallProgress

__all__ = ["ProgressLine"]

_BAR_CELLS: Final = 24
_CLEAR_LINE: Final = "\r\x1b[2K"
_STEPS: Final = {
    "waiting": "waiting for another installation",
    "resolving": "asking the registry",
    "downloading": "downloading",
    "unpacking": "unpacking",
    "bringing_node": "bringing a newer Node.js",
    "running_npm": "npm installs it and its dependencies",
    "running_pip": "pip installs it and its dependencies",
    "starting": "starting it once",
    "finishing": "finishing",
}


class ProgressLine:
    """Takes `InstallProgress`; `clear` before printing anything else."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._step: tuple[str, str] | None = None

    def __call__(self, progress: InstallProgress) -> None:
        if self._is_terminal:
            columns = shutil.get_terminal_size().columns
            self._write(_CLEAR_LINE + _line(progress)[: max(columns - 1, 10)])
            return
        step = (progress.agent, progress.step)
        if step != self._step:
            self._step = step
            self._write(_plain(progress) + "\n")

    def clear(self) -> None:
        if self._is_terminal:
            self._write(_CLEAR_LINE)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _plain(progress: InstallProgress) -> str:
    name = " ".join(filter(None, (progress.agent, progress.version)))
    size = f" ({_mib(progress.total_bytes)})" if progress.total_bytes else ""
    return f"{name}: {_STEPS[progress.step]}{size}"


def _line(progress: InstallProgress) -> str:
    done, total = progress.done_bytes, progress.total_bytes
    if done is None:
        return f"{_plain(progress)} …"
    if not total:
        return f"{_plain(progress)} {_mib(done)}"
    share = min(done / total, 1.0)
    filled = round(share * _BAR_CELLS)
    bar = "#" * filled + "." * (_BAR_CELLS - filled)
    name = " ".join(filter(None, (progress.agent, progress.version)))
    return f"{name} [{bar}] {share:4.0%}  {_mib(done)} of {_mib(total)}"


def _mib(count: int) -> str:
    return f"{count / (1024 * 1024):.1f} MiB"
