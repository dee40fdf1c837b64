"""Turns "run a shell command" into a call of whatever tool the asking agent offers for it.

Agents name tools and arguments differently; the offered schema decides. Each function answers
`None` when the agent offers nothing that fits.
"""

from __future__ import annotations

import json
import re

from .actions import JSON, Action, Call, FreeformCall, LocalShell, Say
from .conversation import Conversation, OfferedTool
from .json_schema import fitting_value

_SHELL = [
    "Bash",
    "bash",
    "shell_command",
    "exec_command",
    "shell",
    "container.exec",
    "local_shell",
    "run_shell_command",
    "execute_command",
    "run_terminal_cmd",
    "run_terminal_command",
    "developer__shell",
    "terminal",
]
_WRITE = [
    "Write",
    "write",
    "write_file",
    "create_file",
    "create",
    "str_replace_editor",
    "edit_file",
]
_EDIT = ["Edit", "edit", "replace", "edit_file", "str_replace", "search_replace"]
_READ = ["Read", "read", "read_file", "view"]
_PLAN = ["TodoWrite", "todowrite", "update_plan", "write_todos", "todo_write", "TaskCreate"]
_ASK = [
    "AskUserQuestion",
    "question",
    "ask_user",
    "ask_question",
    "request_user_input",
    "ask_user_question",
]
_SUBAGENT = ["Agent", "Task", "task", "spawn_agent"]

_DEFAULT_FILE = "scenario.txt"
_CWD_PATTERNS = (
    r"[Ww]orking directory[^/\n]{0,20}(/[A-Za-z0-9_./-]+)",
    r"<cwd>(/[^<]+)</cwd>",
    r"current working directory[^/]{0,20}(/[A-Za-z0-9_./-]+)",
    r"directory:\s*(/[A-Za-z0-9_./-]+)",
)
SEARCHES = ("ToolSearch", "tool_search")
"""Tools that find tools."""


def marker(name: str, text: str) -> str | None:
    """The text between `NAME<<` and `>>` in a prompt."""
    match = re.search(rf"{name}<<(.+?)>>", text, re.S)
    return match.group(1) if match else None


def shell(conversation: Conversation, user: str, *, command: str | None = None) -> Action | None:
    tool = _pick(conversation, _SHELL)
    command = command or marker("SHELL", user) or "echo hello-from-tool"
    if tool is None:
        return _in_javascript(conversation, command)
    if tool.kind == "local_shell":
        return LocalShell(["bash", "-lc", command])
    arguments: JSON
    if "cmd" in tool.properties:
        arguments = {"cmd": command}
    elif (tool.properties.get("command") or {}).get("type") == "array":
        arguments = {"command": ["bash", "-lc", command]}
    else:
        arguments = {"command": command}
    if "description" in tool.properties:
        arguments["description"] = "Run the scripted command"
    if "ESCALATE" in user and "sandbox_permissions" in tool.properties:
        # Codex's way to ask to leave its own sandbox.
        arguments["sandbox_permissions"] = "require_escalated"
        arguments["justification"] = "scripted escalation"
    if "YIELD" in user and "yield_time_ms" in tool.properties:
        # Codex's way to leave a command running in the background.
        arguments["yield_time_ms"] = 250
    if "BACKGROUND" in user and "run_in_background" in tool.properties:
        arguments["run_in_background"] = True
    if "BACKGROUND" in user and "is_background" in tool.properties:
        arguments["is_background"] = True
    return _call(tool, arguments)


def _in_javascript(conversation: Conversation, command: str) -> Action | None:
    """Codex's newest models get one tool, which runs JavaScript that calls the others."""
    tool = conversation.tools.get("exec")
    if tool is None or tool.kind != "custom":
        return None
    call = f"await tools.exec_command({json.dumps({'cmd': command})})"
    return FreeformCall(tool.name, f"text(JSON.stringify({call}));\n")


def write_file(conversation: Conversation, user: str) -> Action | None:
    path = _file_path(conversation, user)
    if tool := _pick(conversation, _WRITE):
        known = [key for key in ("contents", "file_text") if key in tool.properties]
        content_key = known[0] if known else "content"
        return _call(tool, {_path_key(tool): path, content_key: "hello scripted file\n"})
    patch_path = marker("FILE", user) or _DEFAULT_FILE
    patch = f"*** Begin Patch\n*** Add File: {patch_path}\n+hello scripted file\n*** End Patch\n"
    return _patch(conversation, user, patch)


def edit_file(conversation: Conversation, user: str) -> Action | None:
    path = _file_path(conversation, user)
    if tool := _pick(conversation, _EDIT):
        arguments: JSON = {_path_key(tool): path}
        if "edits" in tool.properties:
            arguments["edits"] = [{"oldText": "hello", "newText": "goodbye"}]
            return _call(tool, arguments)
        candidates = ("old_string", "oldString", "oldText", "old_str")
        old_key = next((key for key in candidates if key in tool.properties), "old_string")
        arguments |= {old_key: "hello", old_key.replace("old", "new"): "goodbye"}
        return _call(tool, arguments)
    return _patch(
        conversation,
        user,
        f"*** Begin Patch\n*** Update File: {marker('FILE', user) or _DEFAULT_FILE}\n@@\n"
        "-hello scripted file\n+goodbye scripted file\n*** End Patch\n",
    )


def _patch(conversation: Conversation, user: str, patch: str) -> Action | None:
    if action := _apply_patch(conversation, patch):
        return action
    # Codex without the tool: it recognises this heredoc and shows it as a file change.
    return shell(conversation, user, command=f"apply_patch <<'EOF'\n{patch}EOF\n")


def read_file(conversation: Conversation, user: str) -> Action | None:
    tool = _pick(conversation, _READ)
    if tool is None:
        return None
    return _call(tool, {_path_key(tool): _file_path(conversation, user)})


def plan(conversation: Conversation, _user: str) -> Action | None:
    tool = _pick(conversation, _PLAN)
    if tool is None:
        return _search(conversation, "select:TaskCreate")
    arguments: JSON
    if tool.name == "update_plan":
        steps = [
            {"step": "one", "status": "in_progress"},
            {"step": "two", "status": "pending"},
        ]
        arguments = {"explanation": "scripted", "plan": steps}
    elif tool.name == "TaskCreate":
        arguments = {
            "subject": "one",
            "description": "scripted task",
            "activeForm": "doing one",
        }
    elif tool.name == "todowrite":
        arguments = {
            "todos": [
                {"id": "1", "content": "one", "status": "in_progress", "priority": "high"},
                {"id": "2", "content": "two", "status": "pending", "priority": "low"},
            ]
        }
    else:
        wants_id = tool.name == "todo_write"
        entries = (("one", "in_progress"), ("two", "pending"))
        arguments = {
            "todos": [
                {
                    **({"id": name} if wants_id else {}),
                    "content": name,
                    "description": name,
                    "status": status,
                    "activeForm": f"doing {name}",
                }
                for name, status in entries
            ]
        }
    return _call(tool, arguments)


def ask(conversation: Conversation, _user: str) -> Action | None:
    tool = _pick(conversation, _ASK)
    if tool is None:
        return None
    question: JSON = {
        "question": "Which colour?",
        "header": "Colour",
        "id": "colour",
        "multiSelect": False,
        "multiple": False,
        "options": [
            {"label": "Red", "description": "the red one"},
            {"label": "Blue", "description": "the blue one"},
        ],
    }
    items = (tool.properties.get("questions") or {}).get("items") or {}
    if known := items.get("properties"):
        question = {key: value for key, value in question.items() if key in known}
    return _call(tool, {"questions": [question]})


def subagent(conversation: Conversation, user: str) -> Action | None:
    """Hand the work to a subagent, which plays the scenario named in `SUBAGENT<<name>>`."""
    tool = _pick(conversation, _SUBAGENT)
    if tool is None:
        return None
    command = marker("SHELL", user)
    prompt = f"SCENARIO:{marker('SUBAGENT', user) or 'tool'} for the subagent"
    arguments: JSON = {
        "description": "scripted subtask",
        "prompt": f"{prompt} SHELL<<{command}>>" if command else prompt,
    }
    if "subagent_type" in tool.properties:
        # OpenCode's is `general`; Claude Code's has the longer name.
        is_claude = "general-purpose" in json.dumps(conversation.body)
        arguments["subagent_type"] = "general-purpose" if is_claude else "general"
    if "run_in_background" in tool.properties:
        arguments["run_in_background"] = "BACKGROUND" in user
    if "background" in tool.properties:
        arguments["background"] = "BACKGROUND" in user
    if tool.name == "spawn_agent":
        arguments = {"message": arguments["prompt"]}
        if "fork_turns" in tool.properties:
            arguments["fork_turns"] = "none"
    return _call(tool, arguments)


def wait_for_subagent(conversation: Conversation, started: str) -> Action | None:
    """Codex's sub-agents run beside the agent; `started` is what the call that started one answered."""
    tool = conversation.tools.get("wait_agent")
    if tool is None:
        return None
    targets = {"targets": [json.loads(started)["agent_id"]]} if "targets" in tool.properties else {}
    return _call(tool, targets)


def structured(conversation: Conversation, user: str) -> Action | None:
    """Where there is no tool for it the answer itself is the JSON."""
    given = marker("ARGS", user) or "{}"
    tool = _pick(conversation, ["StructuredOutput"])
    return Say([given]) if tool is None else _call(tool, json.loads(given))


def mcp(conversation: Conversation, user: str) -> Action | None:
    """Call an MCP tool: the one that ends in `TOOL<<name>>`, else the first offered.

    Claude Code and Qwen offer MCP tools only after a search; then the answer is that search.
    """
    wanted = marker("TOOL", user)
    for tool in conversation.tools.values():
        if tool.full_name.endswith(wanted) if wanted else tool.full_name.startswith("mcp__"):
            given = json.loads(marker("ARGS", user) or "{}")
            return _call(tool, given)
    named = re.findall(r"mcp__\w+", json.dumps(conversation.body))
    fitting = [name for name in named if name.endswith(wanted or "")]
    return _search(conversation, f"select:{fitting[0]}" if fitting else wanted or "mcp")


def _search(conversation: Conversation, query: str) -> Action | None:
    """Ask for tools that the agent has and does not offer from the start."""
    for search in SEARCHES:
        if search in conversation.tools:
            return Call(search, {"query": query, "max_results": 5})
    return None


def _pick(conversation: Conversation, names: list[str]) -> OfferedTool | None:
    tools = conversation.tools
    for name in names:
        if name in tools:
            return tools[name]
    for name in names:  # the same tool, served over MCP by the agent's host
        for offered in tools.values():
            if offered.name.endswith(f"__{name}"):
                return offered
    return None


def _call(tool: OfferedTool, arguments: JSON) -> Call:
    """Of the tool itself, or of the one through which the agent lets it be called."""
    filled = dict(arguments)
    for name in tool.schema.get("required") or []:
        if name not in filled:
            filled[name] = fitting_value(tool.properties.get(name) or {})
    if tool.through is not None:
        return Call(tool.through, {"name": tool.name, "arguments": filled})
    return Call(tool.name, filled, tool.namespace)


def _path_key(tool: OfferedTool) -> str:
    candidates = ("file_path", "filePath", "absolute_path", "path", "filename")
    return next((key for key in candidates if key in tool.properties), "path")


def _file_path(conversation: Conversation, user: str) -> str:
    """Absolute when the request says where the agent works: some file tools accept nothing else."""
    if given := marker("FILE", user):
        return given
    text = json.dumps(conversation.body)
    for pattern in _CWD_PATTERNS:
        if match := re.search(pattern, text):
            return f"{match.group(1).rstrip('/.')}/{_DEFAULT_FILE}"
    return _DEFAULT_FILE


def _apply_patch(conversation: Conversation, patch: str) -> Action | None:
    tool = conversation.tools.get("apply_patch")
    if tool is None:
        return None
    if tool.kind == "custom":
        return FreeformCall(tool.name, patch)
    key = next((key for key in ("input", "patchText") if key in tool.properties), "input")
    return _call(tool, {key: patch})
