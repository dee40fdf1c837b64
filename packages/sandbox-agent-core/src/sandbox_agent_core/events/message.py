"""Messages and reasoning: streamed as deltas, then repeated whole."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox_agent_core.content import ContentBlock
from sandbox_agent_core.events.envelope import UniversalEvent

__all__ = [
    "MessageCompleted",
    "MessageDelta",
    "ReasoningCompleted",
    "ReasoningDelta",
    "Role",
]

Role = Literal["user", "assistant"]


class MessageDelta(UniversalEvent):
    """A piece of a message, as the agent streams it. `message.completed` repeats all of them."""

    type: Literal["message.delta"] = "message.delta"
    role: Role = "assistant"
    """`assistant`, or `user` when the agent echoes a prompt."""
    message_id: str | None = None
    """The message that it continues."""
    text: str = ""
    """What to append. Empty for a piece that is not text."""
    content: ContentBlock | None = None
    """The piece itself, only when it is more than plain text."""
    parent_tool_call_id: str | None = None
    """The tool call (a sub-agent) that speaks."""
    late: bool = False
    """It came after its turn had ended."""


class MessageCompleted(UniversalEvent):
    """What was streamed of a message since its last completion, whole. A message is all its completions."""

    type: Literal["message.completed"] = "message.completed"
    role: Role = "assistant"
    """`assistant`, or `user` when the agent echoes a prompt."""
    message_id: str | None = None
    """The message."""
    text: str = ""
    """Its text blocks, joined."""
    content: list[ContentBlock] = Field(default_factory=list)
    """Its blocks."""
    parent_tool_call_id: str | None = None
    """The tool call (a sub-agent) that speaks."""
    late: bool = False
    """It came after its turn had ended."""


class ReasoningDelta(UniversalEvent):
    """A piece of the agent's reasoning. `reasoning.completed` repeats all of them."""

    type: Literal["reasoning.delta"] = "reasoning.delta"
    message_id: str | None = None
    """The reasoning that it continues."""
    text: str = ""
    """What to append. Empty for a piece that is not text."""
    content: ContentBlock | None = None
    """The piece itself, only when it is more than plain text."""
    parent_tool_call_id: str | None = None
    """The tool call (a sub-agent) that thinks."""
    late: bool = False
    """It came after its turn had ended."""


class ReasoningCompleted(UniversalEvent):
    """What was streamed of a reasoning since its last completion, whole."""

    type: Literal["reasoning.completed"] = "reasoning.completed"
    message_id: str | None = None
    """The reasoning."""
    text: str = ""
    """Its text blocks, joined."""
    content: list[ContentBlock] = Field(default_factory=list)
    """Its blocks."""
    parent_tool_call_id: str | None = None
    """The tool call (a sub-agent) that thinks."""
    late: bool = False
    """It came after its turn had ended."""
