"""JSON for frames: orjson, and the standard library for the few values that orjson refuses.

Lone surrogates are read and written. An integer over 64 bit is read as a float, as orjson does: the log keeps
the bytes of an agent, so nothing is lost there, but whoever reads the frame sees the float.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import orjson

__all__ = ["dumps", "loads"]


def dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        pass
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":")).encode()


def loads(text: bytes | str) -> Any:
    """Raises: ValueError (as `json.JSONDecodeError`), RecursionError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def _finite(value: Any) -> Any:
    """With null for numbers that JSON has not, as orjson writes them."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value if not isinstance(value, float) or isfinite(value) else None
