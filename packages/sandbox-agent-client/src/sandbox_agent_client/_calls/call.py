"""What to send and how to read the answer. Both transports, async and sync, carry it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import ValidationError
from sandbox_agent_core.api.base import RequestBody, ResponseBody
from sandbox_agent_core.errors import InternalError, InvalidRequest

__all__ = ["Call", "Query", "body", "built", "nothing", "path", "query", "reads"]

T = TypeVar("T")
Request = TypeVar("Request", bound=RequestBody)
Response = TypeVar("Response", bound=ResponseBody)

Query = Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    method: str
    path: str
    """Relative to the base URL, quoted."""
    parse: Callable[[Any], T]
    """Reads the decoded JSON of a success; `None` when there was no body."""
    query: Query = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    has_deadline: bool = True
    """False for calls that last as long as a turn does."""


def path(*parts: str) -> str:
    """`/v1/…` with every part quoted, so that an id cannot reach another endpoint."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def query(**parameters: str | int | bool | None) -> Query:
    """Leaves out what is None; booleans as JSON writes them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in parameters.items()
        if value is not None
    }


def body(request: RequestBody) -> dict[str, Any]:
    """Only what was given: an absent member and a null are not the same to a PATCH."""
    return request.model_dump(mode="json", by_alias=True, exclude_unset=True)


def built(cls: type[Request], /, **members: Any) -> Request:
    """The body, without the members that are None.

    Raises:
        InvalidRequest: the server would refuse it; the message names the member.
    """
    given = {name: value for name, value in members.items() if value is not None}
    try:
        return cls(**given)
    except ValidationError as exc:
        faults = "; ".join(
            f"`{'.'.join(map(str, error['loc'])) or cls.__name__}`: {error['msg']}"
            for error in exc.errors()
        )
        raise InvalidRequest(faults) from exc


def reads(cls: type[Response]) -> Callable[[Any], Response]:
    """A parser for one model. What is not that model is the server's fault, not the caller's."""

    def parse(document: Any) -> Response:
        try:
            return cls.model_validate(document)
        except ValidationError as exc:
            raise InternalError(
                f"The server's answer is not a {cls.__name__}: is this a sandbox-agent server?"
            ) from exc

    return parse


def nothing(_document: Any) -> None:
    """The parser of calls that answer without a body."""
