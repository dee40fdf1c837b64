"""Content both ways: what a prompt holds for Codex, what tools of MCP servers show for ACP."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from sandbox_agent_server.agents.codex.native import Native
from sandbox_agent_server.agents.native.refusals import InvalidParams

__all__ = ["acp_blocks", "prompt_input", "text_block", "wrapped"]

_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def wrapped(block: dict[str, Any]) -> dict[str, Any]:
    """A content block as an item of a tool call's `content`."""
    return {"type": "content", "content": block}


def prompt_input(blocks: Any) -> list[Native]:
    """ACP prompt blocks as the `input` of `turn/start`.

    Raises:
        InvalidParams: not a list of blocks, or one that Codex has no counterpart for.
    """
    if not isinstance(blocks, list) or not blocks:
        raise InvalidParams("`prompt` must be a list of at least one content block")
    return [item for block in blocks for item in _input(block)]


def _input(block: Any) -> list[Native]:
    match block:
        case {"type": "text", "text": str(text)}:
            return [_text(text)]
        case {"type": "image"}:
            return [_image(block)]
        case {"type": "resource_link", "uri": str(uri)}:
            return [_text(_link(uri, block.get("name")))]
        case {"type": "resource", "resource": dict(resource)}:
            return _resource(resource)
        case _:
            kind = block.get("type") if isinstance(block, dict) else type(block).__name__
            raise InvalidParams(
                f"Codex takes text, image, resource and resource_link blocks, not {kind!r}"
            )


def _text(text: str) -> Native:
    return {"type": "text", "text": text, "text_elements": []}


def _image(block: dict[str, Any]) -> Native:
    data, uri = block.get("data"), block.get("uri")
    if isinstance(data, str) and data:
        return _embedded_image(data, block.get("mimeType"))
    if isinstance(uri, str) and uri.startswith(("https://", "http://", "data:image/")):
        return {"type": "image", "url": uri}
    if isinstance(uri, str) and uri.startswith("file://"):
        return {"type": "localImage", "path": unquote(urlsplit(uri).path)}
    raise InvalidParams("an image needs `data` and `mimeType`, or an http or file `uri`")


def _embedded_image(data: str, mime: Any) -> Native:
    if mime not in _IMAGES:
        raise InvalidParams(f"images are {', '.join(sorted(_IMAGES))}, not {mime!r}")
    return {"type": "image", "url": f"data:{mime};base64,{data}"}


def _link(uri: str, name: Any) -> str:
    target = unquote(urlsplit(uri).path) if uri.startswith("file://") else uri
    return f"[{name}]({target})" if isinstance(name, str) and name else target


def _resource(resource: dict[str, Any]) -> list[Native]:
    uri, mime = resource.get("uri", ""), resource.get("mimeType")
    content, blob = resource.get("text"), resource.get("blob")
    if isinstance(content, str):
        return [_text(f'<context uri="{uri}">\n{content}\n</context>')]
    if isinstance(blob, str) and mime in _IMAGES:
        return [_text(f"Attached: {uri}"), _embedded_image(blob, mime)]
    raise InvalidParams(f"an embedded resource is text or an image, not {mime!r}")


def acp_blocks(content: Any) -> list[dict[str, Any]]:
    """MCP content, which ACP shares; what is none as its JSON."""
    items = content if isinstance(content, list) else []
    return [_acp_block(item) for item in items]


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
