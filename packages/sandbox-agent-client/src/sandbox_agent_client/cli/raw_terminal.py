"""The terminal of the person at the command line, lent to a program elsewhere, and given back as it was."""

from __future__ import annotations

import re
import shutil
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["ScreenModes", "raw_input", "size_of_screen"]

_SWITCH = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_PART_OF_ONE = re.compile(rb"\x1b(?:\[(?:\?[\d;]*)?)?\Z")
_OFF_AT_FIRST = frozenset(
    {b"1", b"9", b"47", b"66", b"1000", b"1002", b"1003", b"1004", b"1005", b"1006", b"1015", b"1047", b"1049",
     b"2004", b"2026"}
)  # fmt: skip
_ON_AT_FIRST = frozenset({b"7", b"25"})


class ScreenModes:
    """What a program has switched on the screen: another buffer, the mouse, a hidden cursor. Whoever leaves it in the
    midst of that has to switch it back."""

    def __init__(self) -> None:
        self._changed: dict[bytes, bytes] = {}
        self._tail = b""

    def watch(self, data: bytes) -> None:
        data = self._tail + data
        for numbers, switch in _SWITCH.findall(data):
            for number in numbers.split(b";"):
                self._note(number, is_on=switch == b"h")
        part = _PART_OF_ONE.search(data, max(0, len(data) - 32))
        self._tail = part[0] if part else b""

    def undo(self) -> bytes:
        """What brings the screen back; nothing when nothing was changed."""
        return b"".join(self._changed.values()) + (b"\x1b[0m" if self._changed else b"")

    def _note(self, number: bytes, *, is_on: bool) -> None:
        if number in _OFF_AT_FIRST | _ON_AT_FIRST:
            if is_on == (number in _ON_AT_FIRST):
                self._changed.pop(number, None)
            else:
                self._changed[number] = b"\x1b[?%b%b" % (number, b"l" if is_on else b"h")


@contextmanager
def raw_input() -> Iterator[None]:
    """Every key goes through, also Ctrl-C. Afterwards the terminal is as it was, however this ends."""
    descriptor = sys.stdin.fileno()
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        # Not what was typed and nobody has read: a shell would run it.
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def size_of_screen() -> tuple[int, int]:
    """Columns and rows."""
    size = shutil.get_terminal_size()
    return max(size.columns, 1), max(size.lines, 1)
