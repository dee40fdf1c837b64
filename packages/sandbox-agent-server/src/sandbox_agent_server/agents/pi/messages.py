"""Messages of the model and its tool calls as ACP updates; remembers what was streamed already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_dict, as_list

from sandbox_agent_server.agents.native.content import text_of
from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.pi.content import acp_blocks
from sandbox_agent_server.agents.pi.gate import Permission
from sandbox_agent_server.agents.pi.tools import (
    Overwritten,
    appended,
    call_fields,
    result_fields,
)

__all__ = ["Messages", "Update"]

Update = dict[str, Any]

_MAX_OPEN_TOOLS: Final = 1024
_CHUNKS: Final = {"text": acp.AGENT_MESSAGE_CHUNK, "thinking": acp.AGENT_THOUGHT_CHUNK}


@dataclass(slots=True)
class _OpenTool:
    name: str
    input: Any
    printed: str = ""
    overwritten: Overwritten = field(default_factory=Overwritten)


@dataclass(slots=True)
class _Streamed:
    """The message that is being streamed, and how many characters of each of its blocks were told."""

    id: str
    told: dict[int, int] = field(default_factory=dict)


class Messages:
    def __init__(self, *, cwd: str, new_id: Callable[[], str]) -> None:
        self._cwd = cwd
        self._new_id = new_id
        self._streamed: _Streamed | None = None
        self._tools: dict[str, _OpenTool] = {}

    def start(self, message: Native) -> None:
        if message.get("role") == "assistant":
            self._streamed = _Streamed(self._new_id())

    def stream(self, event: Native) -> list[Update] | None:
        """An `assistantMessageEvent`. None: it tells nothing that does not come again."""
        kind, _, step = str(event.get("type")).partition("_")
        if kind in _CHUNKS and step == "delta" and isinstance(event.get("delta"), str):
            return self._chunk(kind, event.get("contentIndex"), event["delta"])
        match event:
            case {"type": "toolcall_end", "toolCall": dict(call)}:
                return self.announce(
                    str(call.get("id")), str(call.get("name")), call.get("arguments")
                )
        return None

    def end(self, message: Native) -> list[Update]:
        """A whole message of the model: the part of it that was not streamed."""
        updates: list[Update] = []
        content = message.get("content")
        streamed = self._streamed or _Streamed(self._new_id())
        self._streamed = streamed
        for index, block in enumerate(as_list(content)):
            kind = str(as_dict(block).get("type", ""))
            if kind in _CHUNKS and isinstance(block.get(kind), str):
                updates += self._chunk(kind, index, block[kind][streamed.told.get(index, 0) :])
            elif kind == "toolCall":
                updates += self.announce(
                    str(block.get("id")), str(block.get("name")), block.get("arguments")
                )
        self._streamed = None
        return updates

    def user(self, message: Native) -> list[Update]:
        """A text that is not from the prompt: an extension put it in."""
        id = self._new_id()
        return [
            {"sessionUpdate": acp.USER_MESSAGE_CHUNK, "content": block, "messageId": id}
            for block in acp_blocks(message.get("content"))
        ]

    def announce(self, tool_id: str, name: str, tool_input: Any) -> list[Update]:
        """The first update of a call; none when it was told already."""
        if tool_id in self._tools:
            return []
        if len(self._tools) >= _MAX_OPEN_TOOLS:
            del self._tools[next(iter(self._tools))]
        self._tools[tool_id] = _OpenTool(name, tool_input)
        return [
            {
                "sessionUpdate": acp.TOOL_CALL,
                "toolCallId": tool_id,
                "name": name,
                "status": "pending",
                **call_fields(name, tool_input, cwd=self._cwd),
            }
        ]

    def asked(self, permission: Permission) -> None:
        """Somebody is asked whether it may run."""
        if (tool := self._tools.get(permission.tool_call_id)) is not None:
            tool.overwritten = permission.overwritten

    def running(self, permission: Permission) -> Update:
        tool_id, name, given = permission.tool_call_id, permission.tool_name, permission.input
        fields: dict[str, Any] = {"status": "in_progress"}
        if permission.is_changed:
            fields |= call_fields(name, given, cwd=self._cwd, overwritten=permission.overwritten)
            if (tool := self._tools.get(tool_id)) is not None:
                tool.input = given
        return _tool_update(tool_id, fields)

    def progress(self, event: Native) -> list[Update]:
        """`tool_execution_update`: what the tool has said so far, all of it."""
        tool_id = str(event.get("toolCallId"))
        tool = self._tools.get(tool_id)
        partial = event.get("partialResult")
        blocks = acp_blocks(as_dict(partial).get("content"))
        if tool is None or not blocks:
            return []
        if tool.name != "bash":
            content = [{"type": "content", "content": block} for block in blocks]
            return [_tool_update(tool_id, {"content": content})]
        # Only what is new: a command that runs for an hour repeats 50 kB ten times a second.
        text = text_of(blocks)
        new, tool.printed = appended(tool.printed, text), text
        if not new:
            return []
        return [_tool_update(tool_id, {"_meta": {"terminal_output_delta": {"data": new}}})]

    def tool_ended(self, event: Native) -> list[Update]:
        return self.result(
            str(event.get("toolCallId")),
            str(event.get("toolName")),
            event.get("result"),
            is_error=event.get("isError") is True,
        )

    def result(self, tool_id: str, name: str, result: Any, *, is_error: bool) -> list[Update]:
        tool = self._tools.pop(tool_id, None) or _OpenTool(name, None)
        fields = result_fields(
            tool.name,
            tool.input,
            result,
            is_error=is_error,
            cwd=self._cwd,
            overwritten=tool.overwritten,
        )
        return [_tool_update(tool_id, fields)]

    def _chunk(self, kind: str, index: Any, text: str) -> list[Update]:
        if not text:
            return []
        streamed = self._streamed = self._streamed or _Streamed(self._new_id())
        if isinstance(index, int):
            streamed.told[index] = streamed.told.get(index, 0) + len(text)
        content = {"type": "text", "text": text}
        return [{"sessionUpdate": _CHUNKS[kind], "content": content, "messageId": streamed.id}]


def _tool_update(tool_id: str, fields: Mapping[str, Any]) -> Update:
    return {"sessionUpdate": acp.TOOL_CALL_UPDATE, "toolCallId": tool_id, **fields}
