"""What the daemon says about a pull, layer by layer, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["STEP_SHARE", "PullProgress"]

STEP_SHARE = 0.1
"""Say something again when another tenth of what is known has arrived."""


class PullProgress:
    def __init__(self, name: str) -> None:
        self._name = name
        self._layers: dict[str, tuple[int, int]] = {}
        self._told = 0.0

    def take(self, line: Mapping[str, Any]) -> str | None:
        """One line of the daemon's; something to say, or None."""
        layer, detail = line.get("id"), line.get("progressDetail") or {}
        if line.get("status") == "Download complete" and layer in self._layers:
            size = self._layers[layer][1]
            self._layers[layer] = (size, size)
        elif line.get("status") == "Downloading" and layer and detail.get("total"):
            self._layers[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        else:
            return None
        have = sum(current for current, _ in self._layers.values())
        total = sum(size for _, size in self._layers.values())
        if have < total and have / total < self._told + STEP_SHARE:
            return None
        if have / total <= self._told:
            return None
        self._told = have / total
        return f"pulling {self._name} ({have / 1e6:.1f} of {total / 1e6:.1f} MB)"
