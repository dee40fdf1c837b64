"""Which process a number means: a pid is given out again, a pid with its start time is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["started_at"]

# Counted from the state, which follows the name of the program: proc_pid_stat(5), 22.
_START_TIME = 19


def started_at(pid: int) -> str | None:
    """When it started, in this system's own words; None when it does not run (or only waits to be reaped)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _told_by_ps(pid)
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[_START_TIME]


def _told_by_ps(pid: int) -> str | None:
    done = subprocess.run(  # noqa: S603 - numbers only
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, start = done.stdout.strip().partition(" ")
    return None if not start or state.startswith("Z") else start.strip()
