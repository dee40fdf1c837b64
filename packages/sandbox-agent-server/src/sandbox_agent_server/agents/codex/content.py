"""Content both ways: what a prompt holds for Codex, what tools of MCP servers show for ACP."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox_agent_core.lenient import as_list

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

__all__ = ["acp_blocks", "prompt_input"]


def prompt_input(blocks: Any) -> list[Native]:
    """ACP prompt blocks as the `input` of `turn/start`. Raises: InvalidParams."""
    return [item for block in prompt_blocks(blocks) for item in _input(block)]


def _input(block: Block) -> list[Native]:
    match block:
        case Text(text):
            return [_text(text)]
        case Image(data=data) if data:
            block.check_type()
            return [_embedded_image(block.mime, data)]
        case Image(uri=uri) if uri.startswith(("https://", "http://", "data:image/")):
            return [{"type": "image", "url": uri}]
        case Image(uri=uri) if uri.startswith("file://"):
            return [{"type": "localImage", "path": unquote(urlsplit(uri).path)}]
        case Link():
            return [_text(block.text(block.path or ""))]
        case Blob(mime=mime) if mime in IMAGE_TYPES:
            return [_text(block.label), _embedded_image(mime, block.data)]
        case _:
            raise unsupported(
                block,
                agent="Codex",
                takes="files that are text or images, and images by `data`, http or file `uri`",
            )


def _text(text: str) -> Native:
    return {"type": "text", "text": text, "text_elements": []}


def _embedded_image(mime: str, data: str) -> Native:
    return {"type": "image", "url": f"data:{mime};base64,{data}"}


def acp_blocks(content: Any) -> list[dict[str, Any]]:
    """MCP content, which ACP shares; what is none as its JSON."""
    return [_acp_block(item) for item in as_list(content)]


def _acp_block(item: Any) -> dict[str, Any]:
    match item:
        case {"type": "text", "text": str()} | {"type": "resource", "resource": dict()}:
            return dict(item)
        case {"type": "image" | "audio", "data": str(), "mimeType": str()}:
            return dict(item)
        case {"type": "resource_link", "uri": str()}:
            return dict(item)
        case {"type": "inputText", "text": str(text)}:
            return text_block(text)
        case _:
            return text_block(json.dumps(item, ensure_ascii=False))
