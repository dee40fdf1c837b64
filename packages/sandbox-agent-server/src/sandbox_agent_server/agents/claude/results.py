"""How a turn ended: Claude's `result` as the answer to `session/prompt`, and the usage before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    error_response,
    response,
)
from sandbox_agent_core.lenient import as_dict, as_list
from sandbox_agent_core.projection.faults import FAULT_CODE

__all__ = ["Spending", "context_size", "counted", "prompt_answer", "stop_reason", "usage_update"]

_COST_DIGITS: Final = 9
_TURNS_USED_UP: Final = "error_max_turns"
_BUDGET_USED_UP: Final = "error_max_budget_usd"
_UNAUTHORIZED: Final = 401
_CREDENTIALS_HINT: Final = (
    "Set ANTHROPIC_API_KEY, or CLAUDE_CODE_OAUTH_TOKEN from `claude setup-token`, in the `env` of the "
    "session or in the environment of the server; or log in with `/login` in `claude` itself."
)
_AUTH_ERRORS: Final = frozenset({"authentication_failed", "oauth_org_not_allowed"})
_TOKENS: Final = {
    "inputTokens": ("input_tokens", "inputTokens"),
    "outputTokens": ("output_tokens", "outputTokens"),
    "cachedReadTokens": ("cache_read_input_tokens", "cacheReadInputTokens"),
    "cachedWriteTokens": ("cache_creation_input_tokens", "cacheCreationInputTokens"),
}
_META: Final = {
    "num_turns": "numTurns",
    "duration_ms": "durationMs",
    "permission_denials": "permissionDenials",
    "terminal_reason": "terminalReason",
    "modelUsage": "modelUsage",
    "structured_output": "structuredOutput",
}
_SUMMED: Final = {name: key for key, name in _META.items() if name in ("numTurns", "durationMs")}
_NO_OBJECT: Final = "The model did not give the object that `outputSchema` asks for."
_ERROR_DATA: Final = {
    "api_error_status": "apiErrorStatus",
    "api_error_type": "apiErrorType",
    "terminal_reason": "terminalReason",
    "subtype": "subtype",
    "errors": "errors",
    "num_turns": "numTurns",
}


class Spending:
    """What the session has cost. Claude counts for each conversation: `/clear` starts at 0 again."""

    def __init__(self) -> None:
        self.total = 0.0
        self._counted = 0.0

    def read(self, counted: Any) -> float:
        """The cost of the turn that has ended, from the counter in its `result`."""
        if not isinstance(counted, (int, float)) or isinstance(counted, bool):
            return 0.0
        cost = counted - self._counted if counted >= self._counted else counted
        self._counted = counted
        self.total = round(self.total + cost, _COST_DIGITS)
        return round(cost, _COST_DIGITS)


def stop_reason(result: Mapping[str, Any], *, is_cancelled: bool) -> str | None:
    """None when the turn failed. `is_cancelled`: the client asked for it to stop."""
    terminal, subtype = str(result.get("terminal_reason")), str(result.get("subtype"))
    if terminal.startswith("aborted") or (is_cancelled and subtype == "error_during_execution"):
        return "cancelled"
    # Before is_error: Claude counts both as errors, ACP has names for them.
    if result.get("stop_reason") in ("refusal", "max_tokens"):
        return str(result["stop_reason"])
    if subtype == _TURNS_USED_UP:
        return "max_turn_requests"
    # A failure of the API has the subtype "success": only is_error tells.
    if result.get("is_error") is True or subtype.startswith("error"):
        return None
    return "end_turn"


def prompt_answer(
    id: RequestId,
    results: Sequence[Mapping[str, Any]],
    *,
    is_cancelled: bool,
    last_error: str | None,
    cost: float,
    wants_object: bool = False,
) -> Frame:
    """The response to `session/prompt`. There are several results when more was said into the turn: the last one
    says how it ended. `last_error` is what the last message said was wrong. `wants_object`: by the schema of the
    session, without which a turn that ended well has failed."""
    result = results[-1]
    reason = stop_reason(result, is_cancelled=is_cancelled)
    if reason is None:
        return _failure(id, result, last_error)
    if wants_object and reason == "end_turn" and "structured_output" not in result:
        return error_response(id, INTERNAL_ERROR, _NO_OBJECT, {"said": result.get("result")})
    meta = {name: result[key] for key, name in _META.items() if result.get(key) is not None}
    for name in _SUMMED.keys() & meta.keys():
        meta[name] = sum(_number(each.get(_SUMMED[name])) for each in results)
    meta["cost"] = {"amount": round(cost, _COST_DIGITS), "currency": "USD"}
    answer: dict[str, Any] = {"stopReason": reason, "usage": _usage(results), "_meta": meta}
    return response(id, answer)


def usage_update(
    *, used: int | None, size: int | None, spent: float, model: str | None
) -> dict[str, Any] | None:
    """The update that says how full the context is and what the session has cost so far."""
    if used is None or size is None:
        return None
    update: dict[str, Any] = {"sessionUpdate": acp.USAGE_UPDATE, "used": used, "size": size}
    update["cost"] = {"amount": spent, "currency": "USD"}
    if model is not None:
        update["_meta"] = {"model": model}
    return update


def context_size(result: Mapping[str, Any], model: str | None) -> int | None:
    """Of the model that answered, which is listed with its variant: `claude-opus-4-8[1m]`."""
    usage = result.get("modelUsage")
    if not isinstance(usage, Mapping) or not model:
        return None
    for name, entry in usage.items():
        if name == model or name.startswith(f"{model}["):
            size = entry.get("contextWindow") if isinstance(entry, Mapping) else None
            return size if isinstance(size, int) and size > 0 else None
    return None


def _failure(id: RequestId, result: Mapping[str, Any], last_error: str | None) -> Frame:
    data = {name: result[key] for key, name in _ERROR_DATA.items() if result.get(key)}
    if result.get("subtype") == _BUDGET_USED_UP:
        # Of the session: no further prompt is answered.
        data[FAULT_CODE] = "quota_exceeded"
    needs_login = result.get("api_error_status") == _UNAUTHORIZED or last_error in _AUTH_ERRORS
    text = _failure_text(result)
    if needs_login:
        return error_response(id, AUTH_REQUIRED, f"{text}\n{_CREDENTIALS_HINT}", data)
    return error_response(id, INTERNAL_ERROR, text, data)


def _failure_text(result: Mapping[str, Any]) -> str:
    if isinstance(text := result.get("result"), str) and text:
        return text
    errors = result.get("errors")
    told = [str(error) for error in as_list(errors)]
    return "; ".join(told) or f"Claude Code ended the turn with {result.get('subtype')!r}"


def _usage(results: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counts = dict.fromkeys(_TOKENS, 0)
    for result in results:
        counts = _added(counts, _usage_of(result))
    return {**counts, "totalTokens": sum(counts.values())}


def _usage_of(result: Mapping[str, Any]) -> dict[str, int]:
    counts = counted(as_dict(result.get("usage")))
    if not any(counts.values()):
        # An aborted message is not in `usage`, though it was paid for.
        for entry in as_dict(result.get("model_usage_since_last_result")).values():
            counts = _added(counts, counted(as_dict(entry), spelling=1))
    return counts


def _added(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: count + more[name] for name, count in counts.items()}


def _number(value: Any) -> int | float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def counted(usage: Mapping[str, Any], *, spelling: int = 0) -> dict[str, int]:
    """Claude's counts in ACP's words."""
    return {
        name: count if isinstance(count := usage.get(keys[spelling]), int) else 0
        for name, keys in _TOKENS.items()
    }
