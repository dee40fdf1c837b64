"""Content both ways: what a prompt holds for Pi (one text and images), what Pi shows for ACP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["PromptContent", "acp_blocks", "prompt_content", "text_of"]

_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


@dataclass(slots=True)
class PromptContent:
    texts: list[str] = field(default_factory=list)
    context: list[str] = field(default_factory=list)
    images: list[Native] = field(default_factory=list)

    @property
    def message(self) -> str:
        # Embedded files go last, so that a text that starts with "/" stays a command.
        return "\n\n".join([*self.texts, *self.context])


def prompt_content(blocks: Any) -> PromptContent:
    """Raises: InvalidParams when it is no list of blocks, or one has no counterpart in Pi."""
    if not isinstance(blocks, list) or not blocks:
        raise InvalidParams("`prompt` must be a list of at least one content block")
    content = PromptContent()
    for block in blocks:
        match block:
            case {"type": "text", "text": str(text)}:
                content.texts.append(text)
            case {"type": "image", "data": str(data), "mimeType": mime} if data:
                content.images.append(_image(data, mime))
            case {"type": "resource_link", "uri": str(uri)}:
                content.texts.append(_link(uri, block.get("name")))
            case {"type": "resource", "resource": dict(resource)}:
                _embed(resource, content)
            case _:
                kind = block.get("type") if isinstance(block, dict) else type(block).__name__
                raise InvalidParams(
                    "Pi takes text, image (with `data`), resource and resource_link blocks, "
                    f"not {kind!r}"
                )
    return content


def _image(data: str, mime: Any) -> Native:
    if mime not in _IMAGES:
        raise InvalidParams(f"images are {', '.join(sorted(_IMAGES))}, not {mime!r}")
    return {"type": "image", "data": data, "mimeType": mime}


def _link(uri: str, name: Any) -> str:
    if uri.startswith("file://"):
        # The model reads it with its own tools.
        return unquote(urlsplit(uri).path)
    return f"[{name}]({uri})" if isinstance(name, str) and name else uri


def _embed(resource: dict[str, Any], content: PromptContent) -> None:
    uri, text, blob = resource.get("uri", ""), resource.get("text"), resource.get("blob")
    if isinstance(text, str):
        content.context.append(f'<context uri="{uri}">\n{text}\n</context>')
    elif isinstance(blob, str) and resource.get("mimeType") in _IMAGES:
        content.context.append(f"Attached: {uri}")
        content.images.append(_image(blob, resource["mimeType"]))
    else:
        raise InvalidParams(
            f"an embedded resource is text or an image, not {resource.get('mimeType')!r}"
        )


def acp_blocks(content: Any) -> list[dict[str, Any]]:
    """Pi's `content` (a string or blocks) as ACP blocks; unknown blocks as their JSON text."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    items = content if isinstance(content, list) else []
    return [block for item in items if (block := _acp_block(item)) is not None]


def _acp_block(item: Any) -> dict[str, Any] | None:
    match item:
        case {"type": "text", "text": str(text)}:
            return {"type": "text", "text": text} if text else None
        case {"type": "image", "data": str(data), "mimeType": str(mime)}:
            return {"type": "image", "mimeType": mime, "data": data}
        case dict():
            return {"type": "text", "text": str(item)}
        case _:
            return None


def text_of(blocks: list[dict[str, Any]]) -> str:
    return "\n".join(block["text"] for block in blocks if block["type"] == "text")
