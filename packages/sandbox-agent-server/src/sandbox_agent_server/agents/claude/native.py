"""The lines that Claude Code reads: its stream-json control protocol, seen from the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["control_failure", "control_request", "control_success", "user_message"]


def control_request(request_id: str, subtype: str, **fields: Any) -> Native:
    request = {"subtype": subtype, **fields}
    return {"type": "control_request", "request_id": request_id, "request": request}


def control_success(request_id: str, response: Mapping[str, Any]) -> Native:
    body = {"subtype": "success", "request_id": request_id, "response": dict(response)}
    return {"type": "control_response", "response": body}


def control_failure(request_id: str, error: str) -> Native:
    body = {"subtype": "error", "request_id": request_id, "error": error}
    return {"type": "control_response", "response": body}


def user_message(content: Sequence[Mapping[str, Any]], *, uuid: str) -> Native:
    """A prompt. Its `uuid` comes back on `command_lifecycle` and `result`: that is how a turn that
    a background task started is told from the turn of this prompt."""
    return {
        "type": "user",
        "uuid": uuid,
        "message": {"role": "user", "content": list(content)},
        "parent_tool_use_id": None,
        "session_id": "",
    }
