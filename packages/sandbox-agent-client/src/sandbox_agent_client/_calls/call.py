"""What to send and how to read the answer. Both transports, async and sync, carry it out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from os import PathLike, fspath
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError
from sandbox_agent_core.agent_options import AgentOptions
from sandbox_agent_core.api.base import RequestBody, ResponseBody
from sandbox_agent_core.errors import InternalError, InvalidRequest
from sandbox_agent_core.surrogates import has_halves, mended

from sandbox_agent_client.mcp import acp_servers

__all__ = [
    "Call",
    "Query",
    "body",
    "built",
    "encoded",
    "joined",
    "nothing",
    "path",
    "query",
    "reads",
    "text_of",
]

T = TypeVar("T")
Request = TypeVar("Request", bound=RequestBody)
Response = TypeVar("Response", bound=ResponseBody)

Query = Mapping[str, str | int]

_NO_NAMES = frozenset({"", ".", ".."})
"""As a part of a path they mean another path."""
_EXACT = frozenset({"additional_directories", "cwd", "env", "mcp_servers"})
"""Names of files, programs and values: with another character in it, it is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    method: str
    path: str
    """Relative to the base URL, quoted."""
    parse: Callable[[Any], T]
    """Reads the decoded JSON of a success; `None` when there was no body."""
    query: Mapping[str, str | int | list[str]] = field(default_factory=dict)
    """A list is the same parameter several times."""
    body: Mapping[str, Any] | None = None
    """JSON, of which every text can be encoded."""
    has_deadline: bool = True
    """False for calls that last as long as a turn does."""
    waits_s: float = 0.0
    """How much longer the server may take than for other calls, because it waits for something itself."""
    is_once: bool = False
    """The server carries it out once, however often it is sent with the same `Idempotency-Key`."""


def path(*parts: str) -> str:
    """`/v1/…` with every part quoted, so that an id cannot reach another endpoint.

    Raises:
        InvalidRequest: a part is no name, or cannot be encoded.
    """
    if not _NO_NAMES.isdisjoint(parts):
        raise InvalidRequest(f"{next(part for part in parts if part in _NO_NAMES)!r} is no name.")
    try:
        return "/v1/" + "/".join(quote(part, safe="") for part in parts)
    except UnicodeEncodeError as exc:
        raise InvalidRequest(f"{exc.object!r} is no name: it is not valid Unicode.") from None


def query(**parameters: str | int | bool | None) -> dict[str, str | int]:
    """Leaves out what is None; booleans as JSON writes them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in parameters.items()
        if value is not None
    }


def joined(values: str | Sequence[str] | None) -> str | None:
    """One or several, as a query has them."""
    return values if values is None or isinstance(values, str) else ",".join(values)


def text_of(value: Any) -> str:
    """A value of a JSON document as a query has it: a text as it is, anything else as JSON.

    Raises:
        InvalidRequest: it is no JSON.
    """
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidRequest(f"{value!r} cannot be looked for: {exc}") from exc


def body(request: RequestBody) -> dict[str, Any]:
    """Only what was given: an absent member and a null are not the same to a PATCH.

    Raises:
        InvalidRequest: something in it is no JSON.
    """
    try:
        return request.model_dump(mode="json", by_alias=True, exclude_unset=True)
    except (PydanticSerializationError, UnicodeError, RecursionError) as exc:
        raise InvalidRequest(f"The request cannot be written as JSON: {exc}") from exc


def encoded(document: Mapping[str, Any]) -> bytes:
    """The JSON that is sent.

    Raises:
        InvalidRequest: a number in it is not finite, or it is nested too deeply.
    """
    try:
        return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest(f"The request cannot be written as JSON: {exc}") from exc


def built(cls: type[Request], /, **members: Any) -> Request:
    """The body, without the members that are None. What is text in it can be encoded, whatever was given.

    Raises:
        InvalidRequest: the server would refuse it; the message names the member.
    """
    try:
        if members.get("mcp_servers") is not None:
            members["mcp_servers"] = acp_servers(members["mcp_servers"])
        given = {name: _as_json(value) for name, value in members.items() if value is not None}
    except RecursionError as exc:
        raise InvalidRequest("The request is nested too deeply, or in itself.") from exc
    for name in _EXACT & given.keys():
        if has_halves(given[name]):
            raise InvalidRequest(
                f"`{name}`: it holds a name or a value that is not valid UTF-8, which no agent can be told."
            )
    try:
        return cls(**mended(given))
    except ValidationError as exc:
        raise InvalidRequest("; ".join(_fault(cls, error) for error in exc.errors())) from exc


def _fault(cls: type[RequestBody], error: Any) -> str:
    where = ".".join(map(str, error["loc"])) or cls.__name__
    if error["type"] != "extra_forbidden" or len(error["loc"]) > 1:
        return f"`{where}`: {error['msg'].removeprefix('Value error, ')}"
    near = get_close_matches(where, cls.model_fields, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(cls.model_fields)}"
    return f"there is no `{where}`; {hint}"


def _as_json(value: Any) -> Any:
    """Mappings and sequences as JSON has them."""
    if isinstance(value, AgentOptions):
        return value.to_wire()
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Mapping):
        return {name: _as_json(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_as_json(inner) for inner in value]
    return value


def reads(cls: type[Response], *, verbatim: bool = False) -> Callable[[Any], Response]:
    """A parser for one model. What is not that model is the server's fault, not the caller's.

    Every text in it can be encoded, unless it is `verbatim`: then it is as the agent wrote it.
    """

    def parse(document: Any) -> Response:
        try:
            return cls.model_validate(document if verbatim else mended(document))
        except ValidationError as exc:
            raise InternalError(
                f"The server's answer is not a {cls.__name__}: is this a sandbox-agent server?"
            ) from exc

    return parse


def nothing(_document: Any) -> None:
    """The parser of calls that answer without a body."""
