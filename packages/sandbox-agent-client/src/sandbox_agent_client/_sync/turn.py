# Generated from `_async/turn.py` by `scripts/unasync.py`: do not edit.
"""One turn, in the hands of whoever began it or knows its id."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from sandbox_agent_core.api.git import SessionDiff
from sandbox_agent_core.api.prompts import CancelResult
from sandbox_agent_core.api.turns import TurnInfo, TurnStatus
from sandbox_agent_core.events import Event

from sandbox_agent_client._calls import git as git_calls
from sandbox_agent_client._calls import turns as calls
from sandbox_agent_client._result import PromptResult
from sandbox_agent_client._sync.turns import SessionTurns

__all__ = ["TurnSync"]


class TurnSync:
    """Made by `SessionSync.send` and `SessionSync.turn`. The turn goes on at the server whatever becomes of this object."""

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

    def info(self) -> TurnInfo:
        """What the server knows of it: whether it has ended, how, and what it used and cost.

        Raises:
            TurnNotFound: the session has never had it.
        """
        self._turns.left_behind()
        return self._turns.call(calls.get(self.session_id, self.id))

    def status(self) -> TurnStatus:
        """`queued`, `running` or `ended`. Raises: TurnNotFound."""
        return (self.info()).status

    def result(self, *, wait_for_background: bool = False) -> PromptResult:
        """As `SessionSync.prompt` answers: waits until it is over. Can be asked for again, and of a turn of long ago.

        Raises:
            TurnNotFound: the server knows no such turn. And what `SessionSync.prompt` raises.
        """
        return self._turns.result(
            self.id, after=self._begin(), wait_for_background=wait_for_background
        )

    def events(self) -> Generator[Event, None, None]:
        """All of its events, from its begin to its end, whether they are of the past or still to come.

        Leaving the loop does not cancel it. Raises: TurnNotFound.
        """
        events = self._turns.events(self.id, after=self._begin())
        with closing(events):
            for event in events:
                yield event

    def diff(self) -> SessionDiff:
        """What it has changed, as `SessionSync.diff` tells it. Raises: TurnNotFound."""
        return self._turns.call(git_calls.session_diff(self.session_id, self.id))

    def cancel(self, *, wait: bool = False) -> CancelResult:
        """Cancel it, running or queued. `wait`: until it has ended, as `SessionSync.cancel` does. One that has ended
        is left alone."""
        return self._turns.call(calls.cancel(self.session_id, self.id, wait=wait))

    def _begin(self) -> int:
        if self._seq is None:
            self._seq = (self.info()).seq
        return self._seq
