#!/usr/bin/env python3
"""Installs the editor that tests drive the bridge with, toad, into `.agents/`. It wants Python 3.14, which uv brings where
the network has it: without one, its tests are skipped, and this says why."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.toad import FOLDER, PYTHON, SPEC, installed_toad

TIMEOUT_S = 90


def main() -> int:
    if installed_toad() is not None:
        say(f"{SPEC} is there")
        return 0
    shutil.rmtree(FOLDER, ignore_errors=True)
    uv = Path(sys.executable).with_name("uv")
    for command in (
        [uv, "venv", "--quiet", "--python", PYTHON, FOLDER],
        [uv, "pip", "install", "--quiet", "--python", FOLDER / "bin/python", SPEC],
    ):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            shutil.rmtree(FOLDER, ignore_errors=True)
            say(f"{SPEC} is not installed, its tests are skipped: {done.stderr.strip()[-500:]}")
            return 0
    say(f"{SPEC} is installed")
    return 0


def say(text: str) -> None:
    print(f"test editor: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
