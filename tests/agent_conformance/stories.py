"""A turn as a story: what was asked and answered on the way, and what it came to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from sandbox_agent_client import (
    Event,
    MessageCompleted,
    PermissionRequested,
    QuestionRequested,
    SessionSync,
    TurnEnded,
    TurnStarted,
)
from sandbox_agent_client.errors import RequestAlreadyResolved

__all__ = ["Story", "play"]

Reply = Literal["once", "always", "reject"]
E = TypeVar("E", bound=Event)


@dataclass(slots=True)
class Story:
    events: list[Event] = field(default_factory=list)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def text(self) -> str:
        """All that the agent said, in one piece."""
        messages = [event for event in self.of(MessageCompleted) if event.role == "assistant"]
        return "".join(event.text for event in messages)

    @property
    def ended(self) -> TurnEnded:
        (ended,) = self.of(TurnEnded)
        assert len(self.of(TurnStarted)) == 1
        return ended


def play(
    session: SessionSync,
    prompt: str | list[dict[str, Any]],
    *,
    reply: Reply | None = "once",
    answer: str | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
    max_turns: int | None = None,
    max_cost: float | None = None,
) -> Story:
    """One turn. Permissions get `reply` and questions `answer`; None leaves them open."""
    story = Story()
    for event in session.prompt_stream(prompt, max_turns=max_turns, max_cost=max_cost):
        story.events.append(event)
        if isinstance(event, PermissionRequested) and reply is not None:
            with suppress(RequestAlreadyResolved):  # a policy was faster
                session.respond(event.request_id, reply=reply)
        elif isinstance(event, QuestionRequested) and answer is not None:
            session.respond(event.request_id, answers={event.questions[0].id: answer})
        on_event(event)
    return story
