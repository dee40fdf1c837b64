"""ACP prompt blocks as the parts of an OpenCode message. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.opencode.native import Native

__all__ = ["prompt_parts"]


def prompt_parts(blocks: Any) -> list[Native]:
    """Raises: InvalidParams."""
    if not isinstance(blocks, list) or not blocks:
        raise InvalidParams("`prompt` must be a list of at least one content block")
    return [_part(block) for block in blocks]


def _part(block: Any) -> Native:
    match block:
        case {"type": "text", "text": str(text)}:
            return _text(text)
        case {"type": "image", "mimeType": str(mime), "data": str(data)} if data:
            return _file(mime, f"data:{mime};base64,{data}", block.get("uri"))
        case {"type": "image", "uri": str(uri)} if uri.startswith(
            ("http://", "https://", "file://")
        ):
            return _file(str(block.get("mimeType") or "image/png"), uri, uri)
        case {"type": "resource_link", "uri": str(uri)} if uri.startswith("file://"):
            return _file(str(block.get("mimeType") or "text/plain"), uri, uri)
        case {"type": "resource_link", "uri": str(uri)}:
            name = block.get("name")
            return _text(f"[{name}]({uri})" if isinstance(name, str) and name else uri)
        case {"type": "resource", "resource": {"text": str(text), **resource}}:
            return _text(f'<context uri="{resource.get("uri", "")}">\n{text}\n</context>')
        case {
            "type": "resource",
            "resource": {"blob": str(blob), "mimeType": str(mime), **resource},
        }:
            return _file(mime, f"data:{mime};base64,{blob}", resource.get("uri"))
        case _:
            kind = block.get("type") if isinstance(block, dict) else type(block).__name__
            raise InvalidParams(
                "OpenCode takes text, image, resource and resource_link blocks that are complete, "
                f"not this {kind!r}"
            )


def _text(text: str) -> Native:
    return {"type": "text", "text": text}


def _file(mime: str, url: str, uri: Any) -> Native:
    part: Native = {"type": "file", "mime": mime, "url": url}
    if isinstance(uri, str) and (name := unquote(urlsplit(uri).path).rpartition("/")[2]):
        part["filename"] = name
    return part
