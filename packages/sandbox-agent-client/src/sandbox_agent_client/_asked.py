"""Reading what a permission is about, without I/O."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from sandbox_agent_core.api.requests import RequestInfo
from sandbox_agent_core.events import ToolCallFields
from sandbox_agent_core.projection.tools import tool_fields

__all__ = ["command_of", "fields_of"]


def fields_of(info: RequestInfo) -> ToolCallFields | None:
    """The tool call as events tell it."""
    fields = tool_fields(info.tool_call or {})
    return None if fields is None else ToolCallFields.model_validate(fields)


def command_of(tool_call: ToolCallFields | None) -> str | None:
    """The command line: agents give it as text or as a list of arguments."""
    if tool_call is None or not isinstance(tool_call.input, Mapping):
        return None
    command = tool_call.input.get("command", tool_call.input.get("cmd"))
    if isinstance(command, str):
        return command
    if isinstance(command, list) and all(isinstance(part, str) for part in command):
        return shlex.join(command)
    return None
