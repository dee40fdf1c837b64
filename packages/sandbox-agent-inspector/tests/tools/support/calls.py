"""Updates of tool calls, in few words."""

from __future__ import annotations

from typing import Any

__all__ = ["command", "edit", "read", "whole"]

Update = dict[str, Any]


def whole(id: str, kind: str, title: str, **more: Any) -> Update:
    """A call that is told when it is over."""
    fields = {"toolCallId": id, "kind": kind, "title": title, "status": "completed"}
    return {"sessionUpdate": "tool_call", **fields, **more}


def read(id: str, path: str, text: str = "1\tone\n", **more: Any) -> Update:
    content = [{"type": "content", "content": {"type": "text", "text": text}}]
    places = [{"path": path}]
    return whole(id, "read", f"Read {path}", locations=places, content=content, **more)


def edit(id: str, path: str, old: str | None, new: str, **more: Any) -> Update:
    diff = {"type": "diff", "path": path, "oldText": old, "newText": new}
    told = {**diff, "_meta": {"sandbox_agent": {"isWholeFile": True}}}
    return whole(id, "edit", f"Edit {path}", content=[told], locations=[{"path": path}], **more)


def command(id: str, line: str, output: str, exit_code: int = 0, **more: Any) -> Update:
    status = "completed" if exit_code == 0 else "failed"
    given = {"command": line}
    raw = {"stdout": output, "exitCode": exit_code}
    return whole(id, "execute", line, rawInput=given, rawOutput=raw) | {"status": status} | more
