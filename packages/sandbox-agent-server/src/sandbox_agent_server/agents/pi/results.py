"""How a turn ended: what the model's last message says, as the answer to `session/prompt`; and usage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    error_response,
    response,
)
from sandbox_agent_core.lenient import as_dict, as_int, as_str, compact

from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.pi.turns import Prompt

__all__ = [
    "CREDENTIALS_HINT",
    "Outcome",
    "compacted",
    "compaction_answer",
    "failure",
    "usage_update",
    "used",
]

CREDENTIALS_HINT: Final = (
    "Set the key of a provider (ANTHROPIC_API_KEY, OPENAI_API_KEY, …) in the environment, "
    "or log in with `/login` in Pi itself."
)

_STATUS: Final = re.compile(r"\A\D{0,40}?\b([45]\d\d)\b")
_UNAUTHORIZED: Final = 401
_NO_CREDENTIALS: Final = re.compile(r"\ANo (?:API key|models? )|\AAuthentication failed")
_STOP_REASONS: Final[dict[str | None, str]] = {
    "stop": "end_turn",
    "toolUse": "end_turn",
    "length": "max_tokens",
}
_TOKENS: Final = {
    "inputTokens": "input",
    "outputTokens": "output",
    "cachedReadTokens": "cacheRead",
    "cachedWriteTokens": "cacheWrite",
    "thoughtTokens": "reasoning",
    "totalTokens": "totalTokens",
}


class Outcome:
    """What the messages of the model came to since the prompt."""

    def __init__(self) -> None:
        self.model: str | None = None
        self._last: Native = {}
        self._tokens = dict.fromkeys(_TOKENS, 0)
        self._cost = 0.0

    def read(self, message: Native) -> None:
        self._last = message
        model = message.get("model")
        self.model = model if isinstance(model, str) else self.model
        tokens, cost = used(message)
        for name, count in tokens.items():
            self._tokens[name] += count
        self._cost += cost

    def answer(self, prompt: Prompt) -> Frame:
        """The response to `session/prompt`."""
        reason = self._stop_reason(is_cancelled=prompt.is_cancelled)
        if reason is None:
            return failure(prompt, str(self._last.get("errorMessage") or "Pi ended with an error"))
        tokens = {name: count for name, count in self._tokens.items() if name != "thoughtTokens"}
        if self._tokens["thoughtTokens"]:
            tokens["thoughtTokens"] = self._tokens["thoughtTokens"]
        meta = {"cost": {"amount": round(self._cost, 9), "currency": "USD"}}
        return response(prompt.id, {"stopReason": reason, "usage": tokens, "_meta": meta})

    def _stop_reason(self, *, is_cancelled: bool) -> str | None:
        """None when the turn failed."""
        if not self._last:
            return "cancelled" if is_cancelled else "end_turn"  # a command that asked no model
        stopped = as_str(self._last.get("stopReason"))
        if stopped == "aborted" or (is_cancelled and stopped != "stop"):
            return "cancelled"
        # One that we do not know is passed on: it may mean anything but success.
        return None if stopped == "error" else _STOP_REASONS.get(stopped, str(stopped or "unknown"))


def used(message: Native) -> tuple[dict[str, int], float]:
    """Tokens of an answer of the model in ACP's words, and what it cost."""
    usage = as_dict(message.get("usage"))
    tokens = {
        name: count if isinstance(count := usage.get(key), int) else 0
        for name, key in _TOKENS.items()
    }
    total = as_dict(usage.get("cost")).get("total")
    return tokens, total if isinstance(total, (int, float)) else 0.0


def failure(prompt: Prompt, message: str) -> Frame:
    """The answer to a prompt that failed; `message` is Pi's, which repeats the provider's."""
    status = int(found.group(1)) if (found := _STATUS.match(message)) else None
    data = {"apiErrorStatus": status} if status is not None else None
    if status == _UNAUTHORIZED or _NO_CREDENTIALS.match(message):
        return error_response(prompt.id, AUTH_REQUIRED, f"{message}\n{CREDENTIALS_HINT}", data)
    return error_response(prompt.id, INTERNAL_ERROR, message, data)


def compacted(event: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `context.compacted`, of a `compaction_end` that has a result."""
    return {
        "trigger": "manual" if event.get("reason") == "manual" else "auto",
        **compact(
            preTokens=as_int(result.get("tokensBefore")),
            postTokens=as_int(result.get("estimatedTokensAfter")),
            summary=as_str(result.get("summary")),
        ),
    }


def compaction_answer(prompt: Prompt, result: Mapping[str, Any]) -> Frame:
    outcome = Outcome()
    outcome.read({"stopReason": "stop", "usage": result.get("usage")})
    return outcome.answer(prompt)


def usage_update(stats: Mapping[str, Any], *, model: str | None) -> dict[str, Any] | None:
    """From `get_session_stats`: how full the context is, and what the session has cost."""
    context = as_dict(stats.get("contextUsage"))
    used, size = context.get("tokens"), context.get("contextWindow")
    # Right after a compaction Pi does not know how full the context is.
    if not isinstance(used, int) or not isinstance(size, int):
        return None
    update: dict[str, Any] = {"sessionUpdate": acp.USAGE_UPDATE, "used": used, "size": size}
    if isinstance(cost := stats.get("cost"), (int, float)):
        update["cost"] = {"amount": round(cost, 9), "currency": "USD"}
    if model is not None:
        update["_meta"] = {"model": model}
    return update
