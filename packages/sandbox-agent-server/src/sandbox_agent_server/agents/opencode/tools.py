"""OpenCode's tool parts in the words of ACP. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_text, dicts_in

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["PERMISSION_KINDS", "tool_fields", "tool_kind", "tool_result"]

_KINDS: Final = {
    "apply_patch": "edit",
    "bash": "execute",
    "codesearch": "search",
    "edit": "edit",
    "glob": "search",
    "grep": "search",
    "list": "search",
    "ls": "search",
    "multiedit": "edit",
    "patch": "edit",
    "plan_enter": "switch_mode",
    "plan_exit": "switch_mode",
    "read": "read",
    "shell": "execute",
    "skill": "read",
    "task": "think",
    "todoread": "think",
    "todowrite": "think",
    "webfetch": "fetch",
    "websearch": "fetch",
    "write": "edit",
}
PERMISSION_KINDS: Final = {**_KINDS, "external_directory": "read"}
"""What a permission is called when it is about no tool call that we know."""
_PATH_KEYS: Final = ("filePath", "path", "filepath")
_TITLE_KEYS: Final = ("description", "command", "filePath", "pattern", "url", "query", "name")
_STATUSES: Final = {
    "pending": "pending",
    "running": "in_progress",
    "completed": "completed",
    "error": "failed",
}


def tool_kind(tool: str) -> str:
    return _KINDS.get(tool, "other")


def tool_fields(tool: str, state: Native) -> dict[str, Any]:
    """What a call is, as far as its state tells: title, kind, status, input, places and change."""
    given = as_dict(state.get("input"))
    fields: dict[str, Any] = {
        "title": _title(tool, state, given),
        "kind": tool_kind(tool),
        "status": _STATUSES.get(str(state.get("status")), "in_progress"),
    }
    if given:
        fields["rawInput"] = given
    if paths := _paths(given):
        fields["locations"] = [{"path": path} for path in paths]
    if change := _change(tool, given):
        fields["content"] = [change]
    return fields


def tool_result(tool: str, state: Native) -> dict[str, Any]:
    """What came of a call so far, or in the end."""
    given, metadata = as_dict(state.get("input")), as_dict(state.get("metadata"))
    # A command that runs has its output so far in the metadata.
    said = next(
        (
            text
            for text in (state.get("error"), state.get("output"), metadata.get("output"))
            if isinstance(text, str) and text
        ),
        None,
    )
    change = _change(tool, given)
    content = [change] if change is not None else []
    if said is not None:
        content.append(_content({"type": "text", "text": said}))
    content += [
        _content(block) for block in map(_attachment, dicts_in(state.get("attachments"))) if block
    ]
    fields: dict[str, Any] = {"content": content} if content else {}
    output = {key: state[key] for key in ("output", "error") if isinstance(state.get(key), str)}
    if output or metadata:
        fields["rawOutput"] = output | ({"metadata": metadata} if metadata else {})
    return fields


def _title(tool: str, state: Native, given: Mapping[str, Any]) -> str:
    if tool in ("bash", "shell") and (command := as_text(given.get("command"))):
        return command
    if title := as_text(state.get("title")):
        return title
    return next((text for key in _TITLE_KEYS if (text := as_text(given.get(key)))), tool)


def _paths(given: Mapping[str, Any]) -> list[str]:
    return [path for key in _PATH_KEYS if (path := as_text(given.get(key)))]


def _change(tool: str, given: Mapping[str, Any]) -> dict[str, Any] | None:
    path = next(iter(_paths(given)), None)
    if path is None:
        return None
    if tool == "write" and isinstance(given.get("content"), str):
        return {"type": "diff", "path": path, "oldText": None, "newText": given["content"]}
    old, new = given.get("oldString"), given.get("newString")
    if isinstance(old, str) and isinstance(new, str):
        return {"type": "diff", "path": path, "oldText": old, "newText": new}
    return None


def _attachment(part: Native) -> dict[str, Any] | None:
    url, mime = as_text(part.get("url")), as_text(part.get("mime"))
    if url is None or mime is None:
        return None
    head, _, data = url.partition(";base64,")
    if mime.startswith("image/") and head.startswith("data:") and data:
        return {"type": "image", "mimeType": mime, "data": data}
    if url.startswith("data:"):
        return None
    return {"type": "resource_link", "uri": url, "name": as_text(part.get("filename")) or url}


def _content(block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content", "content": block}
