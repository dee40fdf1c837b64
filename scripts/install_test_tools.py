#!/usr/bin/env python3
"""Installs what single tests need into `.agents/`: Inspect and Harbor's validator, which read exports, and Temporal. They are
too large to be in the environment of the tests, or want other versions of what is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support import format_readers as readers
from support import temporal

UV = Path(sys.executable).with_name("uv")
PIP = [UV, "pip", "install", "--quiet"]
TIMEOUT_S = 300


def main() -> int:
    python = readers.FOLDER / "bin/python"
    is_there = [
        installed(
            "the readers of exports",
            readers.FOLDER,
            readers.installed_readers,
            [UV, "venv", "--quiet", "--python", sys.executable, readers.FOLDER],
            [*PIP, "--python", python, *readers.SPECS],
            # Without what it needs, and for a Python that may not be here: its validator runs on ours.
            [*PIP, "--python", python, "--target", readers.FOLDER / "harbor",
             "--no-deps", "--python-version", "3.12", readers.HARBOR],
        ),
        installed(
            "Temporal",
            temporal.FOLDER,
            temporal.installed_temporal,
            [*PIP, "--python", sys.executable, "--target", temporal.FOLDER, *temporal.SPECS],
        ),
    ]  # fmt: skip
    return 0 if all(is_there) else 1


def installed(
    name: str, folder: Path, is_there: Callable[[], Path | None], *commands: Sequence[object]
) -> bool:
    if is_there() is not None:
        say(f"{name}: there already")
        return True
    shutil.rmtree(folder, ignore_errors=True)
    for command in commands:
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            say(f"{name}: not installed: {done.stderr.strip()[-500:]}")
            return False
    say(f"{name}: installed")
    return True


def say(text: str) -> None:
    print(f"test tools: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
