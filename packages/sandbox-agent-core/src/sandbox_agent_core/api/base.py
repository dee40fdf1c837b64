"""What every body shares: camelCase names, and strictness about what callers send."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = ["RequestBody", "ResponseBody"]


class RequestBody(BaseModel):
    """Unknown members are refused: a typing error must not be silently ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        # A body can hold keys, and the text of an error ends up in logs.
        hide_input_in_errors=True,
    )


class ResponseBody(BaseModel):
    """Unknown members are kept: an older client must read a newer server."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")
