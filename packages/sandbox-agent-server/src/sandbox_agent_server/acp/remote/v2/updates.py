"""Updates of agents, which speak version 1, in the words of version 2. Pure; what is unknown stays as it is."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_dict, as_int, as_str, compact, dicts_in, dicts_with

from sandbox_agent_server.acp.remote.v2.diffs import diff

__all__ = ["CHUNKS", "SETTINGS", "Update", "commands", "tool_call", "updates"]

Update = dict[str, Any]

CHUNKS: Final = (acp.USER_MESSAGE_CHUNK, acp.AGENT_MESSAGE_CHUNK, acp.AGENT_THOUGHT_CHUNK)
SETTINGS: Final = (acp.CURRENT_MODE_UPDATE, acp.CONFIG_OPTION_UPDATE)
"""Version 2 has one list for both."""
_PLAN_ID: Final = "plan"
"""Version 1 has one plan, which each update replaces."""
_TERMINAL_META: Final = frozenset(
    {"terminal_info", "terminal_output", "terminal_output_delta", "terminal_exit"}
)
"""Where agents that run a terminal themselves tell of it: a convention that version 2 has words for."""
_OUTPUT_BYTES: Final = 192 * 1024
_MAX_EXIT: Final = 2**32 - 1


def updates(
    update: Update, *, item_id: str | None, common_commands: Any = None
) -> Iterator[Update]:
    """`item_id`: of the message or tool call. `common_commands`: those that the server adds."""
    match update.get("sessionUpdate"):
        case kind if kind in CHUNKS:
            yield {**update, "messageId": item_id or as_str(update.get("messageId")) or "message"}
        case acp.TOOL_CALL | acp.TOOL_CALL_UPDATE:
            call = tool_call(update, item_id)
            before, after = _terminal(update, call["toolCallId"])
            yield from before
            yield {"sessionUpdate": acp.TOOL_CALL_UPDATE, **call}
            yield from after
        case acp.PLAN:
            plan = {"type": "items", "planId": _PLAN_ID, "entries": update.get("entries")}
            rest = {name: update[name] for name in ("_meta",) if name in update}
            yield {"sessionUpdate": "plan_update", "plan": plan, **rest}
        case acp.AVAILABLE_COMMANDS_UPDATE:
            known = commands(update.get("availableCommands"), common_commands)
            yield {**update, "availableCommands": known}
        case _:
            yield update


def tool_call(update: Mapping[str, Any], item_id: str | None = None) -> dict[str, Any]:
    """The fields of a call. Null means in version 1 that nothing is said, and in version 2 that there is none."""
    call = {
        name: value
        for name, value in update.items()
        if value is not None and name != "sessionUpdate"
    }
    call["toolCallId"] = as_str(update.get("toolCallId")) or item_id or ""
    if isinstance(content := call.get("content"), list):
        call["content"] = [
            diff(item) if item.get("type") == "diff" else item for item in dicts_in(content)
        ]
    meta = as_dict(call.pop("_meta", None))
    if kept := {name: value for name, value in meta.items() if name not in _TERMINAL_META}:
        call["_meta"] = kept
    return call


def commands(own: Any, common: Any = None) -> list[dict[str, Any]]:
    """`availableCommands`, each once; an agent's own before one of the server."""
    found: dict[str, dict[str, Any]] = {}
    for item in (*dicts_with(own, "name"), *dicts_with(common, "name")):
        if item["name"] not in found:
            hint = as_str(as_dict(item.get("input")).get("hint"))
            told = {
                **item,
                "type": as_str(item.get("type")) or "command",
                "description": as_str(item.get("description")) or "",
                "input": None if hint is None else {"type": "text", **item["input"]},
            }
            found[item["name"]] = compact(**told)
    return list(found.values())


def _terminal(update: Update, call_id: str) -> tuple[list[Update], list[Update]]:
    """What is told of a call's terminal before the call itself is, and after it."""
    meta = as_dict(update.get("_meta"))
    before: list[Update] = []
    after: list[Update] = []
    if "terminal_info" in meta:
        info = as_dict(meta["terminal_info"])
        command = as_str(as_dict(update.get("rawInput")).get("command"))
        told = compact(command=command, cwd=as_str(info.get("cwd")))
        before.append(_terminal_update(info, call_id, **told))
    for name in ("terminal_output", "terminal_output_delta"):
        output = as_dict(meta.get(name))
        if (text := as_str(output.get("data"))) is not None:
            after += _output(output, call_id, text)
            break
    if "terminal_exit" in meta:
        exit = as_dict(meta["terminal_exit"])
        code = as_int(exit.get("exit_code"))
        if code is not None and not 0 <= code <= _MAX_EXIT:
            code = None
        status = compact(exitCode=code, signal=as_str(exit.get("signal")))
        after.append(_terminal_update(exit, call_id, exitStatus=status))
    return before, after


def _terminal_update(told: Mapping[str, Any], call_id: str, **fields: Any) -> Update:
    return {
        "sessionUpdate": "terminal_update",
        "terminalId": as_str(told.get("terminal_id")) or call_id,
        **fields,
    }


def _output(told: Mapping[str, Any], call_id: str, text: str) -> Iterator[Update]:
    data = text.encode("utf-8", "replace")
    for start in range(0, len(data), _OUTPUT_BYTES):
        yield {
            "sessionUpdate": "terminal_output_chunk",
            "terminalId": as_str(told.get("terminal_id")) or call_id,
            "data": b64encode(data[start : start + _OUTPUT_BYTES]).decode(),
        }
