"""OpenCode's tool parts in the words of ACP. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_int, as_str, as_text, compact, dicts_in
from sandbox_agent_core.patches import patched_paths

from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.opencode.changes import changed_paths, changes

__all__ = ["PERMISSION_KINDS", "started", "tool_fields", "tool_kind", "tool_result"]

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
_MAY_ASK: Final = frozenset({"edit", "execute", "fetch"})
_SHELLS: Final = frozenset({"bash", "shell"})
_SILENT: Final = "(no output)"
"""What the model is told of a command that printed nothing."""
_OF_SHELLS: Final = frozenset({"description", "exit", "output"})
_TITLE_KEYS: Final = ("description", "command", "pattern", "url", "query", "name")
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
    given, metadata = as_dict(state.get("input")), as_dict(state.get("metadata"))
    fields: dict[str, Any] = {
        "title": _title(tool, state, given, metadata),
        "kind": tool_kind(tool),
        "status": _status(tool, state, metadata),
    }
    if given:
        fields["rawInput"] = given
    if paths := changed_paths(given, metadata):
        fields["locations"] = [{"path": path} for path in paths]
    if content := changes(tool, given, metadata):
        fields["content"] = content
    return fields


def started(tool: str, fields: dict[str, Any]) -> dict[str, Any]:
    """As a call is told first: OpenCode says that it runs before it asks whether it may."""
    is_over = fields["status"] not in ("pending", "in_progress")
    if is_over or tool_kind(tool) in _MAY_ASK:
        return {**fields, "status": "pending"}
    return fields


def tool_result(tool: str, state: Native, patch: Native) -> dict[str, Any]:
    """What came of a call so far, or in the end. `patch`: what its permission told of the change."""
    given, metadata = as_dict(state.get("input")), as_dict(state.get("metadata"))
    # A command that runs has its output so far in the metadata.
    told = (state.get("error"), state.get("output"), metadata.get("output"))
    said = next((text for text in told if isinstance(text, str) and text), None)
    if tool in _SHELLS and said == _SILENT:
        said = None
    content = changes(tool, given, patch | metadata)
    if said is not None:
        content.append(_content({"type": "text", "text": said}))
    content += [
        _content(block) for block in map(_attachment, dicts_in(state.get("attachments"))) if block
    ]
    fields: dict[str, Any] = {"content": content} if content else {}
    if output := _output(tool, state, metadata, said):
        fields["rawOutput"] = output
    return fields


def _output(tool: str, state: Native, metadata: Native, said: str | None) -> dict[str, Any]:
    """Of a command in the one shape that all agents' commands have; both its streams come merged."""
    if tool not in _SHELLS:
        told = {key: state[key] for key in ("output", "error") if isinstance(state.get(key), str)}
        return told | ({"metadata": metadata} if metadata else {})
    if error := as_str(state.get("error")):
        return {"error": error, "stdout": as_str(metadata.get("output")) or ""}
    if "output" not in state and "output" not in metadata:
        return {}
    more = {key: value for key, value in metadata.items() if key not in _OF_SHELLS}
    shape = compact(exitCode=as_int(metadata.get("exit")), durationMs=_duration_ms(state))
    return {"stdout": said or "", **shape, **more}


def _status(tool: str, state: Native, metadata: Native) -> str:
    status = _STATUSES.get(str(state.get("status")), "in_progress")
    # The end of a command that was killed has no code.
    if status == "completed" and tool in _SHELLS and metadata.get("exit", 0) != 0:
        return "failed"
    return status


def _duration_ms(state: Native) -> int | None:
    time = as_dict(state.get("time"))
    start, end = as_int(time.get("start")), as_int(time.get("end"))
    return None if start is None or end is None else max(0, end - start)


def _title(tool: str, state: Native, given: Mapping[str, Any], metadata: Native) -> str:
    if tool in _SHELLS and (command := as_text(given.get("command"))):
        return command
    # Its own title of a file begins at the root of a repository, which there may not be.
    if tool_kind(tool) in ("edit", "read") and (paths := _files(given, metadata)):
        return ", ".join(paths)
    if title := as_text(state.get("title")):
        return title
    return next((text for key in _TITLE_KEYS if (text := as_text(given.get(key)))), tool)


def _files(given: Mapping[str, Any], metadata: Native) -> list[str]:
    return changed_paths(given, metadata) or patched_paths(as_text(given.get("patchText")) or "")


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
