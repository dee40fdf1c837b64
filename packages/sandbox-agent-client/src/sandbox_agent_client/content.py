"""What a prompt is made of beside text, from files and bytes.

await session.prompt(["What is wrong here?", Image.from_path("screenshot.png"), File.from_path("parser.py")])
"""

from __future__ import annotations

import base64
import mimetypes
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.content import (
    AudioBlock,
    EmbeddedResource,
    ImageBlock,
    ResourceLink,
    TextBlock,
)
from sandbox_agent_core.errors import InvalidRequest

__all__ = ["Audio", "File", "Image", "Link", "Text"]

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)


class Text(TextBlock):
    def __init__(self, text: str, **members: Any) -> None:
        super().__init__(text=text, **members)


class Image(ImageBlock):
    """`data` is base64; `from_path` and `from_bytes` make it."""

    @classmethod
    def from_path(cls, path: str | PathLike[str], *, mime_type: str | None = None) -> Image:
        """A file of this machine. The type is seen in its first bytes, else guessed by its name.

        Raises:
            InvalidRequest: it cannot be read, or its type is not known: give `mime_type`.
        """
        return cls.from_bytes(_read(path), mime_type=mime_type, name=fspath(path))

    @classmethod
    def from_bytes(cls, data: bytes, *, mime_type: str | None = None, name: str = "") -> Image:
        """Raises: InvalidRequest: its type is not known; give `mime_type`."""
        seen = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            seen = "image/webp"
        kind = mime_type or seen or _guessed(name, "image/")
        return cls(data=base64.b64encode(data).decode(), mime_type=kind)


class Audio(AudioBlock):
    """`data` is base64; `from_path` and `from_bytes` make it."""

    @classmethod
    def from_path(cls, path: str | PathLike[str], *, mime_type: str | None = None) -> Audio:
        """A file of this machine. Raises: InvalidRequest: it cannot be read, or is none of audio."""
        return cls.from_bytes(_read(path), mime_type=mime_type or _guessed(fspath(path), "audio/"))

    @classmethod
    def from_bytes(cls, data: bytes, *, mime_type: str) -> Audio:
        return cls(data=base64.b64encode(data).decode(), mime_type=mime_type)


class File(EmbeddedResource):
    """A file with its content: the agent need not be able to read it."""

    @classmethod
    def from_path(
        cls, path: str | PathLike[str], *, uri: str | None = None, mime_type: str | None = None
    ) -> File:
        """A file of this machine: as text when it is UTF-8, else as bytes. `uri` is what the agent is told it is;
        default: its own.

        Raises:
            InvalidRequest: it cannot be read.
        """
        place = Path(path).expanduser().absolute()
        data = _read(path)
        kind = mime_type or mimetypes.guess_type(place.name)[0]
        resource: dict[str, Any] = {"uri": uri or place.as_uri()}
        if kind is not None:
            resource["mimeType"] = kind
        try:
            resource["text"] = data.decode("utf-8")
        except UnicodeDecodeError:
            resource["blob"] = base64.b64encode(data).decode()
        return cls(resource=resource)


class Link(ResourceLink):
    """A resource that the agent reads by itself, in the sandbox or elsewhere: `Link(uri=…, name=…)`."""


def _read(path: str | PathLike[str]) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as exc:
        raise InvalidRequest(f"{fspath(path)!r} cannot be read: {exc.strerror or exc}") from exc


def _guessed(name: str, family: str) -> str:
    kind = mimetypes.guess_type(name)[0]
    if kind is None or not kind.startswith(family):
        raise InvalidRequest(
            f"What kind of {family[:-1]} {name!r} is cannot be told: give `mime_type`."
        )
    return kind
