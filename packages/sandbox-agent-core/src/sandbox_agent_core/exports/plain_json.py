"""JSON that every reader takes, with credentials masked: what is exported goes to others."""

from __future__ import annotations

import math
from typing import Any, Final

from sandbox_agent_core.redact import is_secret_name, mask
from sandbox_agent_core.surrogates import whole

__all__ = ["MAX_NESTING", "plain_json"]

MAX_NESTING: Final = 100
"""Readers that are built on pydantic refuse what is nested deeper than 255 levels."""
_MAX_INTEGER: Final = 2**63
_TOO_DEEP: Final = "(nested too deep to be exported)"


def plain_json(value: Any, *, depth: int = MAX_NESTING) -> Any:
    """A copy of a JSON value in which text can be encoded, numbers are finite and fit into 64 bits (others become text),
    nesting has an end, and what looks like a credential is `***`. Pictures (`data:…`) are as they were."""
    match value:
        case str():
            return value if value.startswith("data:") else mask(whole(value))
        case bool() | None:
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case int():
            return value if -_MAX_INTEGER <= value < _MAX_INTEGER else str(value)
    if not depth:
        return _TOO_DEEP
    if isinstance(value, dict):
        return {
            whole(str(key)): _member(str(key), inner, depth - 1) for key, inner in value.items()
        }
    return [plain_json(inner, depth=depth - 1) for inner in value]


def _member(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, str) and value and is_secret_name(name):
        return "***"
    return plain_json(value, depth=depth)
