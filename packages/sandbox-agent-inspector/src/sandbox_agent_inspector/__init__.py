"""The Inspector's built files, for a server that serves them at `/ui/`."""

from __future__ import annotations

from pathlib import Path

__all__ = ["STATIC"]

STATIC = Path(__file__).parent / "static"
"""`index.html` and what it loads. Missing in a checkout in which nobody has built it."""
