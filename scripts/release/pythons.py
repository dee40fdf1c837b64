"""The Pythons of this machine that our packages are for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

__all__ = ["find_pythons"]

OLDEST = (3, 11)
TIMEOUT_S = 120
UV = Path(sys.executable).with_name("uv")


def find_pythons() -> dict[str, Path]:
    """`3.12` -> one of that minor version, from the oldest on: those that uv finds, on the PATH and of its own."""
    listed = subprocess.run(
        [UV, "python", "list", "--only-installed", "--output-format", "json"],
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    found: dict[tuple[int, int], Path] = {}
    for one in json.loads(listed.stdout):
        version = one["version_parts"]["major"], one["version_parts"]["minor"]
        is_final = one["version"].replace(".", "").isdigit()
        if one["implementation"] == "cpython" and is_final and version >= OLDEST:
            found.setdefault(version, Path(one["path"]))
    return {f"{major}.{minor}": path for (major, minor), path in sorted(found.items())}
