"""The benchmarks still run, and the events that they count all arrive."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks read /proc")
def test_a_quick_burst_is_measured_and_nothing_is_lost() -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--without-peer", "--only", "burst"]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [lost] = [line for line in done.stdout.splitlines() if line.startswith("burst: lost")]
    assert re.search(r" events +0 +-", lost), lost
