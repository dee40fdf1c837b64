"""Request bodies and query values: bounded, parsed, validated, and refused in a sentence that helps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sandbox_agent_core.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from sandbox_agent_server.jsonio import loads
from sandbox_agent_server.limits import Limits

__all__ = [
    "parse_json",
    "query_bool",
    "query_choice",
    "query_int",
    "query_list",
    "query_seconds",
    "read_body",
    "read_json",
    "read_raw",
    "validate",
    "whole_number",
]

Model = TypeVar("Model", bound=BaseModel)


async def read_body(request: Request, model: type[Model], limits: Limits) -> Model:
    """Read and validate a JSON body; an absent one counts as `{}`.

    Raises:
        UnsupportedMediaType, PayloadTooLarge, InvalidRequest.
    """
    raw = await _read_bounded(request, limits.max_body_bytes)
    if not raw.strip():
        return validate({}, model)
    _check_kind(request)
    return validate(parse_json(raw, limits), model)


async def read_json(request: Request, limits: Limits) -> Any:
    """Whatever JSON it is. Raises as `read_body`."""
    raw = await _read_bounded(request, limits.max_body_bytes)
    _check_kind(request)
    return parse_json(raw, limits)


def _check_kind(request: Request) -> None:
    """Raises: UnsupportedMediaType."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType(
            f"the body must be JSON: send `Content-Type: application/json`, not {kind or 'none'!r}"
        )


async def read_raw(request: Request, limits: Limits) -> bytes:
    """The body as it came. Raises: PayloadTooLarge, InvalidRequest."""
    return await _read_bounded(request, limits.max_body_bytes)


def parse_json(raw: bytes | str, limits: Limits, *, max_depth: int = 0) -> Any:
    """`max_depth`: of a body that may be deeper than `max_json_depth`.

    Raises: InvalidRequest for invalid UTF-8, invalid JSON and nesting beyond `max_json_depth`.
    """
    try:
        # Python's own parser would take UTF-16 too.
        value = loads(raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw)
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"the body is not UTF-8: {exc.reason} at byte {exc.start}") from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest(f"the body is not JSON: {exc}") from exc
    _check_nesting(value, max(max_depth, limits.max_json_depth))
    return value


def validate(value: Any, model: type[Model]) -> Model:
    if not isinstance(value, dict):
        raise InvalidRequest(f"the body must be a JSON object, not {_json_type(value)}")
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        raise InvalidRequest(_explain(exc), errors=_errors(exc)) from exc


def _explain(exc: ValidationError) -> str:
    return "; ".join(f"{error['where']}: {error['message']}" for error in _errors(exc))


def query_int(
    request: HTTPConnection, name: str, *, default: int, minimum: int, maximum: int
) -> int:
    """Raises: InvalidRequest when it is not a whole number in the range."""
    text = request.query_params.get(name)
    if text is None:
        return default
    value = whole_number(text)
    if value is None or not minimum <= value <= maximum:
        raise InvalidRequest(
            f"`{name}` must be a whole number from {minimum} to {maximum}, not {text[:64]!r}"
        )
    return value


def query_seconds(request: HTTPConnection, name: str, *, default: float) -> float:
    """Raises: InvalidRequest when it is no number, or is below 0."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        raise InvalidRequest(f"`{name}` must be a number of seconds, not {text[:64]!r}")
    return float(text)


def query_bool(request: HTTPConnection, name: str, *, default: bool) -> bool:
    """Raises: InvalidRequest when it is something else."""
    query: bytes = request.scope["query_string"]
    if b"%" not in query and name.encode() not in query:
        return default  # most say nothing, and taking a query apart takes long
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.lower() not in ("true", "false", "1", "0"):
        raise InvalidRequest(f"`{name}` must be true or false, not {text[:64]!r}")
    return text.lower() in ("true", "1")


def query_choice(request: HTTPConnection, name: str, choices: tuple[str, ...]) -> str:
    """The first choice is the default."""
    text = request.query_params.get(name, choices[0])
    if text not in choices:
        raise InvalidRequest(f"`{name}` must be one of {', '.join(choices)}, not {text[:64]!r}")
    return text


def query_list(request: HTTPConnection, name: str, choices: Iterable[str] = ()) -> frozenset[str]:
    """Of a parameter that may come several times, or once with commas. Empty when it did not come.

    Raises: InvalidRequest for what is not one of the `choices`, when there are any.
    """
    given = [text.strip() for one in request.query_params.getlist(name) for text in one.split(",")]
    found, known = frozenset(filter(None, given)), frozenset(choices)
    if known and (others := found - known):
        raise InvalidRequest(
            f"`{name}` must be of {', '.join(sorted(known))}, not {min(others)[:64]!r}"
        )
    return found


async def _read_bounded(request: Request, limit: int) -> bytes:
    too_large = PayloadTooLarge(
        f"the body is larger than {limit} bytes", limit="max_body_bytes", value=limit
    )
    if (whole_number(request.headers.get("content-length", "")) or 0) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise too_large
            parts.append(part)
    except ClientDisconnect as exc:
        raise InvalidRequest("the client left before its body was complete") from exc
    return b"".join(parts)


def whole_number(text: str) -> int | None:
    """What digits say, at most 18 of them; None for any other text."""
    # int() also takes "1_0" and Arabic digits.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _check_nesting(value: Any, limit: int) -> None:
    """Raises: InvalidRequest, also for numbers that could not be written as JSON again."""
    level = [value]
    for _ in range(limit + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, float) and not isfinite(item):
                raise InvalidRequest(f"the body is not JSON: there is no number {item}")
        if not below:
            return
        level = below
    raise InvalidRequest(
        f"the body is nested deeper than {limit} levels", limit="max_json_depth", value=limit
    )


def _errors(exc: ValidationError) -> list[dict[str, str]]:
    return [
        {
            "where": ".".join(str(part) for part in error["loc"]) or "body",
            "message": error["msg"].removeprefix("Value error, "),
        }
        for error in exc.errors(include_input=False, include_url=False, include_context=False)
    ]


def _json_type(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
