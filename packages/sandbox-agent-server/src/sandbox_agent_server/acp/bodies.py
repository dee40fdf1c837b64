"""Params of an ACP client as bodies of the API, which say what is wrong with them."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sandbox_agent_core.errors import InvalidRequest

__all__ = ["read"]

Body = TypeVar("Body", bound=BaseModel)


def read(model: type[Body], /, **values: Any) -> Body:
    """Raises: InvalidRequest."""
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidRequest(f"{where}: {first['msg'].removeprefix('Value error, ')}") from exc
