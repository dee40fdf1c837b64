"""What a person would look for in a log: the text of an entry that stores index, its words, and what is shown of it.
The same for every store, whatever its full-text search makes of punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from sandbox_agent_core.content import text_of
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.lenient import as_dict, as_text, dicts_in
from sandbox_agent_core.projection import project_wire
from sandbox_agent_core.surrogates import whole

__all__ = ["SEARCH_TEXT_CHARS", "excerpt", "searchable_text", "words_of"]

SEARCH_TEXT_CHARS: Final = 65_536
"""Of one entry; what is behind is not found. Databases have bounds of their own for it (PostgreSQL: 1 MB)."""

EXCERPT_CHARS: Final = 160
_CHARS_BEFORE: Final = 40
"""Of an excerpt, before the first word that was looked for."""
_WORD: Final = re.compile(r"[^\W_]+")
_PIECES: Final = (acp.USER_MESSAGE_CHUNK, acp.AGENT_MESSAGE_CHUNK, acp.AGENT_THOUGHT_CHUNK)


def searchable_text(entry: LogEntry) -> str | None:
    """Titles, prompts, whole messages, and titles and output of tool calls that have ended; None for all else.

    It can be encoded, and has no NUL.
    """
    if entry.sender == "agent" and _is_piece(entry.payload):
        return None  # nine of ten entries: decided without a projection
    wire = project_wire(entry)
    if wire is None:
        return None
    parts = _parts(wire["type"], as_dict(wire["data"]))
    text = "\n".join(part for part in parts if part)[:SEARCH_TEXT_CHARS].replace("\0", " ")
    return whole(text).strip() or None


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, in one case: `Fix foo_bar.py` is `fix`, `foo`, `bar`, `py`."""
    return [word.lower() for word in _WORD.findall(text)]


def excerpt(text: str, words: Collection[str]) -> str:
    """A line of `text` around the first of these `words_of` a query."""
    found = (place.start() for place in _WORD.finditer(text) if place[0].lower() in words)
    begin = max(0, next(found, 0) - _CHARS_BEFORE)
    if begin and (space := text.find(" ", begin, begin + _CHARS_BEFORE)) >= 0:
        begin = space + 1
    end = begin + EXCERPT_CHARS
    shown = " ".join(text[begin:end].split())
    return f"{'…' if begin else ''}{shown}{'…' if end < len(text) else ''}"


def _is_piece(payload: Mapping[str, Any]) -> bool:
    update = as_dict(as_dict(as_dict(payload).get("params")).get("update"))
    return update.get("sessionUpdate") in _PIECES


def _parts(type: str, data: Mapping[str, Any]) -> Iterator[str | None]:
    match type:
        case "session.created" | "session.updated":
            yield as_text(data.get("title"))
        case "agent.update" if data.get("updateType") == acp.SESSION_INFO_UPDATE:
            yield as_text(as_dict(data.get("update")).get("title"))
        case "turn.started" | "turn.steered" | "message.completed":
            yield as_text(data.get("text"))
        case "tool.completed":
            yield as_text(data.get("title"))
            yield text_of(dicts_in(data.get("content")))
            yield from _texts_of_output(data.get("output"))
            yield as_text(data.get("terminalOutput"))


def _texts_of_output(output: Any) -> Iterator[str | None]:
    yield as_text(output)
    for name in ("stdout", "stderr"):
        yield as_text(as_dict(output).get(name))
