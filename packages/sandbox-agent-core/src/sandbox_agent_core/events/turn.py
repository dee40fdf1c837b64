"""Turns: a prompt and everything that the agent does until it answers it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox_agent_core.content import ContentBlock
from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.wire.model import WireModel

__all__ = ["StopReason", "TokenUsage", "TurnDropped", "TurnEnded", "TurnQueued", "TurnStarted"]

StopReason = Literal[
    "end_turn",
    "max_tokens",
    "max_turn_requests",
    "refusal",
    "cancelled",
    "interrupted",
    "error",
]


class TokenUsage(WireModel):
    """Tokens of one turn, as the agent counts them."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_read_tokens: int | None = None
    cached_write_tokens: int | None = None
    thought_tokens: int | None = None
    total_tokens: int | None = None


class TurnQueued(UniversalEvent):
    """A prompt waits for the turns before it. Not sent for a prompt that starts at once."""

    type: Literal["turn.queued"] = "turn.queued"
    text: str = ""
    """The prompt's text."""
    content: list[ContentBlock] = Field(default_factory=list)
    """The prompt's blocks."""
    position: int | None = None
    """Its place in the queue; 1 is next."""


class TurnStarted(UniversalEvent):
    """The prompt was given to the agent. Exactly one `turn.ended` follows."""

    type: Literal["turn.started"] = "turn.started"
    text: str = ""
    """The prompt's text."""
    content: list[ContentBlock] = Field(default_factory=list)
    """The prompt's blocks."""


class TurnEnded(UniversalEvent):
    """The turn is over, by the agent's answer or because it could not answer any more."""

    type: Literal["turn.ended"] = "turn.ended"
    stop_reason: StopReason
    """Why. `interrupted`: the agent or the server died; `error`: see `error`; the others are ACP's."""
    error: Fault | None = None
    """What failed."""
    usage: TokenUsage | None = None
    """Tokens of this turn, if the agent says."""


class TurnDropped(UniversalEvent):
    """A queued prompt will never start."""

    type: Literal["turn.dropped"] = "turn.dropped"
    reason: str
    """`cancelled`, `interrupted` or `session_ended`."""
