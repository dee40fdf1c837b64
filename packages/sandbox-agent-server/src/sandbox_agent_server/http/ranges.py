"""Which part of a file a request wants, and whether it wants it at all (RFC 9110, 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from sandbox_agent_core.errors import FileChanged, RangeNotSatisfiable

__all__ = ["Span", "choose", "http_date", "is_etag_in"]

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    status: int
    start: int = 0
    stop: int = 0
    """Bytes from `start` to before `stop`."""


def choose(headers: Mapping[str, str], *, etag: str, modified_s: float, size: int) -> Span:
    """200 with all of it, 206 with a part, or 304. Several ranges are answered with all of it.

    Raises:
        FileChanged: it is not what `If-Match` names. RangeNotSatisfiable.
    """
    match = headers.get("if-match")
    if match is not None and not is_etag_in(match, etag):
        raise FileChanged("it is another file by now than `If-Match` names", etag=etag)
    if _is_known(headers, etag, modified_s):
        return Span(304)
    found = _RANGE.fullmatch(headers.get("range", "").strip())
    if found is None or not _may_be_part(headers.get("if-range"), etag, modified_s):
        return Span(200, 0, size)
    return _part(found[1], found[2], size)


def _part(first: str, last: str, size: int) -> Span:
    whole = Span(200, 0, size)
    if first:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return whole  # no range at all
    elif last:
        start, stop = max(size - int(last), 0), size
    else:
        return whole
    if start >= stop:
        raise RangeNotSatisfiable(f"the file has {size} bytes", size=size)
    return Span(206, start, stop)


def is_etag_in(text: str, etag: str) -> bool:
    """Whether a list of etags has this one. A weak one never matches what has to be the same."""
    return text.strip() == "*" or etag in (one.strip() for one in text.split(","))


def _is_known(headers: Mapping[str, str], etag: str, modified_s: float) -> bool:
    none_match = headers.get("if-none-match")
    if none_match is not None:
        return is_etag_in(none_match.replace("W/", ""), etag)
    since = _seconds(headers.get("if-modified-since"))
    return since is not None and int(modified_s) <= since


def _may_be_part(if_range: str | None, etag: str, modified_s: float) -> bool:
    if if_range is None or if_range.strip() == etag:
        return True
    # A date has to be the very one: a second is long enough for two writes.
    return if_range.strip() == http_date(modified_s)


def http_date(time_s: float) -> str:
    """As HTTP has it, of seconds since 1970."""
    return _http_date(int(time_s))


@lru_cache(maxsize=1024)
def _http_date(time_s: int) -> str:
    return formatdate(time_s, usegmt=True)


def _seconds(date: str | None) -> float | None:
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
