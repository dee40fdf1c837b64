"""Which `result` answers the prompt, and when a cancelled prompt has to be interrupted again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId
from sandbox_agent_core.frames.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    error_response,
    response,
)
from sandbox_agent_core.lenient import as_dict, as_list

__all__ = ["DROPPED", "OwnTurn", "Prompt", "Turns"]

Native = Mapping[str, Any]

_OWN_ORIGIN: Final = "task-notification"
DROPPED: Final = frozenset({"cancelled", "discarded"})
"""States of `command_lifecycle` in which Claude will not take a line."""


@dataclass(slots=True)
class Prompt:
    id: RequestId
    """Of the `session/prompt` that it answers to."""
    uuid: str
    is_command: bool
    """A slash command: its output is local, not the model's."""
    has_begun: bool = False
    is_cancelled: bool = False
    results: list[Native] = field(default_factory=list)
    """Those so far, when more was said into its turn: Claude takes that beside the result of a tool, or, where there
    is no more of them, as a turn of its own, with a result of its own."""
    cost: float = 0.0


@dataclass(slots=True)
class Steer:
    """What was said into the turn of the prompt."""

    request_id: RequestId | None
    """Of the request for it; None once that is answered."""
    has_begun: bool = False


@dataclass(slots=True)
class OwnTurn:
    """One that Claude begins by itself, when a background task has ended."""

    is_cancelled: bool = False


class Turns:
    """Claude starts turns of its own (a background task ended): their results answer nobody."""

    def __init__(self) -> None:
        self.prompt: Prompt | None = None
        self.own: OwnTurn | None = None
        self._steers: dict[str, Steer] = {}
        self._tells_lifecycle = False
        self._is_begun_by_itself = False
        """Claude has announced a turn that belongs to no prompt."""

    def begin(self, prompt: Prompt) -> None:
        self.prompt = prompt

    def end(self) -> None:
        self.prompt = None
        self._steers.clear()

    def steer(self, uuid: str, request_id: RequestId) -> None:
        self._steers[uuid] = Steer(request_id)

    @property
    def can_be_steered(self) -> bool:
        """A prompt runs, and Claude will tell what becomes of what is said into its turn."""
        return self.prompt is not None and self._tells_lifecycle

    def read_result(self, result: Native, cost: float) -> Prompt | None:
        """One that answers the prompt, which is returned when it is over: what was said into its turn, and is
        still to be taken, brings a result of its own."""
        prompt = self.prompt
        if prompt is None:
            return None
        prompt.results.append(result)
        prompt.cost += cost
        self._steers = {uuid: each for uuid, each in self._steers.items() if not each.has_begun}
        return self.take_over()

    def take_over(self) -> Prompt | None:
        """The prompt, when it has a result and nothing more is to come."""
        prompt = self.prompt
        if prompt is None or not prompt.results or self._steers:
            return None
        self.end()
        return prompt

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
        named = as_list(result.get("user_message_uuids")) or [result.get("user_message_uuid")]
        uuids = [uuid for uuid in named if isinstance(uuid, str)]
        if prompt.uuid in uuids or not self._steers.keys().isdisjoint(uuids):
            return True
        if as_dict(result.get("origin")).get("kind") == _OWN_ORIGIN:
            return False
        # A failed turn may name nobody; an old Claude Code never does, nor tells lifecycles.
        return prompt.has_begun or not self._tells_lifecycle

    def read_lifecycle(self, message: Mapping[str, Any]) -> list[Frame]:
        """`command_lifecycle`: the answers that no `result` will bring."""
        self._tells_lifecycle = True
        uuid, state = str(message.get("command_uuid")), message.get("state")
        if (steer := self._steers.get(uuid)) is not None:
            return self._read_steer(uuid, steer, state)
        prompt = self.prompt
        if prompt is None or uuid != prompt.uuid:
            return []
        if state == "started":
            prompt.has_begun = True
            return []
        if str(state) in DROPPED:
            # Interrupted before its turn began: there is no turn, so there is no result.
            self.end()
            return [response(prompt.id, {"stopReason": "cancelled"})]
        if state == "completed" and not self._steers:
            # Normally after the result; without one when it was folded into a turn already running.
            self.end()
            return [response(prompt.id, {"stopReason": "end_turn"})]
        if state == "refused":
            self.end()
            return [error_response(prompt.id, INTERNAL_ERROR, "Claude Code refused the prompt")]
        return []

    def _read_steer(self, uuid: str, steer: Steer, state: Any) -> list[Frame]:
        id, steer.request_id = steer.request_id, None
        if str(state) in DROPPED:
            del self._steers[uuid]
            return [] if id is None else [_not_taken(id)]
        steer.has_begun = steer.has_begun or state == "started"
        return [] if id is None else [response(id, {})]

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


def _not_taken(id: RequestId) -> Frame:
    return error_response(id, INVALID_REQUEST, "the turn was cancelled before this was taken")
