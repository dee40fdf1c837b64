"""What a prompt may hold: an image that no model can read would poison the whole conversation of many agents."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any, Final

from sandbox_agent_core.content import parse_prompt
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.lenient import as_dict

__all__ = ["check_prompt"]

_IMAGES: Final[dict[str, re.Pattern[bytes]]] = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "image/bmp": re.compile(rb"BM"),
    "image/tiff": re.compile(rb"II\*\x00|MM\x00\*"),
    "image/heic": re.compile(rb".{4}ftyp", re.DOTALL),
    "image/heif": re.compile(rb".{4}ftyp", re.DOTALL),
    "image/avif": re.compile(rb".{4}ftyp", re.DOTALL),
    "image/svg+xml": re.compile(rb"(?:\xef\xbb\xbf)?\s*<"),
}
"""By media type: how such a file begins."""
_ALIASES: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
}


def check_prompt(blocks: Sequence[dict[str, Any]], *, max_media_bytes: int) -> None:
    """Raises: InvalidRequest, naming the block."""
    parse_prompt(blocks)
    for index, block in enumerate(blocks):
        where = f"`content[{index}]`"
        match block["type"]:
            case "image":
                _check_image(block, _decoded(block["data"], where, max_media_bytes), where)
            case "audio":
                _decoded(block["data"], where, max_media_bytes)
                if not str(block["mimeType"]).startswith("audio/"):
                    raise InvalidRequest(
                        f"{where}: `mimeType` {block['mimeType']!r} is none of audio"
                    )
            case "resource":
                if (blob := as_dict(block["resource"]).get("blob")) is not None:
                    _decoded(blob, where, max_media_bytes)


def _check_image(block: dict[str, Any], image: bytes, where: str) -> None:
    kind = str(block["mimeType"]).partition(";")[0].strip().lower()
    kind = _ALIASES.get(kind, kind)
    begins = _IMAGES.get(kind)
    if begins is None:
        raise InvalidRequest(
            f"{where}: `mimeType` {block['mimeType']!r} is no known type of image; known: {', '.join(_IMAGES)}"
        )
    if begins.match(image) is None:
        is_type = next((name for name, magic in _IMAGES.items() if magic.match(image)), None)
        raise InvalidRequest(
            f"{where}: `mimeType` is {kind!r}, but the data is "
            + (f"{is_type!r}" if is_type else "no image of any known type")
        )


def _decoded(data: Any, where: str, max_bytes: int) -> bytes:
    if isinstance(data, str) and data.startswith("data:"):
        raise InvalidRequest(f"{where}: give the base64 alone, without `data:…;base64,`")
    try:
        decoded = base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequest(f"{where}: the data is not base64: {exc}") from exc
    if not decoded:
        raise InvalidRequest(f"{where}: the data is empty")
    if len(decoded) > max_bytes:
        raise InvalidRequest(
            f"{where}: the data has {len(decoded)} bytes, more than `max_media_bytes` ({max_bytes})",
            limit="max_media_bytes",
            value=max_bytes,
        )
    return decoded
