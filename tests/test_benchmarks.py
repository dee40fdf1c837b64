"""The benchmarks still run, and the events that they count all arrive."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.optional import skip_without
from support.postgres import why_no_postgres

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks read /proc")
@pytest.mark.parametrize("row", ["burst", pytest.param("stored", marks=pytest.mark.slow)])
def test_what_is_measured_in_short_loses_nothing(row: str) -> None:
    if row == "stored" and (reason := why_no_postgres()):
        skip_without(reason)
    command = [sys.executable, "-m", "benchmarks", "--quick", "--without-peer", "--only", row]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [lost] = [line for line in done.stdout.splitlines() if ": lost" in line]
    assert re.search(r" events +0 +-", lost), lost
