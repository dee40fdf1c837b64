"""Codex's items that are tool calls, in ACP's words: at their start, and at their end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_text, compact, dicts_in

from sandbox_agent_server.agents.codex.content import acp_blocks
from sandbox_agent_server.agents.codex.diffs import change_diffs, change_kind, change_locations
from sandbox_agent_server.agents.native.content import text_block, wrapped
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["bare_command", "is_tool", "result_fields", "tool_fields"]

_TITLE_CHARS: Final = 200
_STATUSES: Final[Mapping[str, str]] = {
    "inProgress": "in_progress",
    "completed": "completed",
    "failed": "failed",
    "declined": "failed",
    "interrupted": "failed",
}
# Codex says of these that they are in progress while it still asks whether they may be.
_ASKED_FOR: Final = frozenset({"commandExecution", "fileChange", "mcpToolCall"})
# Only these: the model may name a shell of its own, and what that one makes of a command is not the
# command that a person, or a rule, sees.
_SHELLS: Final = frozenset(
    f"{directory}/{shell}"
    for directory in ("/bin", "/usr/bin")
    for shell in ("bash", "dash", "sh", "zsh")
)
_WRAPPED_ARGV: Final = 3
_AGENT_TITLES: Final[Mapping[str, str]] = {
    "spawnAgent": "Start a sub-agent",
    "sendInput": "Tell a sub-agent more",
    "sendMessage": "Tell a sub-agent more",
    "followupTask": "Give a sub-agent another task",
    "resumeAgent": "Resume a sub-agent",
    "wait": "Wait for sub-agents",
    "closeAgent": "Close a sub-agent",
    "interruptAgent": "Interrupt a sub-agent",
    "listAgents": "List sub-agents",
}


def is_tool(item: Native) -> bool:
    return item.get("type") in _CALLS


def tool_fields(item: Native, *, cwd: str) -> dict[str, Any]:
    """`name`, `title`, `kind`, `status`, `rawInput`, and where they say something `locations`, `content`."""
    fields = _CALLS[str(item.get("type"))](item, cwd)
    fields["title"] = _one_line(fields["title"])
    status = _STATUSES.get(str(item.get("status")), "in_progress")
    is_asked_for = status == "in_progress" and item.get("type") in _ASKED_FOR
    fields["status"] = "pending" if is_asked_for else status
    codex = {"type": item.get("type")}
    for key in ("source", "processId", "pluginId"):
        if item.get(key) is not None:
            codex[key] = item[key]
    fields["_meta"] = {"codex": codex}
    return compact(**fields)


def result_fields(item: Native, *, cwd: str) -> dict[str, Any]:
    """The fields of a completed item: those of its start as they are now, and its results."""
    fields = tool_fields(item, cwd=cwd)
    if fields["status"] not in ("completed", "failed"):
        fields["status"] = "completed"  # Items without a status of their own.
    if item.get("status") == "declined":
        fields["_meta"]["codex"]["status"] = "declined"
    if (results := _RESULTS.get(str(item.get("type")))) is not None:
        fields |= compact(**results(item))
    return fields


def bare_command(command: str) -> str:
    """The command in `/bin/bash -lc 'command'`; others as they are."""
    try:
        argv = shlex.split(command)
    except ValueError:
        return command
    if len(argv) == _WRAPPED_ARGV and argv[0] in _SHELLS and argv[1] in ("-c", "-lc"):
        return argv[2]
    return command


# Calls


def _command(item: Native, cwd: str) -> dict[str, Any]:
    command = bare_command(str(item.get("command") or ""))
    paths = [
        path for action in dicts_in(item.get("commandActions")) if (path := _read_path(action))
    ]
    return {
        "name": "commandExecution",
        "title": command or "Run a command",
        # Also what looks like reading: Codex parses commands for display, not for safety.
        "kind": "execute",
        "rawInput": {"command": command, "cwd": item.get("cwd") or cwd},
        "locations": [{"path": path} for path in paths] or None,
    }


def _read_path(action: Mapping[str, Any]) -> str | None:
    return as_text(action.get("path")) if action.get("type") == "read" else None


def _file_change(item: Native, cwd: str) -> dict[str, Any]:
    changes = dicts_in(item.get("changes"))
    shown = [display_path(str(change.get("path")), cwd) for change in changes]
    verb = {"edit": "Edit", "delete": "Delete", "move": "Move"}[kind := change_kind(changes)]
    return {
        "name": "fileChange",
        "title": f"{verb} {', '.join(shown)}" if shown else "Edit files",
        "kind": kind,
        # Without the diffs, which the content shows.
        "rawInput": {
            "changes": [{key: change.get(key) for key in ("path", "kind")} for change in changes]
        },
        "locations": change_locations(changes) or None,
        "content": change_diffs(changes) or None,
    }


def _mcp_call(item: Native, cwd: str) -> dict[str, Any]:
    server, tool = str(item.get("server")), str(item.get("tool"))
    arguments = item.get("arguments")
    return {
        "name": f"mcp__{server}__{tool}",
        "title": f"{server}: {tool}",
        "kind": "other",
        "rawInput": arguments if arguments is not None else {},
    }


def _dynamic_call(item: Native, cwd: str) -> dict[str, Any]:
    name = str(item.get("tool"))
    return {"name": name, "title": name, "kind": "other", "rawInput": item.get("arguments") or {}}


def _web_search(item: Native, cwd: str) -> dict[str, Any]:
    action = as_dict(item.get("action"))
    given = {key: value for key, value in action.items() if value is not None and key != "type"}
    url, query = as_text(action.get("url")), as_text(item.get("query"))
    if action.get("type") == "open_page":
        kind, title = "fetch", f"Open {url}" if url else "Open a page"
    elif action.get("type") == "find_in_page":
        kind, title = "fetch", f"Find {action.get('pattern')!r} in {url}"
    else:
        kind, title = "search", f"Search the web: {query}" if query else "Search the web"
        given.setdefault("query", query or "")
    return {"name": "webSearch", "title": title, "kind": kind, "rawInput": given}


def _collaboration(item: Native, cwd: str) -> dict[str, Any]:
    tool = str(item.get("tool"))
    prompt = as_text(item.get("prompt"))
    keys = ("prompt", "model", "reasoningEffort", "receiverThreadIds")
    return {
        "name": tool,
        "title": (prompt if tool == "spawnAgent" else None) or _AGENT_TITLES.get(tool, tool),
        "kind": "think",
        "rawInput": {key: item[key] for key in keys if item.get(key)},
    }


def _agent_activity(item: Native, cwd: str) -> dict[str, Any]:
    """What the newer models' tools for sub-agents do, told after the fact."""
    activity, path = str(item.get("kind")), str(item.get("agentPath"))
    keys = ("agentPath", "agentThreadId", "model", "reasoningEffort")
    return {
        "name": "subAgentActivity",
        "title": f"Sub-agent {path}: {activity}",
        "kind": "think",
        "rawInput": {key: item[key] for key in keys if item.get(key)},
    }


def _image_view(item: Native, cwd: str) -> dict[str, Any]:
    path = str(item.get("path"))
    return {
        "name": "imageView",
        "title": f"View {display_path(path, cwd)}",
        "kind": "read",
        "rawInput": {"path": path},
        "locations": [{"path": path}],
    }


def _image_generation(item: Native, cwd: str) -> dict[str, Any]:
    prompt = as_text(item.get("revisedPrompt"))
    return {
        "name": "imageGeneration",
        "title": f"Generate an image: {prompt}" if prompt else "Generate an image",
        "kind": "other",
        "rawInput": {"prompt": prompt} if prompt else {},
        "locations": [{"path": saved}] if (saved := as_text(item.get("savedPath"))) else None,
    }


def _sleep(item: Native, cwd: str) -> dict[str, Any]:
    duration = item.get("durationMs")
    return {
        "name": "sleep",
        "title": f"Sleep for {duration} ms",
        "kind": "other",
        "rawInput": {"durationMs": duration},
    }


# Results


def _command_result(item: Native) -> dict[str, Any]:
    printed = as_text(item.get("aggregatedOutput"))
    keys = ("exitCode", "durationMs")
    output: dict[str, Any] = {key: item[key] for key in keys if item.get(key) is not None}
    if printed is not None:
        output["stdout"] = printed  # Codex does not tell the two streams apart.
    return {
        "rawOutput": output or None,
        # Said also when there is none: it replaces what the permission showed.
        "content": [wrapped(text_block(printed))] if printed is not None else [],
    }


def _mcp_result(item: Native) -> dict[str, Any]:
    result, error = as_dict(item.get("result")), as_dict(item.get("error"))
    blocks = acp_blocks(result.get("content"))
    if message := as_text(error.get("message")):
        blocks.append(text_block(message))
    return {
        "rawOutput": result.get("structuredContent") or (error or None),
        "content": [wrapped(block) for block in blocks] or None,
    }


def _dynamic_result(item: Native) -> dict[str, Any]:
    content = [wrapped(block) for block in acp_blocks(item.get("contentItems"))]
    return {"content": content or None}


def _search_result(item: Native) -> dict[str, Any]:
    results = item.get("results")
    return {"rawOutput": {"results": results} if results else None}


def _collaboration_result(item: Native) -> dict[str, Any]:
    states = as_dict(item.get("agentsStates"))
    said = [
        message for state in states.values() if (message := as_text(as_dict(state).get("message")))
    ]
    output = {"receiverThreadIds": item.get("receiverThreadIds"), "agentsStates": states}
    return {
        "rawOutput": output,
        "content": [wrapped(text_block(message)) for message in said] or None,
    }


def _generated_image(item: Native) -> dict[str, Any]:
    data, failed = as_text(item.get("result")), as_dict(item.get("failure"))
    if data is None:
        return {"rawOutput": {"failure": failed} if failed else None}
    image = {"type": "image", "data": data, "mimeType": "image/png"}
    return {"content": [wrapped(image)]}


_CALLS: Final[Mapping[str, Callable[[Native, str], dict[str, Any]]]] = {
    "commandExecution": _command,
    "fileChange": _file_change,
    "mcpToolCall": _mcp_call,
    "dynamicToolCall": _dynamic_call,
    "webSearch": _web_search,
    "collabAgentToolCall": _collaboration,
    "subAgentActivity": _agent_activity,
    "imageView": _image_view,
    "imageGeneration": _image_generation,
    "sleep": _sleep,
}
_RESULTS: Final[Mapping[str, Callable[[Native], dict[str, Any]]]] = {
    "commandExecution": _command_result,
    "mcpToolCall": _mcp_result,
    "dynamicToolCall": _dynamic_result,
    "webSearch": _search_result,
    "collabAgentToolCall": _collaboration_result,
    "imageGeneration": _generated_image,
}


def display_path(path: str, cwd: str) -> str:
    pure = PurePath(path)
    return str(pure.relative_to(cwd)) if pure.is_relative_to(cwd) else path


def _one_line(title: str) -> str:
    first, _, rest = title.strip().partition("\n")
    if len(first) > _TITLE_CHARS:
        return first[: _TITLE_CHARS - 1] + "…"
    return f"{first} …" if rest.strip() else first
