"""Content blocks: what prompts, messages and tool results are made of. Unknown kinds are kept as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, ValidationError

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.wire.model import OpenWireModel

__all__ = [
    "CONTEXT_META",
    "AudioBlock",
    "ContentBlock",
    "EmbeddedResource",
    "ImageBlock",
    "Prompt",
    "ResourceLink",
    "TextBlock",
    "UnknownBlock",
    "parse_prompt",
    "text_block",
    "text_of",
]

CONTEXT_META: Final = "sandbox-agent/context"
"""Member of `_meta` that marks a block of a prompt which the server added, and nobody typed."""


class _Block(OpenWireModel):
    _always_written: ClassVar[frozenset[str]] = frozenset({"type"})


class TextBlock(_Block):
    type: Literal["text"] = "text"
    text: str


class ImageBlock(_Block):
    type: Literal["image"] = "image"
    data: str
    """Base64."""
    mime_type: str
    uri: str | None = None


class AudioBlock(_Block):
    type: Literal["audio"] = "audio"
    data: str
    """Base64."""
    mime_type: str


class ResourceLink(_Block):
    """A resource that the agent can read by itself."""

    type: Literal["resource_link"] = "resource_link"
    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None


class EmbeddedResource(_Block):
    """A resource with its content: `{uri, mimeType?, text}` or `{uri, mimeType?, blob}`."""

    type: Literal["resource"] = "resource"
    resource: dict[str, Any]


class UnknownBlock(_Block):
    """A kind that this version does not know, with all its members (`model_extra`)."""

    type: str


ContentBlock = Annotated[
    TextBlock | ImageBlock | AudioBlock | ResourceLink | EmbeddedResource | UnknownBlock,
    Field(union_mode="left_to_right"),
]

Prompt = str | Sequence[ContentBlock | Mapping[str, Any] | str]
"""What a caller may give as a prompt: text, or blocks as models, as JSON, or as text."""

_KNOWN: dict[str, type[OpenWireModel]] = {
    "text": TextBlock,
    "image": ImageBlock,
    "audio": AudioBlock,
    "resource_link": ResourceLink,
    "resource": EmbeddedResource,
}


def text_block(text: str) -> TextBlock:
    return TextBlock(type="text", text=text)


def parse_prompt(prompt: Prompt) -> list[ContentBlock]:
    """The blocks of a prompt, at least one.

    Raises:
        InvalidRequest: it is empty, or one of its blocks misses what its kind needs.
    """
    if isinstance(prompt, str):
        if not prompt:
            raise InvalidRequest("The prompt is empty: give some text or a content block.")
        return [text_block(prompt)]
    # Callers hand over JSON as it came, so the annotation proves nothing.
    if not isinstance(prompt, Sequence) or not prompt:  # type: ignore[redundant-expr]
        raise InvalidRequest("`content` must be text or a list of at least one content block.")
    return [_parse_block(block, index) for index, block in enumerate(prompt)]


def _parse_block(block: Any, index: int) -> ContentBlock:
    if isinstance(block, str) and block:
        return text_block(block)
    if isinstance(block, OpenWireModel):
        return block  # type: ignore[return-value]  # whoever subclasses a block knows why
    kind = block.get("type") if isinstance(block, Mapping) else None
    if not isinstance(kind, str):
        raise InvalidRequest(f"`content[{index}]` must be an object with a `type`, not {block!r}.")
    if kind not in _KNOWN:
        raise InvalidRequest(
            f"`content[{index}]`: there are no {kind[:64]!r} blocks; a prompt is made of: {', '.join(_KNOWN)}."
        )
    try:
        return _KNOWN[kind].model_validate(dict(block))  # type: ignore[return-value]
    except ValidationError as exc:
        faults = "; ".join(f"`{_path(error['loc'])}` {error['msg']}" for error in exc.errors())
        raise InvalidRequest(f"`content[{index}]` is not a valid {kind!r} block: {faults}") from exc


def _path(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)


def text_of(blocks: Iterable[ContentBlock | Mapping[str, Any]]) -> str:
    """The text blocks, joined; other kinds are passed over."""
    parts = []
    for block in blocks:
        if isinstance(block, TextBlock):
            parts.append(block.text)
        elif isinstance(block, Mapping) and block.get("type") == "text":
            text = block.get("text")
            if isinstance(text, str):
                parts.append(text)
    return "".join(parts)
