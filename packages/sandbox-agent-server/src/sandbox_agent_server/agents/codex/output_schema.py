"""JSON schemas as OpenAI takes them for answers: strict, or the request is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["strict_schema"]

_NAMED: Final = ("properties", "$defs", "definitions", "patternProperties")
_LISTED: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE: Final = ("items", "additionalProperties", "not")


def strict_schema(schema: Any) -> Native:
    """Codex marks every schema as strict. Then objects have all of their properties and no others, and none has a
    default: the model gives the properties that are optional, too. What fits it, fits the schema that was given.

    Raises: InvalidParams.
    """
    if not isinstance(schema, Mapping):
        raise InvalidParams(f"`outputSchema` must be a JSON schema, not {schema!r}")
    return _strict(schema)


def _strict(schema: Mapping[str, Any]) -> Native:
    strict: Native = {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, Mapping):
            strict[key] = {name: _any(inner) for name, inner in value.items()}
        elif key in _LISTED and isinstance(value, list):
            strict[key] = [_any(inner) for inner in value]
        elif key != "default":
            strict[key] = _any(value) if key in _SINGLE else value
    properties = strict.get("properties")
    if isinstance(properties, dict):
        strict["required"] = list(properties)
        if not isinstance(strict.get("additionalProperties"), dict):
            strict["additionalProperties"] = False
    return strict


def _any(value: Any) -> Any:
    return _strict(value) if isinstance(value, Mapping) else value
