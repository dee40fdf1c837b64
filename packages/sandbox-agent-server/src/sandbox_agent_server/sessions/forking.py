"""Where a fork of a session begins, and what it is given of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from sandbox_agent_core.api.long_work import ForkSession
from sandbox_agent_core.events import ForkedFrom
from sandbox_agent_core.spi.capabilities import AgentCapabilities

from sandbox_agent_server.agents.runner.handshake import ForkPoint
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.sessions.context import replay_text
from sandbox_agent_server.sessions.prompts import SessionPrompts, prompts_of
from sandbox_agent_server.sessions.recovery import entries_after
from sandbox_agent_server.sessions.state import SessionSettings, SessionState

__all__ = ["FORK_CONTEXT_MAX_CHARS", "Fork", "fork_of"]

FORK_CONTEXT_MAX_CHARS: Final = 48_000
"""Of the conversation that a fork is given as text. Of a fork of forks the oldest is left out."""
_CUT: Final = "[the beginning is left out]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    settings: SessionSettings
    """Of the new session."""
    point: ForkPoint | None
    """What its agent copies; None: it is given the transcript."""

    def as_transcript(self, reason: str) -> Fork:
        """For an agent that would not copy it after all."""
        origin = self.settings.forked_from
        assert origin is not None
        given = origin.model_copy(update={"how": "transcript", "reason": reason, "prompts": 0})
        return Fork(settings=self.settings.model_copy(update={"forked_from": given}), point=None)


async def fork_of(log: SessionLog, state: SessionState, wanted: ForkSession, *, cwd: str) -> Fork:
    """Up to the wanted turn; while a turn runs, up to that; else all of it.

    Raises:
        InvalidRequest: there is no such turn. StorageError: the log cannot be read.
    """
    prompts = await asyncio.to_thread(prompts_of, entries_after(log, 0))
    running = state.own_turn_id or state.turn_id
    before = wanted.before_turn_id or running
    if before is not None:
        prompts.check(before)
    seq = log.last_seq if before is None else prompts.turns[before] - 1
    point, why_not = _point(state, prompts, before, is_elsewhere=cwd != state.settings.cwd)
    origin = ForkedFrom(
        session_id=log.session_id,
        seq=seq,
        before_turn_id=before,
        how="transcript" if point is None else "native",
        reason=why_not,
        prompts=0 if point is None else _count(point, prompts),
    )
    earlier = await replay_text(log, until_seq=seq)
    settings = state.settings.to_wire() | {
        **wanted.model_dump(
            by_alias=True, include={"mode", "model", "metadata"}, exclude_none=True
        ),
        "title": wanted.title,
        "cwd": cwd,
        "forkedFrom": origin,
        "context": _joined(state.settings.context, earlier),
    }
    return Fork(settings=SessionSettings.model_validate(settings), point=point)


def _point(
    state: SessionState, prompts: SessionPrompts, before: str | None, *, is_elsewhere: bool
) -> tuple[ForkPoint | None, str | None]:
    """Or why there is none, of an agent that can fork."""
    can, agent_session_id = AgentCapabilities.read(state.capabilities), state.agent_session_id
    if not can.fork or agent_session_id is None:
        return None, None
    if is_elsewhere:
        return None, "it is in another workspace"
    if before is None:
        return ForkPoint(agent_session_id), None
    if not can.fork_at:
        return None, "the agent copies only the whole of a session"
    index = prompts.index_of(before)
    if index is None:
        return None, "the agent does not know that turn as one of a prompt"
    return ForkPoint(agent_session_id, index), None


def _count(point: ForkPoint, prompts: SessionPrompts) -> int:
    return prompts.count if point.before_prompt is None else point.before_prompt


def _joined(context: str | None, earlier: str) -> str | None:
    text = "\n\n".join(filter(None, (context, earlier)))
    if len(text) > FORK_CONTEXT_MAX_CHARS:
        text = _CUT + text[len(_CUT) - FORK_CONTEXT_MAX_CHARS :]
    return text or None
