"""The odd JSON of agents: what can be read all the same is read, and written again so that everybody can.

Nothing here is on the hot path: it sees the lines that are not plain JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import RequestId, notification

from sandbox_agent_server.jsonio import dumps

__all__ = [
    "HEAD_BYTES",
    "MAX_DEPTH",
    "Lost",
    "Unreadable",
    "lost_in",
    "members_at_head",
    "read_exactly",
    "read_json",
    "without_noise",
]

# orjson reads 1024 levels but writes only 254, and the standard library gives up in between. What is
# let in must be possible to write again, inside an envelope of ours.
MAX_DEPTH: Final = 200
HEAD_BYTES: Final = 4096
"""So much of a line that cannot be read is looked at, for what was lost with it."""
_MAX_NOISE_BYTES: Final = 64 * 1024
# More digits Python does not turn into a number unless it is told to.
_MAX_DIGITS: Final = 4300

_ESCAPE: Final = rb"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-?]*[ -/]*[@-~]|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-Z\\^-~])"
_BLANK: Final = re.compile(rb"(?:" + _ESCAPE + rb"|\xef\xbb\xbf|[\x00-\x20\x7f])*")
_BLANK_END: Final = re.compile(rb"(?:" + _ESCAPE + rb"|[\x00-\x20\x7f])+\Z")
# After these a terminal writes over what stands on its line: it was not meant to stay.
_OVERWRITES: Final = re.compile(rb"\r|\x1b\[[0-?]*[GHJK]")

_MEMBER: Final = re.compile(
    rb'\s*"(?P<name>[^"\\]*)"\s*:\s*'
    rb'(?P<value>"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null)\s*(?P<more>,?)'
)
_ANSWER: Final = re.compile(rb'\s*"(?:result|error)"\s*:')


class Unreadable(ValueError):
    """Says why."""


def read_json(line: bytes) -> tuple[bytes, Any]:
    """A value, and its bytes: those of the line where they are JSON for everybody, else written again.

    NaN and the infinities are null, bytes that are no UTF-8 are replaced, an integer of more than 4300 digits is
    their text. Lone surrogates, other large numbers and the order of members stay as they are.

    Raises: Unreadable.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        line, value = _read_leniently(line)
    if _may_be_deep(line) and _is_too_deep(value):
        raise Unreadable(f"nested more than {MAX_DEPTH} levels deep")
    return line, value


def _read_leniently(line: bytes) -> tuple[bytes, Any]:
    is_mended = False

    def constant(_name: str) -> None:
        nonlocal is_mended
        is_mended = True

    def integer(digits: str) -> int | str:
        nonlocal is_mended
        if len(digits) <= _MAX_DIGITS:
            return int(digits)
        is_mended = True
        return digits

    def number(text: str) -> float | None:
        value = float(text)
        return value if abs(value) != float("inf") else None

    try:
        text = line.decode()
    except UnicodeDecodeError:
        text, is_mended = line.decode("utf-8", "replace"), True
    hooks: Any = {"parse_constant": constant, "parse_int": integer, "parse_float": number}
    try:
        try:
            value = json.loads(text, **hooks)
        except json.JSONDecodeError:
            # Control characters in a string: what the writer forgot to escape.
            value, is_mended = json.loads(text, strict=False, **hooks), True
    except RecursionError:
        raise Unreadable(f"nested more than {MAX_DEPTH} levels deep") from None
    except ValueError as exc:
        raise Unreadable(f"not JSON: {exc}") from None
    if is_mended and not _is_too_deep(value):
        line = dumps(value)
    return line, value


def read_exactly(line: bytes) -> Any:
    """Of JSON: its value with integers over 64 bit, which orjson reads as floats. Raises: Unreadable."""
    return _read_leniently(line)[1]


def _may_be_deep(line: bytes) -> bool:
    # A level costs two bytes: a shorter line cannot be too deep.
    return len(line) > 2 * MAX_DEPTH and line.count(b"{") + line.count(b"[") > MAX_DEPTH


def _is_too_deep(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def without_noise(line: bytes) -> Iterator[bytes]:
    """What may be meant by a line with terminal noise, best first: each begins with `{` or `[`.

    Escape sequences, a BOM and control characters around JSON go, and so does what a terminal would have
    overwritten (`progress 10 %\\r{…}`). Other text stays: a frame that is quoted in a line of a log is none.
    """
    if (end := _BLANK_END.search(line, max(0, len(line) - HEAD_BYTES))) is not None:
        line = line[: end.start()]
    starts = [0, *(match.end() for match in _OVERWRITES.finditer(line, 0, _MAX_NOISE_BYTES))]
    for start in starts:
        blank = _BLANK.match(line, start)
        begin = blank.end() if blank is not None else start
        if line[begin : begin + 1] in (b"{", b"["):
            yield line[begin:]


@dataclass(frozen=True, slots=True)
class Lost:
    """What a line was, by the members at its beginning."""

    kind: Literal["request", "notification", "answer"]
    id: RequestId | float | None
    method: str | None


def lost_in(line: bytes) -> Lost | None:
    """None for what does not begin as a message does. Looks at the first bytes only."""
    head = line[:HEAD_BYTES]
    found, at = _members(head)
    id, method = found.get("id"), found.get("method")
    id = id if isinstance(id, (str, int, float)) and not isinstance(id, bool) else None
    if isinstance(method, str):
        return Lost("notification" if id is None else "request", id, method)
    if id is not None and (_ANSWER.match(head, at) is not None or at >= len(head.rstrip())):
        return Lost("answer", id, None)
    return None


def members_at_head(line: bytes) -> dict[str, Any]:
    """The members that are no objects or lists, up to the first that is one. Looks at the first bytes only."""
    return _members(line[:HEAD_BYTES])[0]


def _members(head: bytes) -> tuple[dict[str, Any], int]:
    """And where the next one begins."""
    found: dict[str, Any] = {}
    begin = head.find(b"{")
    if begin < 0 or head[:begin].strip():
        return found, 0
    at = begin + 1
    while (member := _MEMBER.match(head, at)) is not None:
        found[member["name"].decode("utf-8", "replace")] = _value(member["value"])
        at = member.end()
        if not member["more"]:
            break
    return found, at


def ended_tool_in(line: bytes) -> Frame | None:
    """The end of a tool call, when the beginning of a line that cannot be read tells it: the rest was its output."""
    head = line[:HEAD_BYTES]
    found = {
        name: _value(match[1]) for name, match in _members_of_update(head) if match is not None
    }
    is_end = found.get("status") in ("completed", "failed")
    if (
        found.get("sessionUpdate") != acp.TOOL_CALL_UPDATE
        or not is_end
        or "toolCallId" not in found
    ):
        return None
    params = {"sessionId": found.pop("sessionId", None), "update": found}
    return notification(acp.SESSION_UPDATE, params)


def _members_of_update(head: bytes) -> Iterator[tuple[str, re.Match[bytes] | None]]:
    for name in ("sessionId", "sessionUpdate", "toolCallId", "status"):
        yield name, re.search(b'"%b"\\s*:\\s*("(?:[^"\\\\]|\\\\.)*")' % name.encode(), head)


def _value(token: bytes) -> Any:
    try:
        return json.loads(token.decode("utf-8", "replace"), strict=False)
    except ValueError:
        return None
