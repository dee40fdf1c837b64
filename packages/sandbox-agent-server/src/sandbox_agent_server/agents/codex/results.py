"""How a turn ended, as the answer to `session/prompt`, and what it used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    error_response,
    response,
)
from sandbox_agent_core.lenient import as_dict, as_int, as_text, compact
from sandbox_agent_core.projection.faults import FAULT_CODE

from sandbox_agent_server.agents.codex.launch import LOGIN_HINT
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Spending", "prompt_answer"]

_UNAUTHORIZED: Final = 401
_COUNTS: Final = (
    "inputTokens",
    "cachedInputTokens",
    "cacheWriteInputTokens",
    "outputTokens",
    "reasoningOutputTokens",
    "totalTokens",
)


class Spending:
    """Tokens of the main thread. Codex counts for the whole thread; a turn is the difference."""

    def __init__(self) -> None:
        self._total: dict[str, int] | None = None
        self._before: dict[str, int] | None = None
        self._totals: dict[str, dict[str, int]] = {}
        """Of each thread, as they were told last."""
        self._in_context: int | None = None
        self._before_compaction: int | None = None

    def begin_turn(self) -> None:
        self._before = self._total

    def reverted(self) -> None:
        """The thread went back to an earlier turn, and so do the counts."""
        self._total = self._before = None

    def begin_compaction(self) -> None:
        self._before_compaction = self._in_context

    def compacted(self, *, trigger: str) -> dict[str, Any]:
        """What `extensions.CONTEXT_COMPACTED` says."""
        before, self._before_compaction = self._before_compaction, None
        return {"trigger": trigger, **compact(preTokens=before, postTokens=self._in_context)}

    def read(self, usage: Native) -> dict[str, Any] | None:
        """`tokenUsage` of an update; the update that says how full the context is."""
        total, last = _counts(usage.get("total")), _counts(usage.get("last"))
        if self._before is None:
            # The first news of a thread that was resumed: what it had used before is not told.
            self._before = {name: total[name] - last[name] for name in _COUNTS}
        self._total = total
        self._in_context = last["totalTokens"]
        size = as_int(usage.get("modelContextWindow"))
        if size is None:
            return None
        return {"sessionUpdate": acp.USAGE_UPDATE, "used": last["totalTokens"], "size": size}

    def of_turn(self) -> dict[str, int]:
        total, before = self._total or {}, self._before or {}
        return _tokens({name: max(total.get(name, 0) - before.get(name, 0), 0) for name in _COUNTS})

    def of_call(self, thread_id: str, usage: Native) -> dict[str, int] | None:
        """Of the answer of the model that an update tells of. None: it tells of none, but once more of the last."""
        total = _counts(usage.get("total"))
        if self._totals.get(thread_id) == total:
            return None
        self._totals[thread_id] = total
        return _tokens(_counts(usage.get("last")))


def _tokens(used: Mapping[str, int]) -> dict[str, int]:
    """ACP's `usage`, where the parts add up: what came from a cache is not in the input."""
    cached, written = used["cachedInputTokens"], used["cacheWriteInputTokens"]
    return {
        "inputTokens": max(used["inputTokens"] - cached - written, 0),
        "outputTokens": used["outputTokens"],
        "cachedReadTokens": cached,
        "cachedWriteTokens": written,
        "thoughtTokens": used["reasoningOutputTokens"],
        "totalTokens": used["totalTokens"],
    }


_FAULTS: Final[Mapping[str, str]] = {
    "contextWindowExceeded": "context_overflow",
    "flexUnavailable": "agent_overloaded",
    "policyCapacityUnavailable": "agent_overloaded",
    "rateLimitExceeded": "agent_rate_limited",
    "serverOverloaded": "agent_overloaded",
    "sessionBudgetExceeded": "quota_exceeded",
    "usageLimitExceeded": "quota_exceeded",
}
"""Of `codexErrorInfo`, our codes."""

_STOP_REASONS: Final = {"completed": "end_turn", "interrupted": "cancelled"}


def prompt_answer(
    id: RequestId, turn: Native, usage: Mapping[str, int], *, structured: str | None = None
) -> Frame:
    """For a turn that is over. `structured`: what it said last, which was to be an object in JSON."""
    status = as_text(turn.get("status"))
    if status == "failed":
        return _failed(id, as_dict(turn.get("error")))
    return response(
        id,
        {
            # One that we do not know is passed on: it may mean anything but success.
            "stopReason": _STOP_REASONS.get(status, status) if status is not None else None,
            "usage": dict(usage),
            "_meta": {
                "codex": compact(turnId=turn.get("id"), durationMs=turn.get("durationMs")),
                **_structured_output(structured),
            },
        },
    )


def _structured_output(said: str | None) -> dict[str, Any]:
    """Codex asks the model for it and does not look whether it came."""
    try:
        return {} if said is None else {"structuredOutput": json.loads(said)}
    except (ValueError, RecursionError):
        return {}


def _failed(id: RequestId, error: Native) -> Frame:
    message = as_text(error.get("message")) or "Codex ended the turn with an error"
    info = error.get("codexErrorInfo")
    status = _http_status(info)
    fault = _FAULTS.get(info) if isinstance(info, str) else None
    data = compact(
        **{FAULT_CODE: fault},
        codexErrorInfo=info,
        httpStatusCode=status,
        additionalDetails=error.get("additionalDetails"),
    )
    if info == "unauthorized" or status == _UNAUTHORIZED:
        return error_response(id, AUTH_REQUIRED, f"{message}\n{LOGIN_HINT}", data)
    return error_response(id, INTERNAL_ERROR, message, data)


def _http_status(info: Any) -> int | None:
    """From `{kind: {httpStatusCode}}`."""
    for details in as_dict(info).values():
        if (status := as_int(as_dict(details).get("httpStatusCode"))) is not None:
            return status
    return None


def _counts(value: Any) -> dict[str, int]:
    given = as_dict(value)
    return {name: as_int(given.get(name)) or 0 for name in _COUNTS}
