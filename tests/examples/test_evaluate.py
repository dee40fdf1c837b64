"""The runner of evaluations: verdicts, bounds and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "evaluate"


def test_tasks_are_done_judged_and_stopped_at_their_bounds(tmp_path: Path) -> None:
    out = tmp_path / "results"
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE / "evaluate.py", EXAMPLE / "tasks.json", out, "--timeout", "3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["task"]: row for row in json.loads((out / "results.json").read_text("utf-8"))}
    assert {name: row["passed"] for name, row in rows.items()} == {
        "greeting": True, "listing": True, "endless": False
    }  # fmt: skip
    assert (rows["endless"]["limit"], rows["endless"]["stop_reason"]) == ("timeout", "cancelled")
    assert rows["greeting"]["tokens"]
    transcript = json.loads((out / "endless.mock.1" / "transcript.json").read_text("utf-8"))
    assert transcript["turns"][0]["items"]
