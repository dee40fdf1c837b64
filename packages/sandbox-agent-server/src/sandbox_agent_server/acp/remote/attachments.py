"""The sessions that one ACP client follows, and what their agents ask it."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import count
from typing import Any

from sandbox_agent_server.acp.remote.attachment import Attachment, Question
from sandbox_agent_server.acp.remote.outlet import Outlet
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.manager import SessionManager

__all__ = ["Attachments"]


class Attachments:
    def __init__(
        self, manager: SessionManager, outlet: Outlet, limits: Limits, tasks: TaskOwner
    ) -> None:
        self.questions: dict[int, Question] = {}
        """That are open, by the ids that they have on this connection."""
        self.asks: frozenset[str] = frozenset()
        """Methods by which the client can be asked; others may answer the rest."""
        self._manager = manager
        self._outlet = outlet
        self._limits = limits
        self._tasks = tasks
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
    ) -> Attachment:
        """From there on, whatever it followed before; prompts that wait for their answers go on waiting."""
        attachment = Attachment(
            self._manager.reader.log(session_id),
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
            for id in [id for id, one in self.questions.items() if one.session_id == session_id]:
                del self.questions[id]
        self._outlet.opened(session_id)
        task = self._tasks.spawn(
            attachment.run(heartbeat_s=self._limits.heartbeat_s), name=session_id
        )
        self._attached[session_id] = (attachment, task)
        return attachment
