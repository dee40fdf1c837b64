"""Counts of tokens."""

from __future__ import annotations

from sandbox_agent_core.wire.model import WireModel

__all__ = ["TokenUsage"]


class TokenUsage(WireModel):
    """Tokens of one turn, as the agent counts them."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_read_tokens: int | None = None
    cached_write_tokens: int | None = None
    thought_tokens: int | None = None
    total_tokens: int | None = None
