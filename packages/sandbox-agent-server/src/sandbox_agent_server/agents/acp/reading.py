"""Lines of an agent to frames. What is not a protocol message becomes an `unparsed` fact, never nothing.

This is the hot path: one parse per line, the agent's bytes are kept as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
from sandbox_agent_core.frames import Frame, FrameKind, acp, extensions
from sandbox_agent_core.frames.jsonrpc import (
    PARSE_ERROR,
    error_response,
    kind_of,
    notification,
)
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.mending import (
    MAX_DEPTH,
    Lost,
    Unreadable,
    ended_tool_in,
    lost_in,
    read_exactly,
    read_json,
    without_noise,
)
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.runtime.lines import OversizeLine

__all__ = ["FORGED_PREFIX", "looks_shallow", "read_line", "read_lines", "unparsed", "wire"]

# A level costs two bytes: a shorter line cannot be too deep.
_SHALLOW_BYTES: Final = 2 * MAX_DEPTH
FORGED_PREFIX: Final = "_agent/"
"""Before the method of an agent that speaks as if it were the server."""
_MAX_UNPARSED_CHARS: Final = 64 * 1024


def read_lines(lines: list[bytes]) -> list[WireFrame]:
    """The frames of the lines, in order. Never raises.

    Behind the fact that a line was lost stands what it is taken for: an answer is an error, and the end of
    a tool call is one without its output.
    """
    frames: list[WireFrame] = []
    append = frames.append
    loads = orjson.loads
    new_frame = tuple.__new__
    for line in lines:
        # What is nearly every line takes few looks; anything odd goes the careful way.
        try:
            if len(line) <= _SHALLOW_BYTES or _has_few_levels(line):
                frame = loads(line)
                if (
                    type(frame) is dict
                    and type(method := frame.get("method")) is str
                    and not method.startswith("_")
                    and b"\r" not in line
                    and ("id" not in frame or type(frame["id"]) is not float)
                ):
                    append(new_frame(WireFrame, (line, frame)))
                    continue
        except ValueError:
            pass
        frames += _read_carefully(line)
    return frames


def read_line(line: bytes) -> list[tuple[bytes, Any]]:
    """The JSON values of a line, mostly one, each with bytes that are one line of JSON for everybody.

    Raises: Unreadable.
    """
    try:
        return [_value(line)]
    except Unreadable as exc:
        refusal = exc
    for candidate in without_noise(line):
        try:
            return [_value(candidate)]
        except Unreadable:
            parts = [part for piece in candidate.split(b"\r") for part in without_noise(piece)]
        if len(parts) > 1:
            try:
                return [_value(part) for part in parts]
            except Unreadable:
                continue
    raise refusal


def unparsed(line: bytes, reason: str, lost: Lost | None = None) -> WireFrame:
    """The fact that the agent wrote `line`, which is no message."""
    if isinstance(line, OversizeLine):
        reason = f"{reason}; cut here, the line has {line.size_bytes} bytes"
        line = line.head
    text = line[: 4 * _MAX_UNPARSED_CHARS].decode("utf-8", "backslashreplace")
    if len(text) > _MAX_UNPARSED_CHARS:
        reason = f"{reason}; cut here, the line has {len(line)} bytes"
        text = text[:_MAX_UNPARSED_CHARS]
    params: dict[str, Any] = {"text": text, "reason": reason}
    if lost is not None and lost.kind != "answer":
        params |= compact(method=lost.method, rpcId=lost.id)
    return wire(notification(extensions.AGENT_UNPARSED, params))


def wire(frame: Frame) -> WireFrame:
    """A frame of our own making."""
    return WireFrame(dumps(frame), frame)


def looks_shallow(line: bytes) -> bool:
    """False when a line may be nested too deep, so that it has to be read carefully."""
    return len(line) <= _SHALLOW_BYTES or _has_few_levels(line)


def _has_few_levels(line: bytes) -> bool:
    return line.count(b"{") + line.count(b"[") <= MAX_DEPTH


def _read_carefully(line: bytes) -> Iterator[WireFrame]:
    if isinstance(line, OversizeLine):
        yield from _lost(line, lost_in(line.head), "the line is too long")
        return
    if not line.strip():
        return
    try:
        values = read_line(line)
    except Unreadable as exc:
        meant = next(without_noise(line), line)
        yield from _lost(line, lost_in(meant), str(exc))
        return
    for raw, value in values:
        # A batch, which JSON-RPC knows: its members are answered one by one.
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for item in value:
                yield from _frames(dumps(item), item)
        else:
            yield from _frames(raw, value)


def _frames(raw: bytes, value: Any) -> Iterator[WireFrame]:
    if not isinstance(value, dict):
        yield unparsed(raw, "not a JSON object")
        return
    if isinstance(value.get("id"), float):
        value = read_exactly(raw)
    if (tidied := _tidied(value)) is not value:
        raw, value = dumps(tidied), tidied
    if kind_of(value) is FrameKind.INVALID:
        id = value.get("id")
        lost = Lost("request", id, repr(value["method"])) if "method" in value else None
        yield from _lost(raw, lost, "neither a request, a notification nor a response")
        return
    method = value.get("method")
    if isinstance(method, str) and method.startswith(extensions.PREFIX):
        # Words of the server: who reads the log must be able to believe them.
        yield wire({**value, "method": FORGED_PREFIX + method})
        return
    yield WireFrame(raw, value)


def _tidied(frame: Frame) -> Frame:
    """In the words of JSON-RPC 2.0 what other versions, and JavaScript without a result, say in theirs."""
    if isinstance(frame.get("method"), str):
        return frame
    is_answer = frame.get("id") is not None and frame.get("method") is None
    if not is_answer:
        return frame
    tidied = {name: value for name, value in frame.items() if name != "method"}
    if tidied.get("error", ...) is None and "result" in tidied:
        del tidied["error"]
    if "error" not in tidied and "result" not in tidied:
        tidied["result"] = None
    return frame if tidied == frame else tidied


def _lost(line: bytes, lost: Lost | None, reason: str) -> Iterator[WireFrame]:
    yield unparsed(line, reason, lost)
    if lost is not None and lost.method == acp.SESSION_UPDATE:
        head = line.head if isinstance(line, OversizeLine) else line
        if (ended := ended_tool_in(head)) is not None:
            yield wire(ended)
    if lost is not None and lost.kind == "answer" and lost.id is not None:
        text = f"the agent's answer could not be read: {reason}"
        yield wire(error_response(lost.id, PARSE_ERROR, text))


def _value(line: bytes) -> tuple[bytes, Any]:
    raw, value = read_json(line)
    # In valid JSON a bare CR is only ever white space; in an event stream it would end the line.
    return raw.replace(b"\r", b" ").strip(), value
