"""Turns as a list has them, made of the events that tell of them: by a server from its log, elsewhere from what is kept of it."""

from __future__ import annotations

from sandbox_agent_core.api.prompts import PROMPT_MAX_CHARS
from sandbox_agent_core.api.turns import TurnSummary
from sandbox_agent_core.events import Event, TurnDropped, TurnEnded, TurnQueued, TurnStarted

__all__ = ["first_words", "turn_after"]


def first_words(text: str) -> str:
    """The beginning, in one line."""
    # More would only be taken apart to be thrown away.
    return " ".join(text[: 4 * PROMPT_MAX_CHARS].split())[:PROMPT_MAX_CHARS]


def turn_after(turn: TurnSummary | None, event: Event) -> TurnSummary | None:
    """The turn once that has happened; None for what is no matter of turns."""
    at = event.to_wire()["time"]
    match event:
        case TurnQueued() | TurnStarted():
            is_queued = isinstance(event, TurnQueued)
            started = {"queued_at": at} if is_queued else {"started_at": at}
            new = TurnSummary(
                id=event.turn_id or "",
                status="queued" if is_queued else "running",
                origin=event.origin,
                prompt=first_words(event.text),
                seq=event.seq,
            )
            if turn is not None:  # it was queued before
                new = turn.model_copy(update={"status": new.status, "seq": event.seq})
            return new.model_copy(update=started)
        case TurnEnded():
            ended = {"status": "ended", "stop_reason": event.stop_reason, "ended_at": at}
        case TurnDropped():
            reason = "cancelled" if event.reason == "cancelled" else "interrupted"
            ended = {"status": "ended", "stop_reason": reason, "ended_at": at}
        case _:
            return None
    return None if turn is None else turn.model_copy(update=ended)
