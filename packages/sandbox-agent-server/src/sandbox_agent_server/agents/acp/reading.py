"""Lines of an agent to frames. What is not a protocol message becomes an `unparsed` fact, never nothing.

This is the hot path: one parse per line, the agent's bytes are kept as they are.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson
from sandbox_agent_core.frames import Frame, FrameKind, extensions
from sandbox_agent_core.frames.jsonrpc import kind_of, notification
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.runtime.lines import OversizeLine

__all__ = ["read_lines", "unparsed", "wire"]

# orjson reads 1024 levels but writes only 254, and the standard library gives up in between. What is
# let in must be possible to write again, inside an envelope of ours.
_MAX_DEPTH = 200
# A level costs two bytes: a shorter line cannot be too deep.
_SHALLOW_BYTES = 2 * _MAX_DEPTH
_MAX_UNPARSED_CHARS = 64 * 1024


class _NotAMessage(ValueError):
    """Says why."""


def read_lines(lines: list[bytes]) -> list[WireFrame]:
    """One frame per line that is not blank, in order. Never raises."""
    frames: list[WireFrame] = []
    append = frames.append
    loads = orjson.loads
    new_frame = tuple.__new__
    for line in lines:
        # What is nearly every line takes few looks; anything odd goes the careful way.
        try:
            if len(line) <= _SHALLOW_BYTES or _looks_shallow(line):
                frame = loads(line)
                if type(frame) is dict and type(frame.get("method")) is str and b"\r" not in line:
                    append(new_frame(WireFrame, (line, frame)))
                    continue
        except ValueError:
            pass
        careful = _read_carefully(line)
        if careful is not None:
            append(careful)
    return frames


def unparsed(line: bytes, reason: str) -> WireFrame:
    """The fact that the agent wrote `line`, which is no message."""
    text = line.decode("utf-8", "backslashreplace")
    if len(text) > _MAX_UNPARSED_CHARS:
        reason = f"{reason}; cut here, the line has {len(line)} bytes"
        text = text[:_MAX_UNPARSED_CHARS]
    return wire(notification(extensions.AGENT_UNPARSED, {"text": text, "reason": reason}))


def wire(frame: Frame) -> WireFrame:
    """A frame of our own making."""
    return WireFrame(dumps(frame), frame)


def _looks_shallow(line: bytes) -> bool:
    return line.count(b"{") + line.count(b"[") <= _MAX_DEPTH


def _read_carefully(line: bytes) -> WireFrame | None:
    if isinstance(line, OversizeLine):
        return unparsed(line, f"the line is too long: {line.size_bytes} bytes")
    if not line.strip():
        return None
    try:
        frame = _parse(line)
    except _NotAMessage as exc:
        return unparsed(line, str(exc))
    # In valid JSON a bare CR is only ever white space; in an event stream it would end the line.
    return WireFrame(line.replace(b"\r", b" ").strip(), frame)


def _parse(line: bytes) -> Frame:
    """Raises: _NotAMessage."""
    value = _parse_json(line)
    if not isinstance(value, dict):
        raise _NotAMessage("not a JSON object")
    if not _looks_shallow(line) and _is_too_deep(value):
        raise _NotAMessage(f"nested more than {_MAX_DEPTH} levels deep")
    if kind_of(value) is FrameKind.INVALID:
        raise _NotAMessage("neither a request, a notification nor a response")
    return value


def _parse_json(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    # orjson refuses lone surrogates and huge numbers, which are valid JSON.
    try:
        return json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as exc:
        raise _NotAMessage(f"not UTF-8 at byte {exc.start}") from None
    except _NotAMessage:
        raise
    except ValueError as exc:
        raise _NotAMessage(f"not JSON: {exc}") from None
    except RecursionError:
        raise _NotAMessage(f"nested more than {_MAX_DEPTH} levels deep") from None


def _refuse_constant(name: str) -> NoReturn:
    raise _NotAMessage(f"not JSON: {name}")


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
