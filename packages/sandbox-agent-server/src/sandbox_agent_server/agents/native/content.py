"""The blocks of a prompt, checked, and blocks that adapters make. What an agent takes of them is its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import unquote, urlsplit

from sandbox_agent_core.lenient import as_str

from sandbox_agent_server.agents.native.refusals import InvalidParams

__all__ = [
    "IMAGE_TYPES",
    "Blob",
    "Block",
    "Image",
    "Link",
    "Text",
    "prompt_blocks",
    "text_block",
    "text_of",
    "unsupported",
    "wrapped",
]

IMAGE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What the models take."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    is_context: bool = False
    """An embedded file."""


@dataclass(frozen=True, slots=True)
class Image:
    mime: str
    data: str
    """Base64; empty when there is only the `uri`."""
    uri: str
    is_context: ClassVar = False

    def check_type(self) -> None:
        """Raises: InvalidParams."""
        if self.mime not in IMAGE_TYPES:
            raise InvalidParams(f"images are {', '.join(sorted(IMAGE_TYPES))}, not {self.mime!r}")


@dataclass(frozen=True, slots=True)
class Link:
    uri: str
    name: str
    mime: str
    is_context: ClassVar = False

    @property
    def path(self) -> str | None:
        """Of a file."""
        return unquote(urlsplit(self.uri).path) if self.uri.startswith("file://") else None

    def text(self, target: str = "") -> str:
        """As Markdown, when it has a name."""
        target = target or self.uri
        return f"[{self.name}]({target})" if self.name else target


@dataclass(frozen=True, slots=True)
class Blob:
    """An embedded file that is no text."""

    uri: str
    mime: str
    data: str
    """Base64."""
    is_context: ClassVar = True

    @property
    def label(self) -> str:
        return f"Attached: {self.uri}"


Block = Text | Image | Link | Blob


def prompt_blocks(value: Any, *, context_last: bool = False) -> list[Block]:
    """ACP's `prompt`. `context_last` keeps a text that starts with "/" a command.

    Raises: InvalidParams for what is no list of such blocks.
    """
    if not isinstance(value, list) or not value:
        raise InvalidParams("`prompt` must be a list of at least one content block")
    blocks = [_block(item) for item in value]
    return sorted(blocks, key=lambda block: block.is_context) if context_last else blocks


def _block(item: Any) -> Block:
    match item:
        case {"type": "text", "text": str(text)}:
            return Text(text)
        case {"type": "image"}:
            return Image(_text(item, "mimeType"), _text(item, "data"), _text(item, "uri"))
        case {"type": "resource_link", "uri": str(uri)}:
            return Link(uri, _text(item, "name"), _text(item, "mimeType"))
        case {"type": "resource", "resource": {"text": str(text)} as resource}:
            context = f'<context uri="{resource.get("uri", "")}">\n{text}\n</context>'
            return Text(context, is_context=True)
        case {"type": "resource", "resource": {"blob": str(blob)} as resource}:
            return Blob(_text(resource, "uri"), _text(resource, "mimeType"), blob)
        case _:
            kind = item.get("type") if isinstance(item, dict) else type(item).__name__
            raise InvalidParams(
                f"a block is a complete text, image, resource or resource_link, not this {kind!r}"
            )


def _text(item: Mapping[Any, Any], key: str) -> str:
    return as_str(item.get(key)) or ""


def unsupported(block: Block, *, agent: str, takes: str) -> InvalidParams:
    """For a block that the agent has no counterpart for."""
    what = f"{type(block).__name__.lower()} {getattr(block, 'mime', '')}".strip()
    return InvalidParams(f"{agent} takes {takes}, not this {what}")


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def wrapped(block: Mapping[str, Any]) -> dict[str, Any]:
    """A content block as an item of a tool call's `content`."""
    return {"type": "content", "content": dict(block)}


def text_of(blocks: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(block["text"] for block in blocks if block.get("type") == "text")
