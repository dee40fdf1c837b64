"""Text from agents made safe to show: a terminal obeys escape sequences, so none may pass."""

from __future__ import annotations

import re

__all__ = ["plain"]

# Whole sequences first (colours, titles, links), so that no litter like `[32m` is left of them.
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
# C0 but for tab and newline, DEL, C1, and the characters that reorder what is read.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Without control characters, and without half surrogate pairs, which cannot be encoded."""
    shown = _CONTROLS.sub("", _SEQUENCES.sub("", text.replace("\r\n", "\n")))
    return shown.encode("utf-8", "replace").decode("utf-8")
