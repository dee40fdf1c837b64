"""Which `result` answers the prompt, and when a cancelled prompt has to be interrupted again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId
from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR, error_response, response

__all__ = ["OwnTurn", "Prompt", "Turns"]

_DROPPED: Final = frozenset({"cancelled", "discarded"})


@dataclass(slots=True)
class Prompt:
    id: RequestId
    """Of the `session/prompt` that it answers to."""
    uuid: str
    is_command: bool
    """A slash command: its output is local, not the model's."""
    has_begun: bool = False
    is_cancelled: bool = False


@dataclass(slots=True)
class OwnTurn:
    """One that Claude begins by itself, when a background task has ended."""

    is_cancelled: bool = False


class Turns:
    """Claude starts turns of its own (a background task ended): their results answer nobody."""

    def __init__(self) -> None:
        self.prompt: Prompt | None = None
        self.own: OwnTurn | None = None
        self._tells_lifecycle = False
        self._is_begun_by_itself = False
        """Claude has announced a turn that belongs to no prompt."""

    def begin(self, prompt: Prompt) -> None:
        self.prompt = prompt

    def end(self) -> None:
        self.prompt = None

    def cancel(self) -> None:
        if self.prompt is not None:
            self.prompt.is_cancelled = True
        if self.own is not None:
            self.own.is_cancelled = True

    @property
    def is_cancelled(self) -> bool:
        return any(turn is not None and turn.is_cancelled for turn in (self.prompt, self.own))

    def begins_own(self, message: Mapping[str, Any]) -> bool:
        """From this message on Claude is in a turn of its own.

        `system/init` announces every turn, and the `command_lifecycle` of a prompt comes before it. It begins
        with the first request to the model, so that an announcement alone leaves nothing open.
        """
        kind = message.get("type")
        if kind == "system" and message.get("subtype") == "init":
            prompt = self.prompt
            is_prompted = prompt is not None and (prompt.has_begun or not self._tells_lifecycle)
            self._is_begun_by_itself = self.own is None and not is_prompted
            return False
        is_status = kind == "system" and message.get("status") == "requesting"
        is_said = kind in ("stream_event", "assistant") and not message.get("parent_tool_use_id")
        is_end = kind == "result" and not self.is_answered_by(message)
        if not self._is_begun_by_itself or not (is_status or is_said or is_end):
            return False
        self._is_begun_by_itself = False
        self.own = OwnTurn()
        return True

    def end_own(self) -> OwnTurn | None:
        own, self.own = self.own, None
        return own

    def is_answered_by(self, result: Mapping[str, Any]) -> bool:
        prompt = self.prompt
        if prompt is None:
            return False
        named = result.get("user_message_uuids")
        uuids = named if isinstance(named, list) else [result.get("user_message_uuid")]
        if prompt.uuid in uuids:
            return True
        # A failed turn may name nobody; an old Claude Code never does, nor tells lifecycles.
        return prompt.has_begun or not self._tells_lifecycle

    def read_lifecycle(self, message: Mapping[str, Any]) -> Frame | None:
        """`command_lifecycle`: the answer to the prompt when no `result` will come for it."""
        self._tells_lifecycle = True
        prompt, state = self.prompt, message.get("state")
        if prompt is None or message.get("command_uuid") != prompt.uuid:
            return None
        if state == "started":
            prompt.has_begun = True
            return None
        if state in _DROPPED:
            # Interrupted before its turn began: there is no turn, so there is no result.
            self.end()
            return response(prompt.id, {"stopReason": "cancelled"})
        if state == "completed":
            # Normally after the result; without one when it was folded into a turn already running.
            self.end()
            return response(prompt.id, {"stopReason": "end_turn"})
        if state == "refused":
            self.end()
            return error_response(prompt.id, INTERNAL_ERROR, "Claude Code refused the prompt")
        return None

    def is_running_on(self, message: Mapping[str, Any]) -> bool:
        """A cancelled prompt gets going all the same: the interrupt came before its turn did.

        Seen on 2.1.330 without `cancel_queued`: an interrupt sent right behind a prompt is answered
        at once and stops nothing.
        """
        prompt = self.prompt
        if prompt is None or not prompt.is_cancelled:
            return False
        match message:
            case {"type": "system", "subtype": "init"}:
                return True
            case {"type": "system", "subtype": "status", "status": "requesting"}:
                return True
            case {"type": "command_lifecycle", "state": "started", "command_uuid": uuid}:
                return bool(uuid == prompt.uuid)
            case _:
                return False
