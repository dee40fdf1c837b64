"""What a prompt holds for Amp, which takes one text."""

from __future__ import annotations

from typing import Any

from sandbox_agent_server.agents.native.content import (
    Block,
    Link,
    Text,
    prompt_blocks,
    unsupported,
)

__all__ = ["prompt_text"]


def prompt_text(blocks: Any) -> str:
    """Raises: InvalidParams when it is no list of blocks, or one has no counterpart in Amp."""
    return "\n\n".join(_text(block) for block in prompt_blocks(blocks))


def _text(block: Block) -> str:
    match block:
        case Text(text):
            return text
        case Link():
            # What a person types to Amp to mention a file.
            return f"@{block.path}" if block.path else block.uri
        case _:
            raise unsupported(block, agent="Amp", takes="text, links and files that are text")
