"""What a prompt came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sandbox_agent_core.events import Cost, Fault, LimitKind, TaskKind, TaskStatus, TokenUsage
from sandbox_agent_core.events.turn import StopReason

__all__ = ["BackgroundTask", "FollowUp", "PromptResult", "StructuredResult"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundTask:
    task_id: str
    kind: TaskKind
    """`shell`: a command; `agent`: a sub-agent; `other`."""
    title: str = ""
    tool_call_id: str | None = None
    """The tool call that started it."""
    status: TaskStatus | None = None
    """None while it runs."""
    summary: str | None = None
    """What came of it, as the agent says."""
    error: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A turn that the agent began by itself."""

    turn_id: str
    task_id: str | None = None
    """The background task because of which."""
    stop_reason: StopReason
    usage: TokenUsage | None = None
    text: str = ""
    """The last message of the assistant in it."""
    error: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptResult:
    turn_id: str
    stop_reason: StopReason
    """ACP's `end_turn`, `max_tokens`, `max_turn_requests`, `refusal`, `cancelled`; `interrupted`; `unknown`, when
    the agent does not say; or what it says. Only `end_turn` is success."""
    limit: LimitKind | None = None
    """Which limit of the prompt stopped it: `timeout`, `max_turns`, `max_cost`. Then `stop_reason` is `cancelled`,
    unless the agent ended by itself in the very moment."""
    usage: TokenUsage | None = None
    """Tokens of this turn, if the agent says. What was used until it was stopped, too."""
    model_calls: int | None = None
    """Round trips to the model, of agents that tell of each."""
    cost: Cost | None = None
    """Of this turn, if the agent says or the price of its model is known: `estimated` tells which."""
    text: str = ""
    """The last message of the assistant in this turn."""
    output: Any = None
    """The object that the agent gave by the JSON schema it was asked for, when it keeps to schemas by itself."""
    unanswered: int = 0
    """Permissions and questions of this turn that nobody answered in time: the policy's `on_timeout` did."""
    tasks: tuple[BackgroundTask, ...] = ()
    """Background tasks that were started. With `wait_for_background` all of them are over."""
    follow_ups: tuple[FollowUp, ...] = ()
    """With `wait_for_background`: the turns that the agent began by itself afterwards."""

    @property
    def final_text(self) -> str:
        """The last that the agent said: of the last follow-up that said something, or of this turn."""
        texts = [self.text, *(turn.text for turn in self.follow_ups)]
        return next((text for text in reversed(texts) if text), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class StructuredResult(PromptResult, Generic[T]):
    """Of a prompt with an `output_type`."""

    output: T
    """The answer, validated."""
    repairs: int = 0
    """How often it had to be asked for again; the rest is of the last turn."""
