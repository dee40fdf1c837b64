"""What an agent's MCP client says to the server of its session's tools, and the answers. Knows no transport."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from sandbox_agent_core.api.host_tools import HostTool
from sandbox_agent_core.frames.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    error_response,
    response,
)
from sandbox_agent_core.lenient import as_dict, as_str

__all__ = ["PROTOCOL_VERSIONS", "Answerer", "McpTools", "tool_error"]

PROTOCOL_VERSIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Newest first. A client that asks for another is offered the newest."""

Message = dict[str, Any]
Answerer = Callable[[HostTool, dict[str, Any], object], Awaitable[Message]]
"""`(tool, arguments, id of the call)` -> an MCP `CallToolResult`."""


def tool_error(text: str) -> Message:
    """A failure that the model is told, and can do something about."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


class McpTools:
    def __init__(
        self,
        tools: Callable[[], Sequence[HostTool]],
        call: Answerer,
        *,
        cancel: Callable[[object], None],
        version: str,
    ) -> None:
        """`cancel` is told the id of a call that its agent no longer waits for."""
        self._tools = tools
        self._call = call
        self._cancel = cancel
        self._version = version

    async def answer(self, message: Any) -> Message | None:
        """None for what wants no answer."""
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return error_response(None, INVALID_REQUEST, "not a JSON-RPC 2.0 message")
        method, id = message.get("method"), message.get("id")
        params = as_dict(message.get("params"))
        if not isinstance(method, str):
            return None  # an answer, and nothing was asked
        if id is None:
            if method == "notifications/cancelled":
                self._cancel(params.get("requestId"))
            return None
        if not isinstance(id, (str, int)) or isinstance(id, bool):
            return error_response(None, INVALID_REQUEST, "an id is a text or a whole number")
        match method:
            case "initialize":
                return response(id, self._hello(params))
            case "ping":
                return response(id, {})
            case "tools/list":
                return response(id, {"tools": [_described(tool) for tool in self._tools()]})
            case "tools/call":
                return await self._called(id, params)
            case _:
                return error_response(id, METHOD_NOT_FOUND, f"this server has no {method}")

    def _hello(self, params: Mapping[str, Any]) -> Message:
        wanted = params.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in PROTOCOL_VERSIONS else PROTOCOL_VERSIONS[0],
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": {"name": "sandbox-agent", "version": self._version},
        }

    async def _called(self, id: str | int, params: Mapping[str, Any]) -> Message:
        name, given = as_str(params.get("name")), params.get("arguments")
        if isinstance(given, str):
            # Some models write the JSON of an object where the object belongs.
            with contextlib.suppress(ValueError):
                given = json.loads(given)
        tool = next((one for one in self._tools() if one.name == name), None)
        if tool is None:
            return error_response(id, INVALID_PARAMS, f"there is no tool {str(name)[:64]!r}")
        if given is not None and not isinstance(given, dict):
            return error_response(id, INVALID_PARAMS, "`arguments` must be an object")
        return response(id, await self._call(tool, given or {}, id))


def _described(tool: HostTool) -> Message:
    described: Message = {"name": tool.name, "inputSchema": tool.input_schema}
    if tool.description:
        described["description"] = tool.description
    if tool.read_only:
        described["annotations"] = {"readOnlyHint": True}
    return described
