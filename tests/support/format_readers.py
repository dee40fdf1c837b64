"""The programs that others read our exports with, in an environment of their own: hundreds of megabytes of packages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from support.agents import AGENTS_DIR
from support.optional import skip_without

__all__ = ["FOLDER", "HARBOR", "SPECS", "installed_readers", "read_all"]

SPECS = ("inspect-ai==0.3.285", "atif==1.8.0")
HARBOR = "harbor==0.26.0"
"""For its validator of trajectories alone, which needs nothing but pydantic; the rest of it wants Python 3.12."""
FOLDER = AGENTS_DIR / "-".join(["readers", *(spec.rpartition("=")[2] for spec in (*SPECS, HARBOR))])
_SCRIPT = Path(__file__).with_name("read_exports.py")
_TIMEOUT_S = 60


def installed_readers() -> Path | None:
    """Its Python, once all of it is there."""
    python = FOLDER / "bin/python"
    return python if python.exists() and (FOLDER / "harbor/harbor").is_dir() else None


def read_all(directory: Path) -> dict[str, Any]:
    """What the readers make of each file: `{problems, messages, calls, …}` by its name."""
    python = installed_readers()
    if python is None:
        skip_without("inspect-ai and harbor are not here: python scripts/install_test_tools.py")
    done = subprocess.run(
        [python, _SCRIPT, directory, FOLDER / "harbor"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_TIMEOUT_S,
        check=False,
        env={"HOME": str(directory), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
