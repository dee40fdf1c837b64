#!/usr/bin/env python3
"""Installs what tests read exports with, Inspect and Harbor's validator, into `.agents/`: they are too large to be in the
environment of the tests, and want other versions of what is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.format_readers import FOLDER, HARBOR, SPECS, installed_readers

TIMEOUT_S = 300


def main() -> int:
    if installed_readers() is not None:
        say("they are there")
        return 0
    shutil.rmtree(FOLDER, ignore_errors=True)
    uv = Path(sys.executable).with_name("uv")
    python = FOLDER / "bin/python"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, FOLDER],
        [uv, "pip", "install", "--quiet", "--python", python, *SPECS],
        # Without what it needs, and for a Python that may not be here: its validator runs on ours.
        [uv, "pip", "install", "--quiet", "--python", python, "--target", FOLDER / "harbor",
         "--no-deps", "--python-version", "3.12", HARBOR],
    ):  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            shutil.rmtree(FOLDER, ignore_errors=True)
            say(f"they are not installed: {done.stderr.strip()[-500:]}")
            return 1
    say("they are installed")
    return 0


def say(text: str) -> None:
    print(f"test readers: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
