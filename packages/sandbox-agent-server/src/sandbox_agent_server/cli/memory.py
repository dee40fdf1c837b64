"""Gives memory back to the machine that is free already: glibc keeps what lies between two pieces in use."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

__all__ = ["FreeMemory"]

_WORTH_BYTES: Final = 16 * 1024 * 1024
_OWN_MAPPING_BYTES: Final = 1024 * 1024
"""A buffer of this size goes back when it is freed."""
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LIBC: Final = ctypes.CDLL(None)


class FreeMemory:
    """Looks at no more than the size of the process until that is worth the milliseconds that it takes."""

    def __init__(self) -> None:
        self._least_bytes = _resident_bytes()
        self._trim = getattr(_LIBC, "malloc_trim", None)
        if self._trim is not None:
            # Fixed: left to itself, glibc puts ever larger buffers where they cannot be given back.
            _LIBC.mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING_BYTES)
            _LIBC.mallopt(_M_TRIM_THRESHOLD, _WORTH_BYTES)

    def give_back(self) -> None:
        """Without glibc there is nothing to do."""
        if self._trim is None:
            return
        if _resident_bytes() - self._least_bytes > _WORTH_BYTES:
            self._trim(0)
        self._least_bytes = min(self._least_bytes, _resident_bytes())


def _resident_bytes() -> int:
    """0 where that cannot be known."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
