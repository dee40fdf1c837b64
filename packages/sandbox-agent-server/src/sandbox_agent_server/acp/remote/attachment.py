"""One session as one ACP client follows it: what is said goes out, what was asked of it is answered in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR, notification, request
from sandbox_agent_core.lenient import as_dict, dicts_with

from sandbox_agent_server.acp.remote.outlet import Outlet
from sandbox_agent_server.acp.remote.reading import (
    Asked,
    Item,
    Passed,
    PromptAnswered,
    Reader,
    Resolved,
    Said,
    Standing,
)
from sandbox_agent_server.acp.remote.vocabulary import META
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.follower import Follower
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.log.views import Batch

__all__ = ["Attachment", "Question"]

Answer = Callable[[dict[str, Any]], bytes]
"""Makes the response of `{result}` or `{error}`."""

_HEARTBEAT: Final[list[Item]] = []


@dataclass(frozen=True, slots=True)
class Question:
    """What the agent of a session asks this client, and what its answer belongs to."""

    session_id: str
    request_id: str
    rpc_id: Any
    method: str
    options: tuple[str, ...]
    """Of a permission: what may be chosen."""


class Attachment:
    """Follows the log from a cursor. Everything that goes out for the session does so from here, in its order."""

    def __init__(
        self,
        log: SessionLog,
        reader: Reader,
        outlet: Outlet,
        questions: dict[int, Question],
        new_id: Callable[[], int],
        *,
        after: int,
        shown_after: int,
        pending: frozenset[str] = frozenset(),
        own_turns: frozenset[str] = frozenset(),
        asks: frozenset[str],
    ) -> None:
        """It is read `after`, shown after `shown_after`. `pending`: requests that are open now, and asked anew when
        everything up to now was shown. `own_turns`: prompts of the client from before, whose words it need not be
        told. `asks`: methods by which the client can be asked. `questions` are those of the client, by the ids of its connection."""
        self.session_id = log.session_id
        self.turns: dict[str, Answer] = {}
        """The prompts of this client that are not answered, by their turns."""
        self._log = log
        self._reader = reader
        self._outlet = outlet
        self._questions = questions
        self._new_id = new_id
        self._after = after
        self._shown_after = shown_after
        self._now = log.last_seq
        self._pending = pending
        self._held: list[Asked] = []
        self._passed = -1
        self._has_moved = asyncio.Event()
        self._is_over = False
        self._asks = asks
        self._own_turns = own_turns
        self.over: dict[str, dict[str, Any]] = {}
        """The answers to those of `own_turns` that came meanwhile, and got lost on their way."""

    async def current(self) -> None:
        """Until everything is out that was in the log when this was made."""
        await self.reached(self._now)

    async def reached(self, seq: int) -> None:
        """Until everything up to there is out, or nothing goes out any more."""
        while not self._is_over and self._passed < seq:
            self._has_moved.clear()
            await self._has_moved.wait()

    async def run(self, *, heartbeat_s: float) -> None:
        """Until the log is closed, or the client has left."""
        follower = Follower(
            self._log,
            self._after,
            render=self._render,
            send=self._send,
            drain=self._outlet.drain,
            heartbeat=_HEARTBEAT,
            heartbeat_s=heartbeat_s,
        )
        try:
            with suppress(ConnectionError):
                if self._now <= self._after:
                    await self._send([Standing(self._reader.standing())])
                self._pass(self._after)
                await follower.run()
                await self._give_up()
        finally:
            self._is_over = True
            self._has_moved.set()

    def _pass(self, seq: int) -> None:
        self._passed = seq
        self._has_moved.set()

    async def _give_up(self) -> None:
        """The log is closed: nobody will say how what runs has ended."""
        error = {"code": INTERNAL_ERROR, "message": "the session is closed"}
        while self.turns:
            _, answer = self.turns.popitem()
            await self._outlet.send(self.session_id, answer({"error": error}))

    async def ask_again(self) -> None:
        """What waited for an answer before this client came."""
        held, self._held = self._held, []
        for asked in held:
            await self._ask(asked)

    def _render(self, batch: Batch) -> list[Item]:
        return self._reader.read(batch.entries)

    async def _send(self, items: list[Item]) -> None:
        for item in items:
            match item:
                case Said():
                    await self._say(item)
                case Asked():
                    await self._put(item)
                case Resolved():
                    await self._withdraw(item.request_id)
                case PromptAnswered():
                    await self._end(item)
                case Standing():
                    for message in item.messages:
                        await self._outlet.send(self.session_id, message)
                case Passed():
                    self._pass(item.seq)

    async def _say(self, said: Said) -> None:
        if said.seq > self._shown_after and not self._knows(said):
            for message in said.messages:
                await self._outlet.send(self.session_id, message)

    async def _put(self, asked: Asked) -> None:
        if asked.seq > self._now:
            await self._ask(asked)
        elif asked.request_id in self._pending:
            self._held.append(asked)

    async def _end(self, over: PromptAnswered) -> None:
        if over.turn_id in self._own_turns:
            self.over[over.turn_id] = over.answer
        if (answer := self.turns.pop(over.turn_id, None)) is not None:
            await self._outlet.send(self.session_id, answer(over.answer))

    def _knows(self, said: Said) -> bool:
        """It is a prompt that the client gave itself. One that runs is told again when the session is loaded."""
        turn_id = said.by_turn
        return turn_id in self._own_turns or (turn_id in self.turns and said.seq > self._now)

    async def _ask(self, asked: Asked) -> None:
        if asked.method not in self._asks:
            return
        id = self._new_id()
        self._questions[id] = Question(
            self.session_id, asked.request_id, asked.rpc_id, asked.method, _options_of(asked)
        )
        own = {"cursor": asked.seq, "requestId": asked.request_id}
        meta = {**as_dict(asked.params.get("_meta")), META: own}
        params = {**asked.params, "sessionId": self.session_id, "_meta": meta}
        await self._outlet.send(self.session_id, dumps(request(id, asked.method, params)))

    async def _withdraw(self, request_id: str) -> None:
        """It was answered elsewhere, or nobody waits for it any more."""
        self._held = [asked for asked in self._held if asked.request_id != request_id]
        for id, question in list(self._questions.items()):
            if question.request_id == request_id:
                del self._questions[id]
                cancel = notification(acp.CANCEL_REQUEST, {"requestId": id})
                await self._outlet.send(self.session_id, dumps(cancel))


def _options_of(asked: Asked) -> tuple[str, ...]:
    offered = dicts_with(asked.params.get("options"), "optionId")
    return tuple(option["optionId"] for option in offered)
