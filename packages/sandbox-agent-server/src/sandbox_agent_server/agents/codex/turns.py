"""Which turns run, on which thread, which of them answers the prompt, and what has to be interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox_agent_core.frames import RequestId

from sandbox_agent_server.agents.codex.native import Native
from sandbox_agent_server.agents.codex.reading import members, text

__all__ = ["Prompt", "Turns"]


@dataclass(slots=True)
class Prompt:
    id: RequestId
    """Of the `session/prompt` that it answers to."""
    turn_id: str | None = None
    """None until Codex has told."""
    is_cancelled: bool = False


class Turns:
    """Codex also starts turns by itself (sub-agents, goals): those answer nobody."""

    def __init__(self, main_thread_id: str) -> None:
        self.prompt: Prompt | None = None
        self._main = main_thread_id
        self._running: dict[str, str] = {}
        """Thread and turn, of turns that can be interrupted."""
        self._refused: set[str] = set()
        """Turns whose interrupt Codex refused."""

    def begin(self, prompt: Prompt) -> None:
        self.prompt = prompt

    def read_start(self, result: Any) -> None:
        """The answer to `turn/start`. The turn is not running yet: Codex refuses to interrupt it
        ("no active turn") until it has sent `turn/started`."""
        if self.prompt is not None:
            self.prompt.turn_id = text(members(members(result).get("turn")).get("id"))

    def started(self, thread_id: str, turn: Native) -> list[tuple[str, str]]:
        """What has to be interrupted now."""
        turn_id = str(turn.get("id"))
        self._running[thread_id] = turn_id
        if self.prompt is not None and self.prompt.is_cancelled:
            return [(thread_id, turn_id)]
        return []

    def completed(self, thread_id: str, turn: Native) -> Prompt | None:
        """The prompt that this answers."""
        turn_id = str(turn.get("id"))
        if self._running.get(thread_id) == turn_id:
            del self._running[thread_id]
        self._refused.discard(turn_id)
        prompt = self.prompt
        if prompt is None or thread_id != self._main or prompt.turn_id not in (None, turn_id):
            return None
        self.prompt = None
        return prompt

    def cancel(self) -> list[tuple[str, str]]:
        """What has to be interrupted: all that runs, sub-agents too. What starts late follows."""
        if self.prompt is not None:
            self.prompt.is_cancelled = True
        return list(self._running.items())

    def interrupt_refused(self, turn_id: Any) -> None:
        if turn_id in self._running.values():
            self._refused.add(str(turn_id))

    def again(self, thread_id: Any) -> list[tuple[str, str]]:
        """A turn goes on whose interrupt was refused: interrupt it once more."""
        turn_id = self._running.get(thread_id) if isinstance(thread_id, str) else None
        if turn_id is None or turn_id not in self._refused:
            return []
        self._refused.discard(turn_id)
        return [(str(thread_id), turn_id)]

    def is_prompt_turn(self, params: Native) -> bool:
        prompt = self.prompt
        return (
            prompt is not None
            and params.get("threadId") == self._main
            and params.get("turnId") == prompt.turn_id
        )
