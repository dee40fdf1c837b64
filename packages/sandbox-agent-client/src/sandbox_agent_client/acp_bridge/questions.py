"""What agents ask the editor: once, however often the connection is made again.

Nothing says whether an answer that was sent on a connection arrived before its end. So it is kept, and given again to the
question that is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.lenient import as_int

__all__ = ["Questions"]

Frame = dict[str, Any]
Send = Callable[[Frame], None]

_KEPT: Final = 256
"""Answers that were given. More than can have been on their way at once."""


@dataclass(slots=True)
class _Question:
    session_id: str
    request_id: str
    server_id: Any
    connection: int
    """On which it has that id; each counts from 0."""
    answer: Frame | None = None
    is_given: bool = False
    """The answer was sent, on that connection."""


class Questions:
    def __init__(self, to_editor: Send) -> None:
        self._to_editor = to_editor
        self._questions: dict[int, _Question] = {}
        """By the ids that they have for the editor."""
        self._next_id = 0
        self._connection = 0
        self._to_server: Send | None = None

    def connected(self) -> None:
        """A new connection. What is asked on it is answered once it is `ready`."""
        self._connection += 1

    def ready(self, send: Send) -> None:
        self._to_server = send
        for id in list(self._questions):
            self._give(id)

    def disconnected(self) -> None:
        self._to_server = None

    def asked(self, frame: Frame, *, session_id: str, request_id: str) -> None:
        """By an agent, perhaps not for the first time."""
        for id, question in list(self._questions.items()):
            if question.request_id == request_id:
                question.server_id, question.connection = frame["id"], self._connection
                question.is_given = False
                self._give(id)
                return
        id = self._next_id
        self._next_id += 1
        self._questions[id] = _Question(session_id, request_id, frame["id"], self._connection)
        self._to_editor({**frame, "id": id})

    def answered(self, frame: Frame) -> None:
        """By the editor. What nobody asked, or it has answered before, is ignored."""
        id = as_int(frame.get("id"))
        question = None if id is None else self._questions.get(id)
        if id is not None and question is not None and question.answer is None:
            question.answer = frame
            self._give(id)

    def withdrawn(self, server_id: Any) -> None:
        """On this connection: somebody else has answered, or nobody waits any more."""
        for id, question in list(self._questions.items()):
            if (question.server_id, question.connection) == (server_id, self._connection):
                self._drop(id)

    def only(self, session_id: str, *, still: Collection[Any]) -> None:
        """Of what the session's agent has asked before this connection, nothing else is open."""
        for id, question in list(self._questions.items()):
            is_earlier = question.connection != self._connection
            if (
                question.session_id == session_id
                and is_earlier
                and question.request_id not in still
            ):
                self._drop(id)

    def _drop(self, id: int) -> None:
        if self._questions.pop(id).answer is None:
            self._to_editor(notification(acp.CANCEL_REQUEST, {"requestId": id}))

    def _give(self, id: int) -> None:
        """The answer, if there is one, and where to."""
        question, send = self._questions[id], self._to_server
        if question.answer is None or question.is_given or send is None:
            return
        if question.connection == self._connection:
            question.is_given = True
            send({**question.answer, "id": question.server_id})
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        given = [id for id, question in self._questions.items() if question.is_given]
        for id in given[:-_KEPT]:
            del self._questions[id]
