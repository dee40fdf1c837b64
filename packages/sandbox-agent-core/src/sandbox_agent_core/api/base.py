"""What every body shares: camelCase names, and strictness about what callers send."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

__all__ = ["RequestBody", "ResponseBody"]


_SCALARS: Final = {bool: "true or false", int: "a number", float: "a number", str: "text"}


@lru_cache(maxsize=1024)
def _types_of(annotation: Any) -> frozenset[Any]:
    """Of a field: `int | None` takes int."""
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        return frozenset().union(*map(_types_of, get_args(annotation)))
    if get_origin(annotation) is Annotated:
        return _types_of(get_args(annotation)[0])
    return frozenset() if annotation in (None, NoneType) else frozenset({annotation})


class RequestBody(BaseModel):
    """Unknown members are refused: a typing error must not be silently ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        # A body can hold keys, and the text of an error ends up in logs.
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _check_scalars(cls, given: Any) -> Any:
        """`0` is not false, and `"5"` no number: JSON has types of its own."""
        if isinstance(given, Mapping):
            for name, field in cls.model_fields.items():
                for spelling in {name, field.alias} & set(given):
                    annotation: Any = field.annotation
                    _check_scalar(spelling, given[spelling], _types_of(annotation))
        return given


def _check_scalar(name: str | None, value: Any, wanted: frozenset[Any]) -> None:
    """Says nothing of the value: a key may have got into the wrong member."""
    if not wanted or not wanted <= set(_SCALARS) or not isinstance(value, bool | int | float | str):
        return
    kinds = {bool} if isinstance(value, bool) else {str} if isinstance(value, str) else {int, float}
    if not wanted & kinds:
        needed = " or ".join(
            dict.fromkeys(word for kind, word in _SCALARS.items() if kind in wanted)
        )
        raise ValueError(f"`{name}` must be {needed}")


class ResponseBody(BaseModel):
    """Unknown members are kept: an older client must read a newer server."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")
