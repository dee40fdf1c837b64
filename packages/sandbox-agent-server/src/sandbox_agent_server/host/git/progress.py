"""How far git is, read from what it writes for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sandbox_agent_core.api.git import GitCloneProgress

__all__ = ["ProgressReader"]

_LINE: Final = re.compile(
    r"^(?:remote: )?(?P<what>[A-Z][A-Za-z ]*?): +(?P<percent>\d+)% \((?P<done>\d+)/(?P<total>\d+)\)"
    r"(?:, (?P<size>[\d.]+) (?P<unit>bytes|KiB|MiB|GiB))?"
)
_PHASES: Final = {
    "Enumerating objects": "counting",
    "Counting objects": "counting",
    "Compressing objects": "compressing",
    "Receiving objects": "receiving",
    "Resolving deltas": "resolving",
    "Updating files": "checking_out",
    "Checking out files": "checking_out",
    "Filtering content": "filtering",
}
_UNITS: Final = {"bytes": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_MAX_LINE_BYTES: Final = 4096


class ProgressReader:
    """Tells each step once: a phase and a percentage that were told are not told again."""

    def __init__(self, on_progress: Callable[[GitCloneProgress], None]) -> None:
        self._on_progress = on_progress
        self._rest = b""
        self._told: tuple[str, int | None] | None = None

    def feed(self, data: bytes) -> None:
        *lines, self._rest = re.split(rb"[\r\n]", self._rest + data)
        self._rest = self._rest[-_MAX_LINE_BYTES:]
        for line in lines:
            self._line(line.decode("utf-8", "replace"))

    def _line(self, line: str) -> None:
        found = _LINE.match(line)
        if found is None:
            if line.startswith("Submodule '"):
                self._tell(GitCloneProgress(phase="submodule"))
            return
        what = found["what"]
        size = found["size"]
        self._tell(
            GitCloneProgress(
                phase=_PHASES.get(what, what.lower().replace(" ", "_")),
                percent=int(found["percent"]),
                done=int(found["done"]),
                total=int(found["total"]),
                received_bytes=round(float(size) * _UNITS[found["unit"]]) if size else None,
            )
        )

    def _tell(self, progress: GitCloneProgress) -> None:
        step = (progress.phase, progress.percent)
        if step != self._told:
            self._told = step
            self._on_progress(progress)
