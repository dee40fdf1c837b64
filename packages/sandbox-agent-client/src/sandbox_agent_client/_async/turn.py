"""One turn, in the hands of whoever began it or knows its id."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sandbox_agent_core.api.git import SessionDiff
from sandbox_agent_core.api.prompts import CancelResult
from sandbox_agent_core.api.turns import TurnInfo, TurnStatus
from sandbox_agent_core.events import Event

from sandbox_agent_client._async.turns import SessionTurns
from sandbox_agent_client._calls import git as git_calls
from sandbox_agent_client._calls import turns as calls
from sandbox_agent_client._result import PromptResult

__all__ = ["Turn"]


class Turn:
    """Made by `Session.send` and `Session.turn`. The turn goes on at the server whatever becomes of this object."""

    def __init__(self, turns: SessionTurns, turn_id: str, *, seq: int | None = None) -> None:
        self._turns = turns
        self._id = turn_id
        self._seq = seq

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} of {self.session_id}>"

    @property
    def id(self) -> str:
        return self._id

    @property
    def session_id(self) -> str:
        return self._turns.session_id

    async def info(self) -> TurnInfo:
        """What the server knows of it: whether it has ended, how, and what it used and cost.

        Raises:
            TurnNotFound: the session has never had it.
        """
        await self._turns.left_behind()
        return await self._turns.call(calls.get(self.session_id, self.id))

    async def status(self) -> TurnStatus:
        """`queued`, `running` or `ended`. Raises: TurnNotFound."""
        return (await self.info()).status

    async def result(self, *, wait_for_background: bool = False) -> PromptResult:
        """As `Session.prompt` answers: waits until it is over. Can be asked for again, and of a turn of long ago.

        Raises:
            TurnNotFound: the server knows no such turn. And what `Session.prompt` raises.
        """
        return await self._turns.result(
            self.id, after=await self._begin(), wait_for_background=wait_for_background
        )

    async def events(self) -> AsyncGenerator[Event, None]:
        """All of its events, from its begin to its end, whether they are of the past or still to come.

        Leaving the loop does not cancel it. Raises: TurnNotFound.
        """
        events = self._turns.events(self.id, after=await self._begin())
        async with aclosing(events):
            async for event in events:
                yield event

    async def diff(self) -> SessionDiff:
        """What it has changed, as `Session.diff` tells it. Raises: TurnNotFound."""
        return await self._turns.call(git_calls.session_diff(self.session_id, self.id))

    async def cancel(self, *, wait: bool = False) -> CancelResult:
        """Cancel it, running or queued. `wait`: until it has ended, as `Session.cancel` does. One that has ended
        is left alone."""
        return await self._turns.call(calls.cancel(self.session_id, self.id, wait=wait))

    async def _begin(self) -> int:
        if self._seq is None:
            self._seq = (await self.info()).seq
        return self._seq
