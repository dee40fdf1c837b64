"""Events as the API has written them: parsed and written again a number like `1.0` may be another text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.errors import InternalError

from sandbox_agent_client._calls.call import Call, path, query

__all__ = ["EventTexts", "page_of_texts", "read_texts"]

_LIST: Final = re.compile(r'\s*\{\s*"events"\s*:\s*\[')
_BETWEEN: Final = re.compile(r"[\s,]*")
_SCANNER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class EventTexts:
    texts: list[str]
    next_cursor: int
    has_more: bool


def page_of_texts(session_id: str, after: int, *, limit: int) -> Call[Any]:
    """`read_texts` reads its answer, as it comes."""
    return Call(
        method="GET",
        path=path("sessions", session_id, "events"),
        query=query(after=after, limit=limit),
        parse=lambda document: document,
    )


def read_texts(answer: bytes) -> EventTexts:
    """Raises: InternalError."""
    page = answer.decode("utf-8")
    begin = _LIST.match(page)
    try:
        if begin is None:
            raise ValueError("it does not begin with events")
        texts, at = [], _after(page, begin.end())
        while page[at] != "]":
            _, end = _SCANNER.raw_decode(page, at)
            texts.append(page[at:end])
            at = _after(page, end)
        whole = json.loads(page)
        return EventTexts(texts, int(whole["nextCursor"]), bool(whole["hasMore"]))
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as exc:
        raise InternalError(f"The server's answer is no page of events: {exc}") from exc


def _after(page: str, at: int) -> int:
    found = _BETWEEN.match(page, at)
    return found.end() if found else at
