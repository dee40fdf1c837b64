"""JSON for frames: orjson, and the standard library for the few values that orjson refuses.

Agents may write integers over 64 bit and lone surrogates; a log that loses nothing keeps them.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

__all__ = ["dumps", "loads"]


def dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def loads(text: bytes | str) -> Any:
    """Raises: ValueError (as `json.JSONDecodeError`), RecursionError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
