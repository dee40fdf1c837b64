"""Questions to an agent, and who waits for the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sandbox_agent_server.agents.native.refusals import AgentEnded

__all__ = ["Dispatcher", "QuestionId"]

QuestionId = str | int


class Dispatcher:
    """`name` makes the ids: of 1, 2, 3, …."""

    def __init__(self, name: Callable[[int], QuestionId]) -> None:
        self._name = name
        self._count = 0
        self._open: dict[QuestionId, asyncio.Future[dict[str, Any]]] = {}

    def question(self) -> tuple[QuestionId, asyncio.Future[dict[str, Any]]]:
        """The id of a new question, and the message that will answer it. Raises, later: AgentEnded."""
        self._count += 1
        id = self._name(self._count)
        answer = self._open[id] = asyncio.get_running_loop().create_future()
        return id, answer

    def awaits(self, id: Any) -> bool:
        return isinstance(id, QuestionId) and id in self._open

    def answer(self, id: QuestionId, message: dict[str, Any]) -> bool:
        """True when somebody goes on because of it: at once, when it is awaited straight."""
        answer = self._open.pop(id, None)
        if answer is None or answer.done():
            return False
        answer.set_result(message)
        return True

    def end(self) -> list[QuestionId]:
        """No answer will come any more. Returns what was open."""
        waiting = [(id, answer) for id, answer in self._open.items() if not answer.done()]
        self._open.clear()
        for _, answer in waiting:
            answer.set_exception(AgentEnded())
        return [id for id, _ in waiting]
