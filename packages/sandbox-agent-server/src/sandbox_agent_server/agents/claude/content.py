"""Content blocks both ways: what a prompt holds for Claude, what Claude shows for ACP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["acp_blocks", "prompt_content", "text_block", "text_of"]

_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def prompt_content(blocks: Any) -> list[Native]:
    """ACP prompt blocks as the content of a Claude user message.

    Raises:
        InvalidParams: not a list of blocks, or one that Claude has no counterpart for.
    """
    if not isinstance(blocks, list) or not blocks:
        raise InvalidParams("`prompt` must be a list of at least one content block")
    content: list[Native] = []
    # Embedded files go last, so that a text that starts with "/" stays a slash command.
    context: list[Native] = []
    for block in blocks:
        match block:
            case {"type": "text", "text": str(text)}:
                content.append(text_block(text))
            case {"type": "image"}:
                content.append(_image(block))
            case {"type": "resource_link", "uri": str(uri)}:
                content.append(text_block(_link(uri, block.get("name"))))
            case {"type": "resource", "resource": dict(resource)}:
                context.extend(_resource(resource))
            case _:
                kind = block.get("type") if isinstance(block, dict) else type(block).__name__
                raise InvalidParams(
                    f"Claude Code takes text, image, resource and resource_link blocks, not {kind!r}"
                )
    return content + context


def _image(block: dict[str, Any]) -> Native:
    data, mime, uri = block.get("data"), block.get("mimeType"), block.get("uri")
    if isinstance(data, str) and data:
        if mime not in _IMAGES:
            raise InvalidParams(f"images are {', '.join(sorted(_IMAGES))}, not {mime!r}")
        return _source("image", mime, data)
    if isinstance(uri, str) and uri.startswith(("https://", "http://")):
        return {"type": "image", "source": {"type": "url", "url": uri}}
    raise InvalidParams("an image needs `data` and `mimeType`, or an http `uri`")


def _source(kind: str, mime: str, data: str) -> Native:
    return {"type": kind, "source": {"type": "base64", "media_type": mime, "data": data}}


def _link(uri: str, name: Any) -> str:
    if uri.startswith("file://"):
        # `@path` is what a person types to Claude: it reads the file itself.
        path = unquote(urlsplit(uri).path)
        return f'@"{path}"' if " " in path else f"@{path}"
    return f"[{name}]({uri})" if isinstance(name, str) and name else uri


def _resource(resource: dict[str, Any]) -> list[Native]:
    uri, text, blob = resource.get("uri", ""), resource.get("text"), resource.get("blob")
    mime = resource.get("mimeType")
    if isinstance(text, str):
        return [text_block(f'<context uri="{uri}">\n{text}\n</context>')]
    if isinstance(blob, str) and mime in _IMAGES:
        return [text_block(f"Attached: {uri}"), _source("image", mime, blob)]
    if isinstance(blob, str) and mime == "application/pdf":
        return [text_block(f"Attached: {uri}"), _source("document", mime, blob)]
    raise InvalidParams(f"an embedded resource is text, an image or a PDF, not {mime!r}")


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


def text_of(blocks: Sequence[dict[str, Any]]) -> str:
    return "\n".join(block["text"] for block in blocks if block.get("type") == "text")
