"""A value that a JSON schema admits: what a model would send for a field that a script does not care about."""

from __future__ import annotations

from typing import Any

from .actions import JSON

__all__ = ["fitting_value"]

_ALTERNATIVES = ("anyOf", "oneOf", "allOf")


def fitting_value(schema: JSON) -> Any:
    """The least of what fits: null where that may be, else what the schema itself names, else as little as it asks for."""
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    branches = next((schema[name] for name in _ALTERNATIVES if schema.get(name)), [])
    if "null" in kinds or any(branch.get("type") == "null" for branch in branches):
        return None
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if schema.get("enum"):
        return schema["enum"][0]
    if branches:
        return fitting_value(branches[0])
    match kinds[0]:
        case "boolean":
            return False
        case "number" | "integer":
            return _number(schema)
        case "array":
            return [fitting_value(schema.get("items") or {})] * int(schema.get("minItems") or 0)
        case "object":
            properties = schema.get("properties") or {}
            required = schema.get("required") or []
            return {name: fitting_value(properties.get(name) or {}) for name in required}
    return "x" * max(1, int(schema.get("minLength") or 1))


def _number(schema: JSON) -> float:
    lowest: float = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    return min(lowest, schema.get("maximum", lowest))
