"""A running prompt: what it has cost, how it failed, and when it is over. Pure.

OpenCode says `session.idle` more than once: after an abort or an error also before it has closed the
message that it was writing. Only an idle session without an open message has finished its turn.

When the model's API closes the connection in the middle of an answer, OpenCode asks again, at once and
without end: each answer is a message that finished for no reason. Somebody pays for them, so the
turn is stopped at some point.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    error_response,
    response,
)
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["MAX_BROKEN_MESSAGES", "Turn", "count"]

MAX_BROKEN_MESSAGES: Final = 4
"""In a row."""

_ABORTED: Final = "MessageAbortedError"
_TOO_LONG: Final = "MessageOutputLengthError"
_NO_KEY: Final = "ProviderAuthError"
_UNAUTHORIZED: Final = frozenset({401, 403})
_NO_REASON: Final = frozenset({"other", "unknown"})
_STOP_REASONS: Final[dict[str | None, str]] = {
    None: "end_turn",  # a command that asked no model
    "stop": "end_turn",
    "tool-calls": "end_turn",
    "length": "max_tokens",
    "content-filter": "refusal",
}
_TOKENS: Final = ("inputTokens", "outputTokens", "cachedReadTokens", "cachedWriteTokens")


@dataclass(slots=True)
class Turn:
    id: RequestId
    """Of the `session/prompt` that it answers."""
    login_hint: str
    is_prompt: bool = True
    """Not a compaction or a review."""
    is_cancelled: bool = False
    is_stopped: bool = False
    """By a refusal without a word to the model: OpenCode ends it as if it was done."""
    has_begun: bool = False
    """OpenCode has taken the prompt up: what it said before was about an earlier turn."""
    _error: Native = field(default_factory=dict)
    _finish: str | None = None
    _broken: dict[str, None] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    _usage: dict[str, dict[str, int]] = field(default_factory=dict)
    """By message: each says its own total again and again."""
    _said_into: set[str] = field(default_factory=set)
    """What was said into the turn and OpenCode has not shown yet, by its mark."""
    _has_been_steered: bool = False
    _last_of_user: str = ""
    _last_of_model: str = ""
    """Messages: their ids ascend."""
    _structured: list[Any] = field(default_factory=list)

    @property
    def is_answered(self) -> bool:
        """A message was begun, every one that was begun is complete, and nothing is left to be answered."""
        return bool(self._usage) and not self._open and not self._has_unanswered

    @property
    def has_more_to_do(self) -> bool:
        """Something that was said into it: Kilo takes that up only after it was idle."""
        return self._has_unanswered and not (self.is_cancelled or self._error)

    @property
    def _has_unanswered(self) -> bool:
        return bool(self._said_into) or (
            self._has_been_steered and self._last_of_user > self._last_of_model
        )

    def steer(self, mark: str) -> None:
        self._said_into.add(mark)
        self._has_been_steered = True

    def steered(self, mark: str) -> bool:
        """OpenCode has what was said, or does not take it. False when it is not of this turn."""
        is_ours = mark in self._said_into
        self._said_into.discard(mark)
        return is_ours

    def read_user(self, message_id: str) -> None:
        self.has_begun = True
        self._last_of_user = max(self._last_of_user, message_id)

    @property
    def is_stuck(self) -> bool:
        return len(self._broken) >= MAX_BROKEN_MESSAGES

    def read_message(self, message: Native, *, is_main: bool) -> None:
        """An assistant's message, of the session itself or of a sub-agent."""
        message_id = str(message.get("id"))
        self._usage[message_id] = count(message.get("tokens"))
        if not is_main:
            return
        self._last_of_model = max(self._last_of_model, message_id)
        if (structured := message.get("structured")) is not None:
            self._structured = [structured]
        if as_dict(message.get("time")).get("completed") is None:
            self._open.add(message_id)
            return
        self._open.discard(message_id)
        self._finish = as_text(message.get("finish"))
        if self._finish in _NO_REASON:
            self._broken[message_id] = None
        elif self._finish is not None:
            self._broken.clear()
        if error := as_dict(message.get("error")):
            self._error = error

    def read_error(self, error: Any) -> None:
        """`session.error`: also says what fails before there is a message."""
        self._error = as_dict(error) or {"name": "UnknownError"}

    def answer(self) -> Frame:
        """The response to `session/prompt`."""
        name = as_text(self._error.get("name"))
        if self.is_stuck and not self.is_cancelled:
            text = f"the model's answers broke off {len(self._broken)} times in a row"
            return error_response(self.id, INTERNAL_ERROR, text, {"errorName": "BrokenAnswers"})
        if self.is_cancelled or self.is_stopped or name == _ABORTED:
            return self._stopped("cancelled")
        if name == _TOO_LONG:
            return self._stopped("max_tokens")
        if name is not None:
            return self._failed(name)
        # One that we do not know is passed on: it may mean anything but success.
        return self._stopped(_STOP_REASONS.get(self._finish, self._finish))

    def _stopped(self, reason: str | None) -> Frame:
        counts = {
            name: sum(usage[name] for usage in self._usage.values())
            for name in (*_TOKENS, "totalTokens")
        }
        result: dict[str, Any] = {"stopReason": reason, "usage": counts}
        if self._structured:
            result["_meta"] = {"structuredOutput": self._structured[0]}
        return response(self.id, result)

    def _failed(self, name: str) -> Frame:
        told = as_dict(self._error.get("data"))
        text = as_text(told.get("message")) or name
        data: dict[str, Any] = {"errorName": name}
        status = told.get("statusCode")
        if isinstance(status, int):
            data["apiErrorStatus"] = status
        if name == _NO_KEY or status in _UNAUTHORIZED:
            return error_response(self.id, AUTH_REQUIRED, f"{text}\n{self.login_hint}", data)
        return error_response(self.id, INTERNAL_ERROR, text, data)


def count(tokens: Any) -> dict[str, int]:
    """OpenCode's token counts in ACP's words. It counts reasoning apart from the output."""
    tokens = as_dict(tokens)
    cache = as_dict(tokens.get("cache"))
    numbers = (
        _number(tokens.get("input")),
        _number(tokens.get("output")) + _number(tokens.get("reasoning")),
        _number(cache.get("read")),
        _number(cache.get("write")),
    )
    return {**dict(zip(_TOKENS, numbers, strict=True)), "totalTokens": sum(numbers)}


def _number(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
