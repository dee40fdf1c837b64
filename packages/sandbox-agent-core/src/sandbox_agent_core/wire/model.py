"""The base of what crosses the wire as camelCase JSON and is snake_case in Python."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from sandbox_agent_core.frames.entry import rfc3339

__all__ = ["OpenWireModel", "WireModel"]


class WireModel(BaseModel):
    """Takes both spellings in, ignores members it does not know, so that a newer peer is understood."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        # Validators are made on first use: a server that only streams wire forms never needs them,
        # and they are two thirds of the time it takes to import this package.
        defer_build=True,
    )
    _always_written: ClassVar[frozenset[str]] = frozenset()
    """Names of fields that are written even if they were left to their default: tags of unions."""

    def to_wire(self) -> dict[str, Any]:
        """Only the members that were given, so that reading and writing again changes nothing."""
        wire: dict[str, Any] = {
            field.alias or name: _plain(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if self._is_written(name)
        }
        if self.model_extra:
            wire |= self.model_extra
        return wire

    def _is_written(self, name: str) -> bool:
        return name in self.model_fields_set or name in self._always_written


class OpenWireModel(WireModel):
    """Keeps members it does not know, and writes them again."""

    model_config = ConfigDict(extra="allow")


# Not `model_dump`: it refuses values nested deeper than 255 levels and strings with half a surrogate
# pair. Agents send both: JavaScript cuts text wherever it likes.
def _plain(value: Any) -> Any:
    if isinstance(value, WireModel):
        return value.to_wire()
    if isinstance(value, datetime):
        return rfc3339(round(value.timestamp() * 1000))
    # Other lists are JSON already, of any depth.
    if isinstance(value, list) and value and isinstance(value[0], WireModel):
        return [_plain(item) for item in value]
    return value
