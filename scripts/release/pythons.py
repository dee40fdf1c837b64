"""The Pythons of this machine that our packages are for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["find_pythons"]

OLDEST = (3, 11)
NEWEST_LOOKED_FOR = 20
ASK_TIMEOUT_S = 30
_VERSION = (
    "import sys; print(*sys.version_info[:3]) if sys.version_info.releaselevel == 'final' else 0"
)


def find_pythons() -> dict[str, Path]:
    """`3.12` -> the newest of that minor version, from the oldest on: of the PATH, pyenv and uv."""
    found: dict[tuple[int, ...], Path] = {}
    for candidate in dict.fromkeys(_candidates()):
        version = _version_of(candidate)
        if version is not None and version[:2] >= OLDEST:
            found.setdefault(version, candidate)
    return {f"{version[0]}.{version[1]}": found[version] for version in sorted(found)}


def _candidates() -> Iterator[Path]:
    for minor in range(OLDEST[1], NEWEST_LOOKED_FOR):
        if program := shutil.which(f"python3.{minor}"):
            yield Path(program)
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv", "versions")
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")
    for directory in (pyenv, uv):
        yield from sorted(directory.glob("*/bin/python3"))


def _version_of(python: Path) -> tuple[int, ...] | None:
    try:
        said = subprocess.run(
            [python, "-I", "-c", _VERSION],
            capture_output=True,
            text=True,
            timeout=ASK_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    numbers = said.stdout.split()
    return tuple(map(int, numbers)) if said.returncode == 0 and len(numbers) == 3 else None
