"""Ports in the Inspector: a page of the sandbox in a frame, which is hostile."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from axe import Axe
from opening import OpenPage
from playwright.sync_api import Page, expect

PAGE = """<!doctype html><meta charset="utf-8"><title>app</title><input id="field"><pre id="told"></pre>
<script type="module" src="/app.js"></script>"""
SCRIPT = """
const attempt = async (what) => { try { return String(await what()); } catch (error) { return error.name; } };
const api = `http://127.0.0.1:${location.port}`;
const told = {
  path: location.pathname + location.search,
  parent: await attempt(() => parent.sessionStorage.length),
  top: await attempt(() => { top.location.href = `${api}/v1/health`; return 'led away'; }),
  own: await attempt(() => localStorage.length + sessionStorage.length),
  api: await attempt(async () => (await fetch(`${api}/v1/sessions`)).status),
  below: await attempt(async () => (await fetch('/v1/sessions')).text()),
  again: await attempt(async () => (await fetch('/cookies')).text()),
};
document.querySelector('#told').textContent = JSON.stringify(told);
if (location.pathname === '/grasping') setInterval(() => document.querySelector('#field').focus(), 10);
"""


class Program(BaseHTTPRequestHandler):
    """Names its files by absolute paths, and counts on its cookie."""

    def do_GET(self) -> None:
        kind, body = {
            "/app.js": ("text/javascript", SCRIPT),
            "/cookies": ("text/plain", self.headers.get("cookie", "none")),
            "/v1/sessions": ("text/plain", "the program's own"),
        }.get(self.path, ("text/html", PAGE))
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("set-cookie", "theirs=1; Path=/; SameSite=Lax")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Program) as program:
        thread = threading.Thread(target=program.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield program.server_address[1]
        program.shutdown()
        thread.join()


def told(page: Page) -> dict[str, str]:
    said = page.frame_locator("iframe").locator("#told")
    expect(said).not_to_be_empty()
    found: dict[str, str] = json.loads(said.inner_text())
    return found


def test_a_page_of_the_sandbox_works_in_its_frame_and_reaches_nothing_else(
    open_page: OpenPage, port: int, axe: Axe
) -> None:
    open_page.allow(rf"request to another host: http://port-{port}\.localhost:")
    # What it tries, and what the browser says to that.
    open_page.allow("Unsafe attempt to initiate navigation|/v1/sessions|Failed to load resource")
    page = open_page("/ports")
    page.evaluate("localStorage.setItem('kept', 'here')")
    page.get_by_role("button", name=f"Preview port {port}").click()
    found = told(page)
    assert found.pop("again") == "theirs=1"
    # A private window keeps the storage of frames shut.
    assert found.pop("own") in ("0", "SecurityError")
    assert found == {
        "path": "/",
        "parent": "SecurityError",
        "top": "SecurityError",
        "api": "TypeError",
        "below": "the program's own",
    }

    field = page.get_by_role("textbox", name=f"Path on port {port}")
    field.fill("/deep/page?a=1#there")
    field.press("Enter")
    expect(page.frame_locator("iframe").locator("#told")).to_contain_text('"/deep/page?a=1"')
    page.get_by_role("button", name="As wide as a phone").click()
    expect(page.locator("iframe")).to_have_css("width", "390px")
    assert axe(page) == []

    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Open in a new tab").click()
    opened.value.wait_for_url(
        re.compile(rf"http://port-{port}\.localhost:\d+/deep/page\?a=1#there")
    )

    page.reload()
    assert told(page)["path"] == "/deep/page?a=1"
    page.get_by_role("button", name="All ports").click()
    expect(page.get_by_role("button", name=f"Preview port {port}")).to_be_visible()


def test_a_page_that_takes_the_keyboard_again_and_again_is_put_away(
    open_page: OpenPage, port: int
) -> None:
    open_page.allow(r"request to another host|Failed to load resource|Unsafe attempt|/v1/sessions")
    page = open_page("/ports")
    page.get_by_role("button", name=f"Preview port {port}").click()
    field = page.get_by_role("textbox", name=f"Path on port {port}")
    field.click()  # the pointer is not over the frame
    field.fill("/grasping")
    field.press("Enter")
    expect(page.get_by_text("took the keyboard")).to_be_visible()
    expect(page.locator("iframe")).to_have_count(0)
    expect(field).to_be_focused()
    page.keyboard.type("/and/on")
    expect(field).to_have_value("/grasping/and/on")


def test_a_browser_that_finds_no_such_name_is_told_so(open_page: OpenPage, port: int) -> None:
    page = open_page("/ports", user_agent="Mozilla/5.0 (Macintosh) Version/26.0 Safari/605.1.15")
    expect(page.get_by_role("button", name=f"Open port {port}")).to_be_visible()
    expect(page.get_by_text("No preview here")).to_contain_text("Safari")
    expect(page.get_by_role("button", name=re.compile("^Preview"))).to_have_count(0)
