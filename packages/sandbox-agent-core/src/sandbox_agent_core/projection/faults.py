"""What an agent's error says: its cause, wherever the agent put it, and which of our codes that is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from sandbox_agent_core.frames import jsonrpc
from sandbox_agent_core.lenient import as_dict, as_int, as_str, as_text, compact

__all__ = ["FAULT_CODE", "fault_of", "says_nothing"]

FAULT_CODE: Final = "faultCode"
"""A member of an error's `data`: which of our codes it is, from an adapter that knows."""

_CODES: Final = {jsonrpc.AUTH_REQUIRED: "agent_auth_required", jsonrpc.CANCELLED: "cancelled"}
_BY_STATUS: Final = {
    401: "agent_auth_required",
    402: "quota_exceeded",
    429: "agent_rate_limited",
    529: "agent_overloaded",
}
_MAX_CAUSE_CHARS: Final = 2000
_MAX_LEVELS: Final = 6

# Where SDKs put what went wrong, what is meant for people first.
_CAUSES: Final = (
    "details", "detail", "message", "error", "cause", "reason", "description", "errorMessage",
    "error_description", "apiErrorType", "stderr", "body", "data", "errors",
)  # fmt: skip
_STATUSES: Final = (
    "status", "statusCode", "status_code", "httpStatus", "httpStatusCode", "apiErrorStatus", "code",
)  # fmt: skip
_SAYS_NOTHING: Final = re.compile(
    r"\W*(?:(?:an? )?(?:internal|unknown|unexpected|server|json-?rpc|request|agent)?[ _]*(?:server )?"
    r"(?:error|failure)(?: has)?(?: occurr?ed)?|(?:request )?failed|something went wrong|null|none|undefined"
    r"|object object)?\W*",
    re.IGNORECASE,
)
_AUTH: Final = re.compile(
    r"authentication[_ ](?:error|failed|required)|\bunauthorized\b|\bunauthenticated\b"
    r"|(?:invalid|incorrect|missing|no|expired)[_ ](?:x-)?api[_ -]?key|api key (?:not valid|is (?:invalid|missing))"
    r"|\bnot (?:logged|signed) in\b|(?:please|must|need to) (?:run )?/?(?:log|sign)[ -]?in\b"
    r"|\blogin (?:is )?required\b|\b(?:token|login|credentials) (?:has |have |is |are )?(?:expired|invalid)"
    r"|(?:api error|http|status(?: code)?|code|error)\W{0,3}401\b|^\W*401\b",
    re.IGNORECASE,
)
_CONTEXT: Final = re.compile(
    r"context[_ ]?(?:length|window)[_ ]?exceed|maximum context length|exceeds? the (?:\w+ )?context (?:window|limit|length)"
    r"|(?:prompt|input|conversation) is too long|exceeds the maximum number of tokens|\bout of room in the model's context window",
    re.IGNORECASE,
)
_QUOTA: Final = re.compile(
    r"insufficient[_ ]quota|exceeded your current quota|(?:usage|quota|spending)[_ ](?:limit|exceeded)"
    r"|credit balance is too low|\bout of credits\b|hit your (?:\w+ )?(?:usage|spend(?:ing)?) limit",
    re.IGNORECASE,
)
_OVERLOADED: Final = re.compile(
    r"\boverloaded(?:_error)?\b|(?:api error|http|status(?: code)?|code|error)\W{0,3}529\b|^\W*529\b",
    re.IGNORECASE,
)
_RATE: Final = re.compile(
    r"rate[_ -]?limit|too many requests|resource[_ ]exhausted"
    r"|(?:api error|http|status(?: code)?|code|error)\W{0,3}429\b|^\W*429\b",
    re.IGNORECASE,
)

# A quota that is used up has the status of a rate limit, so these come before the status.
_BEFORE_STATUS: Final = (("context_overflow", _CONTEXT), ("quota_exceeded", _QUOTA))
_AFTER_STATUS: Final = (
    ("agent_auth_required", _AUTH),
    ("agent_overloaded", _OVERLOADED),
    ("agent_rate_limited", _RATE),
)
_OURS: Final = frozenset(
    {*_BY_STATUS.values(), *(code for code, _ in (*_BEFORE_STATUS, *_AFTER_STATUS))}
)


def fault_of(error: Any, last_words: str | None = None) -> dict[str, Any]:
    """`{code, message, rpcCode?, data?}` of a JSON-RPC error, of one of ours, or of whatever stands in its place.

    A message that says nothing gets its cause from `data`; where that has none, from the `last_words` of the process.
    """
    members = as_dict(error)
    rpc_code, data = as_int(members.get("code")), members.get("data")
    message = said = _said(error)
    if (inner := _as_json(said)) is not None:
        message = next(_causes(inner, skip=""), said)
    elif _SAYS_NOTHING.fullmatch(said[:_MAX_CAUSE_CHARS]):
        cause = next(_causes(members, skip=said), None) or last_words
        if cause:
            message = ": ".join(filter(None, (said.rstrip(". "), cause.strip())))
    code = as_str(members.get("code")) or _CODES.get(rpc_code or 0) or _code(members, message)
    message = message[: len(said) + _MAX_CAUSE_CHARS] or "The agent did not say what went wrong."
    return {"code": code, "message": message} | compact(rpcCode=rpc_code, data=data)


def says_nothing(error: Any) -> bool:
    """Neither its message nor what rides with it tells a cause."""
    said = _said(error)
    is_empty = _SAYS_NOTHING.fullmatch(said[:_MAX_CAUSE_CHARS]) is not None
    return is_empty and next(_causes(as_dict(error), skip=said), None) is None


def _said(error: Any) -> str:
    return as_text(as_dict(error).get("message")) or (error if isinstance(error, str) else "")


def _code(members: dict[str, Any], message: str) -> str:
    told = as_str(as_dict(members.get("data")).get(FAULT_CODE))
    if told in _OURS:
        return told
    texts = [text[:_MAX_CAUSE_CHARS] for text in (message, *_causes(members, skip=""))]
    return (
        _by_text(texts, _BEFORE_STATUS)
        or next((_BY_STATUS[it] for it in _statuses(members) if it in _BY_STATUS), None)
        or _by_text(texts, _AFTER_STATUS)
        or "agent_error"
    )


def _by_text(texts: list[str], patterns: Iterable[tuple[str, re.Pattern[str]]]) -> str | None:
    return next(
        (code for code, pattern in patterns if any(pattern.search(text) for text in texts)), None
    )


def _causes(value: Any, *, skip: str, level: int = 0) -> Iterator[str]:
    """The texts inside, the likeliest cause first; without those that say nothing."""
    if level > _MAX_LEVELS:
        return
    if isinstance(value, str):
        inner = _as_json(value)
        if inner is not None:
            yield from _causes(inner, skip=skip, level=level + 1)
        elif value != skip and not _SAYS_NOTHING.fullmatch(value[:_MAX_CAUSE_CHARS]):
            yield value[:_MAX_CAUSE_CHARS]
    elif isinstance(value, dict):
        for name in _CAUSES:
            yield from _causes(value.get(name), skip=skip, level=level + 1)
        if (kind := as_text(value.get("type"))) is not None and kind != "error":
            yield kind
    elif isinstance(value, list):
        for item in value[:10]:
            yield from _causes(item, skip=skip, level=level + 1)


def _statuses(value: Any, level: int = 0) -> Iterator[int]:
    if level > _MAX_LEVELS:
        return
    if isinstance(value, str):
        value = _as_json(value)
    if isinstance(value, list):
        value = {"errors": value[0] if value else None}
    for name in _STATUSES:
        status = as_dict(value).get(name)
        if isinstance(status, str) and len(status) == 3 and status.isdecimal():
            status = int(status)
        if (number := as_int(status)) is not None:
            yield number
    for name in _CAUSES:
        if isinstance(inner := as_dict(value).get(name), str | dict | list):
            yield from _statuses(inner, level + 1)


def _as_json(text: str) -> Any:
    """An object or a list that was put into text; None for other text."""
    if len(text) > 64 * 1024 or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
