"""Tool calls. Where agents disagree (exit codes, terminal output, tool names) they are made alike here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.diffs import told_diff
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.lenient import as_dict, as_int, as_str, compact, dicts_with
from sandbox_agent_core.projection.messages import parent_of
from sandbox_agent_core.projection.outputs import command_output, exit_code
from sandbox_agent_core.projection.parts import Wire, event, is_block
from sandbox_agent_core.tool_calls import kind_of, name_of

__all__ = ["closed_tool_call", "is_diff", "tool_call", "tool_fields", "tool_update"]

_FINAL = frozenset({"completed", "failed"})
_COMMAND = "execute"
_OUTPUT = ("terminal_output", "terminal_output_delta")


def tool_call(entry: LogEntry, update: Wire) -> Wire | None:
    return _tool(entry, update, "tool.started")


def tool_update(entry: LogEntry, update: Wire) -> Wire | None:
    return _tool(entry, update, "tool.updated")


def _tool(entry: LogEntry, update: Wire, type: str) -> Wire | None:
    annotations = as_dict(entry.annotations) if entry.annotations else {}
    data = tool_fields(_filled(update, annotations), entry.item_id)
    if data is None:
        return None
    status = as_str(update.get("status"))
    if status in _FINAL:
        type = "tool.completed"
    if status in acp.TOOL_STATUSES:
        is_failed = status == "completed" and data.get("kind") == _COMMAND and data.get("exitCode")
        # Some agents call a command completed that has run, whatever came of it.
        data["status"] = "failed" if is_failed else status
    if annotations.get("late") is True:
        data["late"] = True
    return event(entry, type, data)


def closed_tool_call(
    tool_call_id: str, earlier: Mapping[str, Any], *, is_late: bool = False
) -> Wire:
    """The data of the `tool.completed` with which the server closes a call that its turn left open.

    `earlier` are the fields, as ACP names them, that updates of the call have had so far.
    """
    fields = tool_fields(_filled({"toolCallId": tool_call_id}, {"tool": earlier})) or {}
    closed = {"toolCallId": tool_call_id, **fields, "status": "failed", "reason": "turn_ended"}
    return closed | ({"late": True} if is_late else {})


def tool_fields(update: Wire, item_id: str | None = None) -> Wire | None:
    """`toolCallId` and the fields that the update has; None if it does not say which call it is."""
    call_id = as_str(update.get("toolCallId")) or as_str(item_id)
    if call_id is None:
        return None
    meta = as_dict(update.get("_meta"))
    output = update.get("rawOutput")
    code, kind = exit_code(update, meta, output), kind_of(update)
    return compact(
        toolCallId=call_id,
        title=as_str(update.get("title")),
        kind=kind,
        name=name_of(update),
        input=update.get("rawInput"),
        output=command_output(output, code) if kind == _COMMAND else output,
        **_shown(update),
        terminalOutput=_terminal_output(meta),
        exitCode=code,
        parentToolCallId=parent_of(update),
    )


def _shown(update: Wire) -> Wire:
    shown: Wire = {}
    if isinstance(content := update.get("content"), list):
        shown["content"] = [block for item in content if (block := _block(item)) is not None]
        shown["diffs"] = [told_diff(item) for item in content if is_diff(item)]
    if isinstance(locations := update.get("locations"), list):
        shown["locations"] = [_location(item) for item in dicts_with(locations, "path")]
    return shown


def _filled(update: Wire, annotations: Wire) -> Wire:
    """The update, with what the server remembers of the call for the fields it leaves out."""
    earlier = annotations.get("tool")
    if not isinstance(earlier, Mapping):
        return update
    given = {name: value for name, value in update.items() if value is not None}
    # Terminal output is appended, so what was in an earlier event must not be in this one.
    meta = {
        key: value for key, value in as_dict(earlier.get("_meta")).items() if key not in _OUTPUT
    }
    return {**earlier, **given} | {"_meta": meta | as_dict(given.get("_meta"))}


def _block(item: Any) -> Wire | None:
    """A content block out of ACP's wrapper; terminals and unknown kinds as they are."""
    if not is_block(item) or item["type"] == "diff":
        return None
    if item["type"] != "content":
        return dict(item)
    inner = item.get("content")
    return inner if is_block(inner) else None


def is_diff(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and item.get("type") == "diff"
        and isinstance(item.get("path"), str)
        and isinstance(item.get("newText"), str)
    )


def _location(item: Wire) -> Wire:
    line = as_int(item.get("line"))
    return {"path": item["path"]} if line is None else {"path": item["path"], "line": line}


def _terminal_output(meta: Wire) -> str | None:
    """Agents that run the terminal themselves put its output into `_meta` (a convention of Zed's)."""
    for key in _OUTPUT:
        if (text := as_str(as_dict(meta.get(key)).get("data"))) is not None:
            return text
    return None
