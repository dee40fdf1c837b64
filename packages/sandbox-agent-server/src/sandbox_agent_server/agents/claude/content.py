"""Content blocks both ways: what a prompt holds for Claude, what Claude shows for ACP."""

from __future__ import annotations

from typing import Any

from sandbox_agent_server.agents.native.content import (
    IMAGE_TYPES,
    Blob,
    Block,
    Image,
    Link,
    Text,
    prompt_blocks,
    text_block,
    unsupported,
)
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["acp_blocks", "prompt_content"]


def prompt_content(blocks: Any) -> list[Native]:
    """ACP prompt blocks as the content of a Claude user message. Raises: InvalidParams."""
    read = prompt_blocks(blocks, context_last=True)
    return [item for block in read for item in _content(block)]


def _content(block: Block) -> list[Native]:
    match block:
        case Text(text):
            return [text_block(text)]
        case Image(data=data) if data:
            block.check_type()
            return [_source("image", block.mime, data)]
        case Image(uri=uri) if uri.startswith(("https://", "http://")):
            return [{"type": "image", "source": {"type": "url", "url": uri}}]
        case Link(path=str(path)):
            # `@path` is what a person types to Claude: it reads the file itself.
            return [text_block(f'@"{path}"' if " " in path else f"@{path}")]
        case Link():
            return [text_block(block.text())]
        case Blob(mime=mime) if mime in IMAGE_TYPES:
            return [text_block(block.label), _source("image", mime, block.data)]
        case Blob(mime="application/pdf"):
            return [text_block(block.label), _source("document", block.mime, block.data)]
        case _:
            raise unsupported(
                block,
                agent="Claude Code",
                takes="files that are text, images or PDFs, and images by `data` or http `uri`",
            )


def _source(kind: str, mime: str, data: str) -> Native:
    return {"type": kind, "source": {"type": "base64", "media_type": mime, "data": data}}


def acp_blocks(content: Any) -> list[dict[str, Any]]:
    """Claude's `content` (a string or blocks) as ACP blocks; unknown blocks as their JSON text."""
    if isinstance(content, str):
        return [text_block(content)] if content else []
    if not isinstance(content, list):
        return []
    return [block for item in content if (block := _acp_block(item)) is not None]


def _acp_block(item: Any) -> dict[str, Any] | None:
    match item:
        case {"type": "text", "text": str(text)}:
            return text_block(text) if text else None
        case {"type": "image", "source": {"type": "base64", "media_type": mime, "data": data}}:
            return {"type": "image", "mimeType": mime, "data": data}
        case {"type": "image", "source": {"type": "url", "url": str(url)}}:
            return {"type": "resource_link", "uri": url, "name": url}
        case {"type": "resource_link", "uri": str()}:
            return dict(item)
        case {"type": "tool_reference", "tool_name": str(name)}:
            return text_block(name)
        case {"type": "web_search_result", "url": str(url)}:
            return {"type": "resource_link", "uri": url, "name": str(item.get("title") or url)}
        case str():
            return text_block(item)
        case dict():
            return text_block(str(item.get("text") or item))
        case _:
            return None
