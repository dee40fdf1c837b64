"""Keeps the token from the agents: they run as the same user, and can read what /proc shows of the server."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from pathlib import Path

__all__ = ["deny_inspection", "forget_variable"]

logger = logging.getLogger(__name__)

# Counted from the state, which follows the name of the program: proc_pid_stat(5), 50 and 51.
_ENV_START, _ENV_END = 47, 48


_PR_SET_DUMPABLE = 4


def deny_inspection() -> None:
    """Let no other process of this user read our memory or trace us: the token is in it. Linux; root still can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def forget_variable(name: str) -> None:
    """Remove a variable, also from `/proc/self/environ`: unsetting it leaves that as it was."""
    value = os.environb.pop(os.fsencode(name), None)
    if not value:
        return
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    except (OSError, IndexError, ValueError):
        return  # no Linux: nothing to read it from
    block = b"\0" + ctypes.string_at(start, end - start) if end > start > 0 else b""
    assignment = b"\0" + os.fsencode(name) + b"="
    found = block.find(assignment + value + b"\0")
    if found < 0:
        logger.debug("%s is not where the environment of this process should be", name)
        return
    ctypes.memset(start + found + len(assignment) - 1, ord("x"), len(value))
