"""Tool calls as they come and go: announced once, updated, and remembered while they are open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.codex.diffs import change_diffs, change_locations
from sandbox_agent_server.agents.codex.items import result_fields, tool_fields
from sandbox_agent_server.agents.native.content import text_block, wrapped
from sandbox_agent_server.agents.native.translator import Native, Update

__all__ = ["ToolCalls"]

_MAX_OPEN: Final = 1024
_MAX_OVER: Final = 1024


@dataclass(slots=True)
class _Open:
    thread_id: str
    item: Native
    fields: dict[str, Any]
    is_background: bool = False


class ToolCalls:
    def __init__(self, *, cwd: str) -> None:
        self._cwd = cwd
        self._open: dict[str, _Open] = {}
        self._over: dict[str, None] = {}
        """Closed with the turn that left them open. Codex may end them later, in the next turn: those are no new
        calls."""

    def started(
        self, item: Native, thread_id: str, parent: str | None, *, may_ask: bool = True
    ) -> Update:
        """`may_ask`: whether it may, is perhaps asked first."""
        tool_id = str(item.get("id"))
        fields = _of_parent(tool_fields(item, cwd=self._cwd), parent)
        if not may_ask and fields["status"] == "pending":
            fields["status"] = "in_progress"
        is_known = tool_id in self._open
        if not is_known and len(self._open) >= _MAX_OPEN:
            del self._open[next(iter(self._open))]
        self._open[tool_id] = _Open(thread_id, item, fields)
        return _update(acp.TOOL_CALL_UPDATE if is_known else acp.TOOL_CALL, tool_id, fields)

    def completed(self, item: Native, parent: str | None) -> Update:
        tool_id = str(item.get("id"))
        fields = _of_parent(result_fields(item, cwd=self._cwd), parent)
        is_known = self._open.pop(tool_id, None) is not None or tool_id in self._over
        return _update(acp.TOOL_CALL_UPDATE if is_known else acp.TOOL_CALL, tool_id, fields)

    def printed(self, params: Native) -> Update:
        """`item/commandExecution/outputDelta`. Codex leaves out what came before the first wait."""
        tool_id = str(params.get("itemId"))
        output = {"terminal_id": tool_id, "data": str(params.get("delta") or "")}
        fields = {"_meta": {"terminal_output_delta": output}, **self._beginning(tool_id)}
        return _update(acp.TOOL_CALL_UPDATE, tool_id, fields)

    def progressed(self, params: Native) -> Update:
        """`item/mcpToolCall/progress`."""
        tool_id = str(params.get("itemId"))
        shown = [wrapped(text_block(str(params.get("message") or "")))]
        fields = {"content": shown, **self._beginning(tool_id)}
        return _update(acp.TOOL_CALL_UPDATE, tool_id, fields)

    def allowed(self, tool_id: str) -> list[Update]:
        """A permission for it was given."""
        fields = self._beginning(tool_id)
        return [_update(acp.TOOL_CALL_UPDATE, tool_id, fields)] if fields else []

    def _beginning(self, tool_id: str) -> dict[str, Any]:
        """The status of a call that runs, told once."""
        open = self._open.get(tool_id)
        if open is None or open.fields.get("status") != "pending":
            return {}
        open.fields["status"] = "in_progress"
        return {"status": "in_progress"}

    def patched(self, params: Native) -> Update:
        """`item/fileChange/patchUpdated`."""
        changes = params.get("changes")
        fields = {"content": change_diffs(changes), "locations": change_locations(changes)}
        return _update(acp.TOOL_CALL_UPDATE, str(params.get("itemId")), fields)

    def announced(self, tool_id: str, fields: dict[str, Any]) -> Update:
        """A call that is no item: known only because a permission is asked for it."""
        return _update(acp.TOOL_CALL, tool_id, fields)

    def ended(self, tool_id: str, *, is_done: bool) -> Update:
        """A call whose end Codex does not tell."""
        status = "completed" if is_done else "failed"
        return _update(acp.TOOL_CALL_UPDATE, tool_id, {"status": status})

    def about(self, asked: Native) -> dict[str, Any]:
        """What was told of the call that a request is about, with its `toolCallId`."""
        tool_id = as_text(asked.get("itemId"))
        if tool_id is None:
            tool_id = self._mcp_call(asked)
        told = self._open.get(tool_id)
        return {"toolCallId": tool_id, **(told.fields if told is not None else {})}

    def is_open(self, tool_id: Any) -> bool:
        return tool_id in self._open

    def end_turn(self, thread_id: str, *, is_whole: bool) -> list[str]:
        """The calls that the turn leaves open, unless it came to its end: then a command that still
        runs is meant to, in the background."""
        left = [
            id
            for id, open in self._open.items()
            if open.thread_id == thread_id and not open.is_background
        ]
        for tool_id in left:
            if is_whole and self._open[tool_id].item.get("type") == "commandExecution":
                self._open[tool_id].is_background = True
            else:
                del self._open[tool_id]
                self._over[tool_id] = None
        while len(self._over) > _MAX_OVER:
            del self._over[next(iter(self._over))]
        return [] if is_whole else left

    def thread_of(self, tool_id: str) -> str | None:
        open = self._open.get(tool_id)
        return None if open is None else open.thread_id

    def in_background(self) -> list[tuple[str, str]]:
        """The commands that were left running, and their titles."""
        return [
            (id, str(open.fields.get("title") or ""))
            for id, open in self._open.items()
            if open.is_background
        ]

    def is_background(self, tool_id: Any) -> bool:
        return tool_id in self._open and self._open[tool_id].is_background

    def _mcp_call(self, asked: Native) -> str:
        """The request does not name its call: the last one of that tool."""
        server, tool = asked.get("serverName"), as_dict(asked.get("_meta")).get("tool_name")
        for tool_id, open in reversed(self._open.items()):
            if open.item.get("server") == server and open.item.get("tool") == tool:
                return tool_id
        return f"mcp__{server}__{tool}"


def _of_parent(fields: dict[str, Any], parent: str | None) -> dict[str, Any]:
    if parent is not None:
        fields["_meta"]["parentToolCallId"] = parent
    return fields


def _update(kind: str, tool_id: str, fields: dict[str, Any]) -> Update:
    return {"sessionUpdate": kind, "toolCallId": tool_id, **fields}
