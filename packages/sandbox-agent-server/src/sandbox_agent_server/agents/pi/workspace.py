"""What a workspace brings along for Pi that runs in it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sandbox_agent_server.agents.repository import around, files_in

__all__ = ["programs"]

_EXTENSIONS: Final = ".pi/extensions"
_SETTINGS: Final = ".pi/settings.json"
_NAMING_PROGRAMS: Final = ("extensions", "packages", "npmcommand", "shell")


def programs(workspace: Path, *, home: str | None) -> list[Path]:
    """Extensions, which run in Pi itself from its start on, and settings that name some."""
    directories = around(workspace, home=home)
    settings = files_in(directories, [_SETTINGS])
    return [*files_in(directories, [_EXTENSIONS]), *filter(_may_name_programs, settings)]


def _may_name_programs(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace").lower()
    except OSError:
        return False
    # A letter can be written as an escape: nobody does that in good faith.
    return "\\u" in text or any(name in text for name in _NAMING_PROGRAMS)
