"""Responses of the agent: the end of a turn, settings that took effect, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, get_args

from sandbox_agent_core.events.turn import LimitKind
from sandbox_agent_core.frames import acp, operations
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.lenient import as_dict, as_int, as_str, as_text, compact
from sandbox_agent_core.projection.faults import fault_of
from sandbox_agent_core.projection.parts import Wire, event, passed_through
from sandbox_agent_core.projection.turns import turn_steered
from sandbox_agent_core.projection.updates import config_options

__all__ = [
    "TOKENS",
    "UNKNOWN_STOP_REASON",
    "agent_answer",
    "stop_reason",
    "token_usage",
    "turn_cost",
    "turn_use",
]

UNKNOWN_STOP_REASON = "unknown"
"""The agent answered its prompt, and did not say why it stopped: that is no success."""

LIMIT_KINDS: Final = get_args(LimitKind)

TOKENS: Final = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "cachedReadTokens": "cached_read_tokens",
    "cachedWriteTokens": "cached_write_tokens",
    "thoughtTokens": "thought_tokens",
    "totalTokens": "total_tokens",
}
"""ACP's names of the counts of a turn, and those of `TokenUsage`."""


def agent_answer(entry: LogEntry) -> Wire | None:
    """None for the successes that say nothing new: `initialize`, `session/new`, `session/load`, ..."""
    payload, method = entry.payload, as_str(entry.method)
    if method in operations.BEGIN_A_TURN:
        return _turn_ended(entry, method)
    if method == operations.SESSION_STEER:
        return turn_steered(entry)
    if "error" in payload:
        fault = fault_of(payload["error"], _last_words(entry))
        return event(entry, "error", fault | compact(method=method))
    if method is None:
        # It answers nothing that we know of, so it is not one of those.
        return passed_through(entry, "response", payload.get("result"))
    if method == acp.SESSION_SET_MODE:
        mode_id = as_str(as_dict(entry.annotations).get("modeId"))
        return None if mode_id is None else event(entry, "mode.changed", {"modeId": mode_id})
    if method in {acp.SESSION_SET_MODEL, acp.SESSION_SET_CONFIG_OPTION}:
        return _config_changed(entry, method)
    return None


def _turn_ended(entry: LogEntry, method: str) -> Wire:
    payload = entry.payload
    if as_dict(entry.annotations).get("late") is True:
        # The turn has ended already, and a turn ends once.
        answer = payload["error"] if "error" in payload else payload.get("result")
        return passed_through(entry, method, answer)
    if "error" not in payload:
        result = as_dict(payload.get("result"))
        data = {"stopReason": stop_reason(result)}
        output = as_dict(result.get("_meta")).get("structuredOutput")
        return event(
            entry, "turn.ended", data | turn_use(entry.annotations, result) | compact(output=output)
        )
    fault = fault_of(payload["error"], _last_words(entry))
    use = turn_use(entry.annotations, {})
    # Whatever an agent says of it: it was stopped.
    if fault["code"] == "cancelled" or "limit" in use:
        return event(entry, "turn.ended", {"stopReason": "cancelled"} | use)
    return event(entry, "turn.ended", {"stopReason": "error", "error": fault} | use)


def _last_words(entry: LogEntry) -> str | None:
    return as_str(as_dict(entry.annotations).get("lastWords"))


def stop_reason(result: Any) -> str:
    """What an agent says, as it says it: one that we do not know may mean anything but success."""
    return as_text(as_dict(result).get("stopReason")) or UNKNOWN_STOP_REASON


def _config_changed(entry: LogEntry, method: str) -> Wire | None:
    annotations = as_dict(entry.annotations)
    if method == acp.SESSION_SET_MODEL:
        config_id, value = "model", annotations.get("modelId")
    else:
        config_id, value = as_str(annotations.get("configId")) or "", annotations.get("value")
    options = config_options(as_dict(entry.payload.get("result")).get("configOptions"))
    data: Wire = {}
    if config_id and value is not None:
        data |= {"configId": config_id, "value": value}
    data |= compact(options=options)
    return event(entry, "config.changed", data) if data else None


def turn_use(annotations: Mapping[str, Any] | None, result: Wire) -> Wire:
    """What a turn has used, and which limit stopped it: as the agent says in its result, else as the server has noted
    in the annotations of the entry that ends it."""
    noted = as_dict(annotations)
    usage = token_usage(result) or token_usage({"usage": noted.get("usage")})
    calls, limit = as_int(noted.get("modelCalls")), noted.get("limit")
    return compact(
        usage=usage,
        cost=turn_cost(noted, result),
        modelCalls=calls,
        limit=limit if limit in LIMIT_KINDS else None,
    )


def turn_cost(annotations: Mapping[str, Any] | None, result: Wire) -> Wire | None:
    """What the agent says in `_meta.cost` of the result, else the server in the annotations of its entry."""
    for told in (as_dict(result.get("_meta")).get("cost"), as_dict(annotations).get("cost")):
        told = as_dict(told)
        amount = told.get("amount")
        if isinstance(amount, (int, float)) and not isinstance(amount, bool) and isfinite(amount):
            cost: Wire = {"amount": amount, "currency": as_str(told.get("currency")) or "USD"}
            return cost | ({"estimated": True} if told.get("estimated") is True else {})
    return None


def token_usage(result: Wire) -> Wire | None:
    """ACP's `usage`, or what Gemini puts into `_meta.quota` instead."""
    usage = as_dict(result.get("usage"))
    quota = as_dict(as_dict(as_dict(result.get("_meta")).get("quota")).get("token_count"))
    found = {
        name: count
        for name, other in TOKENS.items()
        for count in [as_int(usage.get(name, quota.get(other)))]
        if count is not None
    }
    return found or None
