"""The chat of the guide: its HTTP, and its page in a real browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.browser import Browser
from support.ports import free_port
from support.server import DEADLINE_S, until

CHAT = Path(__file__).resolve().parents[2] / "examples" / "chat" / "server.py"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("chat")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(CHAT), str(port)],
        cwd=directory,
        env={**os.environ, "HOME": str(directory)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    def is_up() -> bool:
        try:
            return httpx.get(f"{url}/chats").status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(is_up)
        yield url
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def until_event(url: str, chat: str, wanted: str, after: int = 0) -> list[dict[str, Any]]:
    """What a browser would get, from its cursor to the first event of that type."""
    found: list[dict[str, Any]] = []
    headers = {"last-event-id": str(after)}
    with httpx.stream("GET", f"{url}/chats/{chat}/events", headers=headers, timeout=30) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
                if found[-1]["type"] == wanted:
                    return found
    raise AssertionError(f"no {wanted}: {found}")


def test_a_page_that_comes_back_amid_a_turn_goes_on_at_its_cursor(url: str) -> None:
    chat = httpx.post(f"{url}/chats", json={}).json()["id"]
    assert httpx.post(f"{url}/chats/{chat}/say", json={"text": "permission"}).status_code == 202
    before = until_event(url, chat, "permission.requested")
    request = f"{url}/chats/{chat}/requests/{before[-1]['data']['requestId']}"
    assert httpx.post(request, json={"reply": "once"}).status_code == 204
    again = httpx.post(request, json={"reply": "reject"})
    assert (again.status_code, again.json()["code"]) == (409, "request_already_resolved")
    rest = until_event(url, chat, "turn.ended", after=before[-1]["seq"])
    assert [*before, *rest] == until_event(url, chat, "turn.ended")


def test_another_site_can_neither_prompt_nor_be_named_like_it(url: str) -> None:
    form = httpx.post(f"{url}/chats", data={"a": "b"})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    assert httpx.get(f"{url}/chats", headers={"host": "evil.example"}).status_code == 400


def test_the_page_shows_a_turn_asks_and_finds_it_again_after_a_reload(
    url: str, tmp_path: Path
) -> None:
    with Browser(tmp_path) as page:
        page.open(url)
        until(lambda: page.value("location.hash.length > 1"))
        before = page.value("location.hash")
        page.click("New chat")
        until(lambda: page.value("location.hash") != before)
        page.value("document.getElementById('text').value = 'permission'")
        page.click("Send")
        page.click("Allow")
        log = "document.getElementById('log').innerText"
        until(lambda: page.value(log).endswith("\nDone"))
        shown = page.value(log)
        page.send("Page.reload")
        until(lambda: page.value(log) == shown)
