"""Content both ways: what a prompt holds for Pi (one text and images), what Pi shows for ACP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox_agent_core.lenient import as_list

from sandbox_agent_server.agents.native.content import (
    IMAGE_TYPES,
    Blob,
    Image,
    Link,
    Text,
    prompt_blocks,
    text_block,
    unsupported,
)
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["PromptContent", "acp_blocks", "prompt_content"]


@dataclass(slots=True)
class PromptContent:
    texts: list[str] = field(default_factory=list)
    images: list[Native] = field(default_factory=list)

    @property
    def message(self) -> str:
        return "\n\n".join(self.texts)


def prompt_content(blocks: Any) -> PromptContent:
    """Raises: InvalidParams when it is no list of blocks, or one has no counterpart in Pi."""
    content = PromptContent()
    for block in prompt_blocks(blocks, context_last=True):
        match block:
            case Text(text):
                content.texts.append(text)
            case Image(data=data) if data:
                block.check_type()
                content.images.append(_image(data, block.mime))
            case Link():
                # A file the model reads with its own tools.
                content.texts.append(block.path or block.text())
            case Blob(mime=mime) if mime in IMAGE_TYPES:
                content.texts.append(block.label)
                content.images.append(_image(block.data, mime))
            case _:
                raise unsupported(
                    block, agent="Pi", takes="files that are text or images, and images by `data`"
                )
    return content


def _image(data: str, mime: str) -> Native:
    return {"type": "image", "data": data, "mimeType": mime}


def acp_blocks(content: Any) -> list[dict[str, Any]]:
    """Pi's `content` (a string or blocks) as ACP blocks; unknown blocks as their JSON text."""
    if isinstance(content, str):
        content = [text_block(content)]
    return [block for item in as_list(content) if (block := _acp_block(item)) is not None]


def _acp_block(item: Any) -> dict[str, Any] | None:
    match item:
        case {"type": "text", "text": str(text)}:
            return text_block(text) if text else None
        case {"type": "image", "data": str(data), "mimeType": str(mime)}:
            return _image(data, mime)
        case dict():
            return text_block(str(item))
        case _:
            return None
