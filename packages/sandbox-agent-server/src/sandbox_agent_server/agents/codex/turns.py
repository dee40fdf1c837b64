"""Which turns run, on which thread, which of them answers the prompt, and what has to be stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox_agent_core.frames import RequestId
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Due", "Prompt", "Turns"]


@dataclass(slots=True)
class Prompt:
    id: RequestId
    """Of the `session/prompt` that it answers to."""
    turn_id: str | None = None
    """None until Codex has told."""
    is_cancelled: bool = False


@dataclass(slots=True)
class Due:
    """What has to be stopped now."""

    interrupts: list[tuple[str, str]] = field(default_factory=list)
    """Thread and turn, of turns that go on."""
    left_by: list[str] = field(default_factory=list)
    """Threads of turns that were interrupted. Codex lets their commands run on, as terminals in the
    background; one may run before its item is told, so it is looked for even when none was."""


class Turns:
    """Codex also starts turns by itself (sub-agents, goals): those answer nobody."""

    def __init__(self, main_thread_id: str) -> None:
        self.prompt: Prompt | None = None
        self._main = main_thread_id
        self._running: dict[str, str] = {}
        """Thread and turn, of turns that can be interrupted."""
        self._refused: set[str] = set()
        """Turns whose interrupt Codex refused."""
        self._due = Due()
        self._own: str | None = None
        """The turn of the main thread that runs and answers no prompt."""

    def begin(self, prompt: Prompt) -> None:
        self.prompt = prompt

    def read_start(self, result: Any) -> None:
        """The answer to `turn/start`. The turn is not running yet: Codex refuses to interrupt it
        ("no active turn") until it has sent `turn/started`."""
        if self.prompt is not None:
            self.prompt.turn_id = as_text(as_dict(as_dict(result).get("turn")).get("id"))

    def begins_own(self, thread_id: str, turn: Native) -> bool:
        """Codex has begun it by itself: it follows a goal."""
        prompt = self.prompt
        # `turn/start` may be answered after its turn has begun; the turn of a review names the one it is part of.
        of_prompt = prompt is not None and prompt.turn_id in (
            None,
            turn.get("id"),
            turn.get("rootTurnId"),
        )
        if thread_id != self._main or of_prompt:
            return False
        self._own = str(turn.get("id"))
        return True

    def ends_own(self, turn: Native) -> bool:
        if self._own is None or self._own != str(turn.get("id")):
            return False
        self._own = None
        return True

    @property
    def other_threads(self) -> list[str]:
        """Of sub-agents that are at work."""
        return [thread_id for thread_id in self._running if thread_id != self._main]

    def interrupt(self, thread_id: str) -> None:
        if (turn_id := self._running.get(thread_id)) is not None:
            self._due.interrupts.append((thread_id, turn_id))

    def started(self, thread_id: str, turn: Native) -> None:
        turn_id = str(turn.get("id"))
        self._running[thread_id] = turn_id
        if self.prompt is not None and self.prompt.is_cancelled:
            self._due.interrupts.append((thread_id, turn_id))

    def completed(self, thread_id: str, turn: Native) -> Prompt | None:
        """The prompt that this answers."""
        turn_id = str(turn.get("id"))
        if self._running.get(thread_id) == turn_id:
            del self._running[thread_id]
        self._refused.discard(turn_id)
        if turn.get("status") == "interrupted":
            self._due.left_by.append(thread_id)
        prompt = self.prompt
        if prompt is None or thread_id != self._main or prompt.turn_id not in (None, turn_id):
            return None
        self.prompt = None
        return prompt

    def cancel(self) -> None:
        """All that runs, sub-agents too, is to be interrupted. What starts late follows."""
        if self.prompt is not None:
            self.prompt.is_cancelled = True
        self._due.interrupts += self._running.items()

    def interrupt_refused(self, turn_id: str) -> None:
        if turn_id in self._running.values():
            self._refused.add(turn_id)

    def goes_on(self, thread_id: Any) -> None:
        """A message of a thread: when the interrupt of its turn was refused, it is due once more."""
        turn_id = self._running.get(thread_id) if isinstance(thread_id, str) else None
        if turn_id is not None and turn_id in self._refused:
            self._refused.discard(turn_id)
            self._due.interrupts.append((thread_id, turn_id))

    def take_due(self) -> Due:
        due, self._due = self._due, Due()
        return due

    def is_prompt_turn(self, params: Native) -> bool:
        prompt = self.prompt
        return (
            prompt is not None
            and params.get("threadId") == self._main
            and params.get("turnId") == prompt.turn_id
        )
