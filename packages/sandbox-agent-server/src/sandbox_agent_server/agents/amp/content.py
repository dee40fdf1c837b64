"""What a prompt holds for Amp, which takes one text."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox_agent_server.agents.native.refusals import InvalidParams

__all__ = ["prompt_text"]


def prompt_text(blocks: Any) -> str:
    """Raises: InvalidParams when it is no list of blocks, or one has no counterpart in Amp."""
    if not isinstance(blocks, list) or not blocks:
        raise InvalidParams("`prompt` must be a list of at least one content block")
    return "\n\n".join(_text(block) for block in blocks)


def _text(block: Any) -> str:
    match block:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "resource_link", "uri": str(uri)} if uri.startswith("file://"):
            # What a person types to Amp to mention a file.
            return f"@{unquote(urlsplit(uri).path)}"
        case {"type": "resource_link", "uri": str(uri)}:
            return uri
        case {"type": "resource", "resource": {"uri": str(uri), "text": str(text)}}:
            return f'<context uri="{uri}">\n{text}\n</context>'
        case _:
            kind = block.get("type") if isinstance(block, dict) else type(block).__name__
            raise InvalidParams(
                f"Amp takes text, resource_link and text resource blocks, not {kind!r}"
            )
