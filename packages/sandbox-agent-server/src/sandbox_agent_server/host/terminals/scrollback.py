"""Output of a terminal that is shown again, to somebody who comes later."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["replayed"]

_END_OF_STRING: Final = rb"(?:\x07|\x1b\\)"
_ASKS: Final = re.compile(
    rb"\x1b\[[>=?]?\d*c"  # which terminal it is
    rb"|\x1b\[\??[56]n"  # its state, where its cursor is
    rb"|\x1b\[\??[\d;]*\$p"  # a mode
    rb"|\x1b\[>\d*q"  # its version
    rb"|\x1b\[\?u"  # how it tells of keys
    rb"|\x1b\[(?:1[1345689]|2[01])t"  # its window
    rb"|\x1b\[#[QRy]"
    rb"|\x1b\](?:1[0-9]|4;\d+|5;\d+);\?" + _END_OF_STRING +  # its colours
    rb"|\x1bP[+$]q[^\x1b]*\x1b\\"  # what it can do, a setting
    rb"|\x05"
)  # fmt: skip
"""Terminals answer these as if somebody typed, and the program that asked is long gone."""
_CLIPBOARD: Final = re.compile(rb"\x1b\]52;[^\x07\x1b]*" + _END_OF_STRING)


def replayed(data: bytes, *, is_cut: bool) -> bytes:
    """What of the last output is shown, without what would happen a second time.

    `is_cut`: more came before it. Then it begins with a line, because nobody knows what the first bytes belong to.
    """
    if is_cut:
        data = data[_first_line(data) :]
    return _CLIPBOARD.sub(b"", _ASKS.sub(b"", data))


def _first_line(data: bytes) -> int:
    newline = data.find(b"\n")
    if newline >= 0:
        return newline + 1
    # One line, redrawn again and again: it begins with the next command to the terminal, or at least a character.
    escape = data.find(b"\x1b")
    if escape >= 0:
        return escape
    return next((at for at, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
