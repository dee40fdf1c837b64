"""Terminals, processes and ports in the Inspector: typed into, looked at, and there again after a reload."""

from __future__ import annotations

import re
import sys

from axe import Axe
from opening import PHONE, OpenPage
from playwright.sync_api import Locator, Page, expect
from support.server import ServerProcess

PAGE_SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>preview</title><h1>made by an agent</h1>")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_address[1], flush=True)
server.serve_forever()
"""


def screen(page: Page) -> Locator:
    return page.locator(".xterm-rows").first


def new_terminal(page: Page) -> None:
    page.get_by_role("button", name="New terminal").first.click()
    expect(page.locator(".xterm-helper-textarea").first).to_be_focused()


def test_a_terminal_is_typed_into_and_is_there_again_after_a_reload(open_page: OpenPage) -> None:
    # On a light page the contrast of a programme's own colour is lifted.
    page = open_page("/terminals", color_scheme="dark")
    new_terminal(page)
    page.keyboard.type("echo typed-$((40+2)); printf '\\033[38;2;255;100;0mcolour\\033[0m\\n'\n")
    expect(screen(page)).to_contain_text("typed-42")
    coloured = screen(page).locator("span", has_text=re.compile("^colour$"))
    assert coloured.evaluate("(span) => getComputedStyle(span).color") == "rgb(255, 100, 0)"

    page.set_viewport_size({"width": 900, "height": 500})
    page.keyboard.type("stty size | tr ' ' x\n")
    expect(screen(page)).to_contain_text(re.compile(r"[12]\dx\d{2}"))
    page.reload()
    expect(screen(page)).to_contain_text("typed-42")
    expect(page.get_by_text(re.compile(r"Reconnected, \d+ lines restored"))).to_be_visible()

    page.locator(".xterm-helper-textarea").focus()
    page.keyboard.type("exit 3\n")
    expect(page.get_by_text("Ended with exit code 3 ·")).to_be_visible()


def test_the_keyboard_gets_out_of_a_terminal(open_page: OpenPage) -> None:
    page = open_page("/terminals")
    new_terminal(page)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("F6")
    expect(page.locator(".xterm-helper-textarea")).not_to_be_focused()


def test_lines_are_not_pasted_into_a_shell_unasked(open_page: OpenPage) -> None:
    page = open_page("/terminals")
    new_terminal(page)
    # While a shell edits a line it takes pastes as one text; a program that was started does not.
    page.keyboard.type("echo started-$((1+1)); cat\n")
    expect(screen(page)).to_contain_text("started-2")
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.setData('text/plain', 'first\\nsecond\\n');
        document.activeElement.dispatchEvent(
            new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
    }""")
    question = page.get_by_role("alertdialog", name=re.compile("Paste 3 lines"))
    question.get_by_role("button", name="Cancel").click()
    expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    page.keyboard.type("third\n")
    expect(screen(page)).to_contain_text("third")
    expect(screen(page)).not_to_contain_text("second")


def test_much_output_does_not_freeze_the_page(open_page: OpenPage) -> None:
    page = open_page("/terminals")
    new_terminal(page)
    page.evaluate("""() => {
        window.frames_seen = 0;
        const tick = () => {
            window.frames_seen += 1;
            requestAnimationFrame(tick);
        };
        tick();
    }""")
    page.keyboard.type(
        "yes 0123456789012345678901234567890123456789 | head -c 10000000; echo; echo all-$((1+1))\n"
    )
    expect(screen(page)).to_contain_text("all-2", timeout=60_000)
    # Not how fast, which the machine decides: that the page went on painting all the while.
    assert page.evaluate("window.frames_seen") > 20


def test_a_process_is_started_watched_and_stopped(open_page: OpenPage) -> None:
    page = open_page("/processes")
    page.get_by_role("button", name=re.compile("^Start")).first.click()
    dialog = page.get_by_role("dialog", name="Start a process")
    dialog.get_by_role("button", name="Start").click()
    expect(dialog).to_contain_text("Type a command.")
    dialog.get_by_role("textbox", name="Command").fill("echo begun-$((1+1)); echo bad >&2; cat")
    dialog.get_by_role("button", name="Start").click()
    expect(screen(page)).to_contain_text("begun-2")
    expect(screen(page)).to_contain_text("bad")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Stop").click()
    detail = page.get_by_role("region", name="Process", exact=True)
    expect(detail).to_contain_text("SIGTERM")
    expect(detail.get_by_role("button", name="Run again")).to_be_visible()


def test_a_port_is_seen_and_its_page_opened(open_page: OpenPage, server: ServerProcess) -> None:
    # The page of a port has a host of its own.
    open_page.allow(r"favicon|request to another host: http://port-\d+\.localhost:")
    page = open_page("/ports")
    with server.client() as client:
        made = client.post(
            "/v1/processes", json={"command": sys.executable, "args": ["-c", PAGE_SERVER]}
        ).json()
    button = (
        page.get_by_role("listitem")
        .filter(has_text=f"PID {made['pid']}")
        .get_by_role("button", name=re.compile("Open port"))
    )
    with page.context.expect_page() as opened:
        button.click()
    expect(opened.value.get_by_role("heading", name="made by an agent")).to_be_visible()
    assert "ticket" not in opened.value.url
    assert opened.value.evaluate("window.opener") is None


def test_a_phone_has_the_keys_that_it_lacks(open_page: OpenPage) -> None:
    page = open_page("/terminals", **PHONE)
    page.get_by_role("button", name="New terminal").first.tap()
    expect(screen(page)).to_be_visible()
    page.locator(".xterm-helper-textarea").focus()
    page.keyboard.type("sleep 1000\n")
    keys = page.get_by_role("toolbar", name="Keys")
    keys.get_by_role("button", name="Control, for the next key").tap()
    page.keyboard.type("c")
    expect(screen(page)).to_contain_text("^C")
    box = keys.get_by_role("button", name="Escape").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44


def test_axe_finds_nothing(open_page: OpenPage, axe: Axe) -> None:
    page = open_page("/terminals")
    new_terminal(page)
    assert axe(page) == []
    for path, name in (("/processes", "Processes"), ("/ports", "Ports")):
        page = open_page(path)
        expect(page.get_by_role("region", name=name)).to_be_visible()
        assert axe(page) == []
