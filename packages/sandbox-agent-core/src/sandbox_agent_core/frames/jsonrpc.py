"""JSON-RPC 2.0 frames without I/O: what a frame is, and how to build one.

Ids are kept verbatim: `"7"` is not `7`, and `0` is an id (Codex and Claude's ACP adapter both
number their requests from 0), so every test is `is None`, never truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = [
    "AUTH_REQUIRED",
    "CANCELLED",
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "METHOD_NOT_FOUND",
    "PARSE_ERROR",
    "RESOURCE_NOT_FOUND",
    "Frame",
    "FrameKind",
    "RequestId",
    "error_response",
    "kind_of",
    "notification",
    "request",
    "request_id",
    "response",
    "same_id",
]

Frame = dict[str, Any]
RequestId = str | int

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
CANCELLED = -32800
RESOURCE_NOT_FOUND = -32002
"""ACP: a file that is not there."""
AUTH_REQUIRED = -32000
"""ACP: the agent has no credentials (`authenticate` first, or give it a key)."""


class FrameKind(StrEnum):
    REQUEST = "request"
    NOTIFICATION = "notification"
    RESPONSE = "response"
    ERROR = "error"
    INVALID = "invalid"


def kind_of(frame: Mapping[str, Any]) -> FrameKind:
    """Classify by presence of members, because the two ends' id spaces overlap.

    A missing `jsonrpc` member is tolerated: Codex never sends one.
    """
    method = frame.get("method")
    has_id = frame.get("id") is not None
    if isinstance(method, str):
        return FrameKind.REQUEST if has_id else FrameKind.NOTIFICATION
    if method is None and "error" in frame:
        return FrameKind.ERROR
    if method is None and has_id and "result" in frame:
        return FrameKind.RESPONSE
    return FrameKind.INVALID


def request_id(value: object) -> RequestId | None:
    """An id as it was given out by us; None for what never is one. In JSON `1.0` is the number 1, `true` is none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else None


def same_id(one: object, other: object) -> bool:
    """Of two ids that somebody else gave out: `1`, `1.0`, `"1"` and `true` are four."""
    return type(one) is type(other) and one == other


def request(id: RequestId, method: str, params: Mapping[str, Any]) -> Frame:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": dict(params)}


def notification(method: str, params: Mapping[str, Any]) -> Frame:
    return {"jsonrpc": "2.0", "method": method, "params": dict(params)}


def response(id: RequestId, result: Any) -> Frame:
    return {"jsonrpc": "2.0", "id": id, "result": result}


def error_response(
    id: RequestId | float | None, code: int, message: str, data: Any = None
) -> Frame:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": id, "error": error}
