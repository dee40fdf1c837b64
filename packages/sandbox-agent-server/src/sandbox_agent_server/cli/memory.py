"""Gives memory back to the machine that is free already.

glibc keeps what lies between two pieces in use, and Python what refers to itself: its collector was told to come by
rarely, because a burst makes millions of objects and nothing for it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import time
from pathlib import Path
from typing import Final

__all__ = ["FreeMemory"]

_MIB: Final = 1024 * 1024
_WORTH_BYTES: Final = 4 * _MIB
_AGAIN_S: Final = 10.0
"""After it was in vain: what is in use is no smaller a moment later."""
_OWN_MAPPING_BYTES: Final = _MIB
"""A buffer of this size goes back when it is freed."""
_KEPT_FREE_BYTES: Final = 16 * _MIB
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LIBC: Final = ctypes.CDLL(None)


class FreeMemory:
    """Looks at no more than the size of the process until that is worth the milliseconds that it takes."""

    def __init__(self) -> None:
        self._least_bytes = _resident_bytes()
        self._not_before = 0.0
        self._trim = getattr(_LIBC, "malloc_trim", None)
        if self._trim is not None:
            # Fixed: left to itself, glibc puts ever larger buffers where they cannot be given back.
            _LIBC.mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING_BYTES)
            _LIBC.mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE_BYTES)

    def give_back(self) -> None:
        if not self._is_worth_it() or time.monotonic() < self._not_before:
            return
        gc.collect()
        if self._trim is not None:
            self._trim(0)
        if self._is_worth_it():
            self._not_before = time.monotonic() + _AGAIN_S

    def _is_worth_it(self) -> bool:
        now = _resident_bytes()
        self._least_bytes = min(self._least_bytes, now)
        return now - self._least_bytes > _WORTH_BYTES


def _resident_bytes() -> int:
    """0 where that cannot be known."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
