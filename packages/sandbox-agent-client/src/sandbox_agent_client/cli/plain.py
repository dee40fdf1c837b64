"""Text from agents made safe to show: a terminal obeys escape sequences, so none may pass."""

from __future__ import annotations

import re

from sandbox_agent_core.surrogates import whole

__all__ = ["last_seen", "plain", "visible"]

# Whole sequences first (colours, titles, links), so that no litter like `[32m` is left of them. One that does not
# end hides nothing: of that only its first character is taken away.
_SEQUENCES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[PX^_][^\x1b\n]*\x1b\\|[@-Z\\^_])"
)
# C0 but for tab and newline, DEL, C1, and the characters that reorder what is read.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Without control characters; a bare carriage return is the end of a line."""
    shown = text.replace("\r\n", "\n").replace("\r", "\n")
    return whole(_CONTROLS.sub("", _SEQUENCES.sub("", shown)))


def visible(text: str) -> str:
    """With every control character written out: for what somebody decides by, of which nothing may be hidden."""
    return whole(_CONTROLS.sub(_escaped, text.replace("\r\n", "\n")))


def last_seen(text: str) -> str:
    """Of lines that were written over, as a progress bar does it, what is left at the end."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
