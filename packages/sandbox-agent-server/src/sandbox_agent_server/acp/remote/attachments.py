"""The sessions that one ACP client follows, and what their agents ask it."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import count
from typing import Any, Protocol

from sandbox_agent_server.acp.remote.attachment import Attachment, Question
from sandbox_agent_server.acp.remote.outlet import Outlet
from sandbox_agent_server.acp.remote.reading import Reader
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.manager import SessionManager

__all__ = ["Attachments", "MakeReader"]


class MakeReader(Protocol):
    def __call__(self, manager: SessionManager, session_id: str, *, is_resumed: bool) -> Reader: ...


class Attachments:
    def __init__(
        self,
        manager: SessionManager,
        outlet: Outlet,
        limits: Limits,
        tasks: TaskOwner,
        reader: MakeReader,
    ) -> None:
        self.questions: dict[int, Question] = {}
        """That are open, by the ids that they have on this connection."""
        self.asks: frozenset[str] = frozenset()
        """Methods by which the client can be asked; others may answer the rest."""
        self._manager = manager
        self._outlet = outlet
        self._limits = limits
        self._tasks = tasks
        self._make_reader = reader
        self._attached: dict[str, tuple[Attachment, asyncio.Task[Any]]] = {}
        self._new_id = partial(next, count())

    def of(self, session_id: str) -> Attachment:
        """The session as this client follows it; from now on, if it did not. Raises: SessionNotFound."""
        if (known := self._attached.get(session_id)) is not None and not known[1].done():
            return known[0]
        last_seq = self._manager.reader.log(session_id).last_seq
        return self.follow(session_id, after=last_seq, shown_after=last_seq)

    def follow(
        self,
        session_id: str,
        *,
        after: int,
        shown_after: int,
        pending: frozenset[str] = frozenset(),
        own_turns: frozenset[str] = frozenset(),
        is_resumed: bool = False,
    ) -> Attachment:
        """From there on, whatever it followed before; prompts that wait for their answers go on waiting."""
        attachment = Attachment(
            self._manager.reader.log(session_id),
            self._make_reader(self._manager, session_id, is_resumed=is_resumed),
            self._outlet,
            self.questions,
            self._new_id,
            after=after,
            shown_after=shown_after,
            pending=pending,
            own_turns=own_turns,
            asks=self.asks,
        )
        if (earlier := self._attached.get(session_id)) is not None:
            earlier[1].cancel()
            attachment.turns.update(earlier[0].turns)
            self._forget_questions(session_id)
        self._outlet.opened(session_id)
        task = self._tasks.spawn(
            attachment.run(heartbeat_s=self._limits.heartbeat_s), name=session_id
        )
        self._attached[session_id] = (attachment, task)
        return attachment

    async def let_go(self, session_id: str) -> None:
        """The client has been told all that is in the log by now, and is told nothing more."""
        if (known := self._attached.get(session_id)) is None:
            return
        attachment, task = known
        await attachment.reached(self._manager.reader.log(session_id).last_seq)
        if self._attached.get(session_id) is known:
            del self._attached[session_id]
            task.cancel()
            self._forget_questions(session_id)

    def _forget_questions(self, session_id: str) -> None:
        for id in [id for id, one in self.questions.items() if one.session_id == session_id]:
            del self.questions[id]
