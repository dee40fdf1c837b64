"""`session/update` notifications, by their `sessionUpdate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.lenient import as_dict, as_int, as_str, compact, dicts_with
from sandbox_agent_core.projection.messages import chunk
from sandbox_agent_core.projection.parts import Wire, event, passed_through
from sandbox_agent_core.projection.tools import tool_call, tool_update

__all__ = ["config_options", "model_responded", "session_update"]

_PRIORITIES = frozenset({"high", "medium", "low"})
_PLAN_STATUSES = frozenset({"pending", "in_progress", "completed"})


def session_update(entry: LogEntry, params: Any) -> Wire:
    """An update that is unknown, or is not what its name says, is passed through."""
    update = params.get("update") if isinstance(params, dict) else None
    if not isinstance(update, dict):
        return passed_through(entry, acp.SESSION_UPDATE, params)
    kind = update.get("sessionUpdate")
    if not isinstance(kind, str):
        return passed_through(entry, acp.SESSION_UPDATE, update)
    project = _UPDATES.get(kind)
    wire = project(entry, update) if project is not None else None
    return wire if wire is not None else passed_through(entry, kind, update)


def _plan(entry: LogEntry, update: Wire) -> Wire | None:
    if not isinstance(update.get("entries"), list):
        return None
    entries = [
        {
            "content": item["content"],
            "priority": _one_of(_PRIORITIES, item.get("priority"), "medium"),
            "status": _one_of(_PLAN_STATUSES, item.get("status"), "pending"),
        }
        for item in dicts_with(update["entries"], "content")
    ]
    return event(entry, "plan.updated", {"entries": entries})


def _one_of(known: frozenset[str], value: Any, default: str) -> str:
    return value if isinstance(value, str) and value in known else default


def _usage(entry: LogEntry, update: Wire) -> Wire | None:
    meta = as_dict(update.get("_meta"))
    data = compact(
        contextUsed=as_int(update.get("used")),
        contextSize=as_int(update.get("size")),
        cost=_cost(update.get("cost")),
        model=as_str(meta.get("_claude/model")) or as_str(meta.get("model")),
    )
    return event(entry, "usage.updated", data) if data else None


def model_responded(entry: LogEntry, params: Any) -> Wire | None:
    """What the server has added up. None: it came between turns."""
    turn = as_dict(as_dict(entry.annotations).get("turn"))
    if not turn:
        return None
    data = compact(model=as_str(as_dict(params).get("model")), turn=turn)
    return event(entry, "usage.updated", data)


def _cost(value: Any) -> Wire | None:
    cost = as_dict(value)
    amount = cost.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        return None
    return {"amount": amount, "currency": as_str(cost.get("currency")) or "USD"}


def _mode(entry: LogEntry, update: Wire) -> Wire | None:
    mode_id = as_str(update.get("currentModeId"))
    return None if mode_id is None else event(entry, "mode.changed", {"modeId": mode_id})


def _config(entry: LogEntry, update: Wire) -> Wire | None:
    options = config_options(update.get("configOptions"))
    return None if options is None else event(entry, "config.changed", {"options": options})


def config_options(value: Any) -> list[Wire] | None:
    """The settings of an update or an answer, in a shape that always reads; None if there are none."""
    if not isinstance(value, list):
        return None
    return [_config_option(item) for item in dicts_with(value, "id")]


def _config_option(item: Wire) -> Wire:
    option = _with_texts(item, "name", "description", "category", "type")
    if not isinstance(option.get("options", []), list):
        del option["options"]
    return option


def _commands(entry: LogEntry, update: Wire) -> Wire | None:
    if not isinstance(update.get("availableCommands"), list):
        return None
    own = list(dicts_with(update["availableCommands"], "name"))
    names = {item["name"] for item in own}
    common = dicts_with(as_dict(entry.annotations).get("commands"), "name")
    others = [item for item in common if item["name"] not in names]
    commands = [_with_texts(item, "description") for item in (*own, *others)]
    return event(entry, "commands.updated", {"commands": commands})


def _with_texts(item: Wire, *names: str) -> Wire:
    """The object, without those of these members that are not text."""
    return {
        name: value for name, value in item.items() if name not in names or isinstance(value, str)
    }


_UPDATES: Final[dict[str, Callable[[LogEntry, Wire], Wire | None]]] = {
    acp.USER_MESSAGE_CHUNK: chunk,
    acp.AGENT_MESSAGE_CHUNK: chunk,
    acp.AGENT_THOUGHT_CHUNK: chunk,
    acp.TOOL_CALL: tool_call,
    acp.TOOL_CALL_UPDATE: tool_update,
    acp.PLAN: _plan,
    acp.AVAILABLE_COMMANDS_UPDATE: _commands,
    acp.CURRENT_MODE_UPDATE: _mode,
    acp.CONFIG_OPTION_UPDATE: _config,
    acp.USAGE_UPDATE: _usage,
}
