"""Sortable ids with a prefix that says what they name: `ses_…`, `turn_…`, `req_…`."""

from __future__ import annotations

import re
import secrets
import time

__all__ = ["SESSION_ID_PATTERN", "is_session_id", "new_id"]

# Chosen by callers, so it is strict: it appears in paths, logs and file names.
SESSION_ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}"
_SESSION_ID = re.compile(SESSION_ID_PATTERN)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def new_id(prefix: str) -> str:
    """A unique id: 9 characters of millisecond time, then 9 of randomness (45 bits)."""
    stamp = time.time_ns() // 1_000_000
    return f"{prefix}_{_base32(stamp)}{_base32(secrets.randbits(45))}"


def is_session_id(text: str) -> bool:
    """True for 1 to 128 letters, digits, `_`, `.` and `-`, starting with a letter or a digit."""
    return _SESSION_ID.fullmatch(text) is not None


def _base32(number: int) -> str:
    """The lowest 45 bits: 9 characters."""
    return (
        f"{_ALPHABET[number >> 40 & 31]}{_PAIRS[number >> 30 & 1023]}{_PAIRS[number >> 20 & 1023]}"
        f"{_PAIRS[number >> 10 & 1023]}{_PAIRS[number & 1023]}"
    )
