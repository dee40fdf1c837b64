"""Which turns run, on which thread, which of them answers the prompt, and what has to be stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sandbox_agent_core.frames import RequestId
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["MAX_OWN_TURNS", "OWN_TURNS_ENDED", "Due", "Prompt", "Turns"]

MAX_OWN_TURNS: Final = 25
"""That Codex begins one after another, following a goal, until somebody prompts: then its goal is paused."""

OWN_TURNS_ENDED: Final[Native] = {
    "code": "limit_reached",
    "message": "Codex has begun as many turns by itself as it may: its goal is paused after this one. A prompt, "
    "and then `thread/goal/set` with `status: active`, goes on with it.",
    "retryable": False,
}


@dataclass(slots=True)
class Prompt:
    id: RequestId
    """Of the request that it answers to."""
    kind: Literal["prompt", "compact", "review"] = "prompt"
    is_structured: bool = False
    """Its answer is to be an object, of a schema that Codex was given."""
    turn_id: str | None = None
    """None until Codex has told."""
    is_cancelled: bool = False


@dataclass(slots=True)
class Due:
    """What Codex has to be asked now."""

    interrupts: list[tuple[str, str]] = field(default_factory=list)
    """Thread and turn, of turns that go on."""
    left_by: list[str] = field(default_factory=list)
    """Threads of turns that were interrupted. Codex lets their commands run on, as terminals in the
    background; one may run before its item is told, so it is looked for even when none was."""
    requests: list[tuple[str, Native]] = field(default_factory=list)
    """Of the main thread, whose turn is over."""
    pauses_goal: bool = False
    """Codex would go on with its goal by itself."""
    lists_skills: bool = False
    """There are others."""


class Turns:
    """Codex also starts turns by itself (sub-agents, goals): those answer nobody."""

    def __init__(self, main_thread_id: str, *, max_own: int) -> None:
        """`max_own`: so many turns Codex may begin by itself, one after another, until somebody prompts."""
        self.prompt: Prompt | None = None
        self._main = main_thread_id
        self._max_own = max_own
        self._begun_own = 0
        self._running: dict[str, str] = {}
        """Thread and turn, of turns that can be interrupted."""
        self._roots: dict[str, str] = {}
        """Of a running turn that is part of another: only that one is told to end. A review has such."""
        self._refused: set[str] = set()
        """Turns whose interrupt Codex refused."""
        self._due = Due()
        self._at_end: list[tuple[str, Native]] = []
        self._own: str | None = None
        """The turn of the main thread that runs and answers no prompt."""

    def begin(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.somebody_asks()

    def read_start(self, result: Any) -> None:
        """The answer to `turn/start`. The turn is not running yet: Codex refuses to interrupt it
        ("no active turn") until it has sent `turn/started`."""
        if self.prompt is not None:
            self.prompt.turn_id = as_text(as_dict(as_dict(result).get("turn")).get("id"))

    def somebody_asks(self) -> None:
        """Codex is not alone: it may begin as many turns again."""
        self._begun_own = 0

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
        self._begun_own += 1
        return True

    def bound_own(self, thread_id: str) -> bool:
        """Codex has begun a turn by itself: at the limit its goal is paused, and what it begins all the same is
        interrupted. True for the last turn that it may."""
        if self._begun_own < self._max_own:
            return False
        self._due.pauses_goal = True
        is_last = self._begun_own == self._max_own
        if not is_last:
            self.interrupt(thread_id)
        return is_last

    def ask_at_end(self, method: str, params: Native) -> None:
        self._at_end.append((method, params))

    def list_skills(self) -> None:
        self._due.lists_skills = True

    def ends_own(self, turn: Native) -> bool:
        if self._own is None or self._own != str(turn.get("id")):
            return False
        self._own = None
        return True

    @property
    def goes_on_by_itself(self) -> bool:
        """A turn runs that nobody prompted."""
        return self._own is not None

    @property
    def steerable(self) -> str | None:
        """The turn that what is said now would go into."""
        if self.prompt is None:
            return self._own
        return None if self.prompt.is_cancelled else self.prompt.turn_id

    @property
    def other_threads(self) -> list[str]:
        """Of sub-agents that are at work."""
        return [thread_id for thread_id in self._running if thread_id != self._main]

    def interrupt(self, thread_id: str) -> None:
        if (turn_id := self._running.get(thread_id)) is not None:
            self._due.interrupts.append((thread_id, turn_id))

    def started(self, thread_id: str, turn: Native) -> None:
        turn_id, root = str(turn.get("id")), as_text(turn.get("rootTurnId"))
        self._running[thread_id] = turn_id
        if root is not None and root != turn_id:
            self._roots[turn_id] = root
        prompt = self.prompt
        if prompt is not None and prompt.kind == "compact" and thread_id == self._main:
            prompt.turn_id = turn_id  # Nothing else says which it is.
        if prompt is not None and prompt.is_cancelled:
            self._due.interrupts.append((thread_id, turn_id))

    def completed(self, thread_id: str, turn: Native, *, is_own: bool) -> Prompt | None:
        """The prompt that this answers. One of Codex's own does when it has taken the prompt in."""
        turn_id = str(turn.get("id"))
        running = self._running.get(thread_id)
        if running is not None and turn_id in (running, self._roots.get(running)):
            del self._running[thread_id]
            self._refused.discard(running)
            self._roots.pop(running, None)
        if turn.get("status") == "interrupted":
            self._due.left_by.append(thread_id)
        if thread_id == self._main:
            self._due.requests += self._at_end
            self._at_end.clear()
        prompt = self.prompt
        answering = (turn_id,) if is_own else (None, turn_id)
        if prompt is None or thread_id != self._main or prompt.turn_id not in answering:
            return None
        self.prompt = None
        return prompt

    def cancel(self) -> None:
        """All that runs, sub-agents too, is to be interrupted. What starts late follows."""
        if self.prompt is not None:
            self.prompt.is_cancelled = True
        if self._own is not None:
            self._due.pauses_goal = True
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
