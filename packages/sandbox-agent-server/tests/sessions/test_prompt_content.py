"""A prompt is checked at the door: what an agent could not read is refused, and says which block and why."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_server.sessions.prompt_content import check_prompt

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 50
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 50


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def image(data: Any, kind: str = "image/png") -> dict[str, Any]:
    return {"type": "image", "data": data, "mimeType": kind}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "hi"},
        image(text(PNG)),
        image(text(JPEG), "image/jpg"),
        image(text(b"RIFF0000WEBPVP8 "), "IMAGE/WEBP; q=1"),
        image(text(b"<svg/>"), "image/svg+xml"),
        {"type": "audio", "data": text(b"x"), "mimeType": "audio/wav"},
        {"type": "resource", "resource": {"uri": "file:///a", "text": "b"}},
        {"type": "resource", "resource": {"uri": "file:///a", "blob": text(b"b")}},
        {"type": "resource_link", "uri": "file:///a", "name": "a"},
    ],
)
def test_what_can_be_read_passes(block: dict[str, Any]) -> None:
    check_prompt([block], max_media_bytes=100)


@pytest.mark.parametrize(
    ("block", "word"),
    [
        (image("!!!notbase64"), "not base64"),
        (image("AAA"), "not base64"),
        (image("aGk=\n"), "not base64"),
        (image("\u00e9"), "not base64"),
        (image(f"data:image/png;base64,{text(PNG)}"), "data:"),
        (image(""), "empty"),
        (image(7), "data"),
        (image(text(JPEG)), "image/jpeg"),
        (image(text(b"hello")), "no image"),
        (image(text(PNG), "image/x-icon"), "known: image/png"),
        (image(text(PNG), ""), "known"),
        (image(text(PNG + b"x" * 100)), "max_media_bytes"),
        ({"type": "image", "uri": "https://example.com/a.png"}, "data"),
        ({"type": "audio", "data": text(b"x"), "mimeType": "image/png"}, "audio"),
        ({"type": "resource", "resource": {"uri": "file:///a", "blob": "%"}}, "not base64"),
        ({"type": "resource", "resource": "x"}, "resource"),
        ({"type": "hologram", "data": "anything"}, "text, image"),
        ({"type": "text"}, "text"),
        ({"type": "text", "text": 5}, "text"),
        ({"no": "type"}, "type"),
    ],
)
def test_what_cannot_be_read_is_refused(block: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidRequest, match=r"content\[1\]") as caught:
        check_prompt([{"type": "text", "text": "look"}, block], max_media_bytes=100)
    assert word in caught.value.message


def test_the_limit_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_prompt([image(text(PNG))], max_media_bytes=20)
    assert caught.value.details == {"limit": "max_media_bytes", "value": 20}
