"""The timeline of a session, links to its events, and what is exported of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opening import OpenPage
from playwright.sync_api import Browser, Locator, Page, expect
from recorded import RecordedLog
from sandbox_agent_core.inspector import find_inspector
from support.optional import skip_without
from support.server import ServerProcess, until

SHORT, LONG = "ses_short", "ses_long"
LONG_EVENTS = 20_000
MIDDLE = 10_000


def _short() -> RecordedLog:
    log = RecordedLog(SHORT)
    log.prompt("Fix the failing test")
    log.say("The clock is off by one.", kind="reasoning")
    log.say("I look at it **first**.")
    log.call("call_1", "Read session.py", "read", rawInput={"path": "/tmp/session.py"})
    log.call(
        "call_2",
        "Edit session.py",
        "edit",
        content=[
            {"type": "diff", "path": "/tmp/session.py", "oldText": "a = 1\n", "newText": "a = 2\n"}
        ],
    )
    log.call("call_3", "make test", status="failed", rawInput={"command": "make test"})
    log.end()
    log.prompt("And now?")
    log.say("It passes.")
    log.end()
    return log


def _long() -> RecordedLog:
    log = RecordedLog(LONG)
    log.prompt("Count")
    for number in range((LONG_EVENTS - log.last_seq - 1) // 2):
        log.call(f"call_{number}", f"step {number}", rawInput={"command": f"echo {number}"})
    log.end()
    return log


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """With two sessions that were recorded: nobody waits here for so many events."""
    if find_inspector() is None:
        skip_without("the Inspector is not built: make inspector")
    server = ServerProcess(tmp_path_factory.mktemp("timeline"))
    for log in (_short(), _long()):
        log.write(server.data_dir)
    server.start()
    yield server
    server.stop()


def _rows(page: Page, text: str) -> Locator:
    return page.get_by_role("listbox", name="Events").get_by_role("option").filter(has_text=text)


def test_a_call_is_one_row_that_opens_to_its_event_and_the_frame_of_it(open_page: OpenPage) -> None:
    page = open_page(f"/s/{SHORT}/e/1")
    _rows(page, "make test").click()
    detail = page.get_by_role("region", name=re.compile(r"^Event \d+$"))
    expect(detail.get_by_role("tree", name=re.compile("^Event"))).to_contain_text("tool.started")
    expect(detail.get_by_role("tree", name=re.compile("^Frame"))).to_contain_text("session/update")
    page.get_by_role("listbox", name="Events").press("Escape")
    expect(detail).to_have_count(0)


def test_rows_are_filtered_by_text_and_type_and_shown_as_frames(open_page: OpenPage) -> None:
    page = open_page(f"/s/{SHORT}/e/1")
    options = page.get_by_role("listbox", name="Events").get_by_role("option")
    page.get_by_role("searchbox", name="Filter events").fill("session.py")
    expect(options).to_have_count(2)
    page.get_by_role("searchbox", name="Filter events").fill("")
    page.get_by_role("button", name="All types").click()
    page.get_by_role("button", name="None").click()
    page.get_by_text("tool.*").click()
    page.keyboard.press("Escape")
    expect(options).to_have_count(3)
    page.get_by_role("radio", name="Frames").click()
    expect(page.get_by_text("No event fits the filter")).to_have_count(0)
    expect(options.filter(has_text="session/prompt").first).to_be_visible()


def test_a_link_to_one_of_many_events_shows_it_in_the_middle(open_page: OpenPage) -> None:
    page = open_page(f"/s/{LONG}/e/{MIDDLE}")
    row = page.get_by_role("option", selected=True)
    expect(row).to_be_visible()
    number = (MIDDLE - 4) // 2
    expect(row).to_contain_text(re.compile(f"step ({number - 1}|{number}|{number + 1})"))
    until(lambda: 0.2 < _place_of_selected(page) < 0.8)
    assert page.get_by_role("listbox", name="Events").get_by_role("option").count() < 120


def _place_of_selected(page: Page) -> float:
    """From the list's top to its end; what is not rendered is nowhere."""
    place: float = page.evaluate(
        """() => {
            const row = document.querySelector('[role=option][aria-selected=true]');
            const list = row?.closest('[role=listbox]')?.getBoundingClientRect();
            const own = row?.getBoundingClientRect();
            return list && own ? (own.top + own.height / 2 - list.top) / list.height : -1;
        }"""
    )
    return place


def test_a_link_to_an_event_that_is_not_there_offers_the_nearest(open_page: OpenPage) -> None:
    page = open_page(f"/s/{SHORT}/e/99999")
    expect(page.get_by_text("This session has no event 99999")).to_be_visible()
    page.get_by_role("button", name="the nearest").click()
    expect(page.get_by_role("option", selected=True)).to_be_visible()


def _export(page: Page, file_format: str) -> Path:
    page.get_by_role("button", name="Export").first.click()
    dialog = page.get_by_role("dialog", name="Export session")
    if file_format != "HTML":
        dialog.get_by_role("button", name=re.compile("^HTML")).click()
        page.get_by_role("option", name=re.compile(f"^{file_format}")).click()
    expect(dialog.get_by_label("Preview")).to_have_attribute("aria-busy", "false")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Save").click()
    path = Path(download.value.path())
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    return path


def test_json_lines_are_the_bytes_of_the_api(open_page: OpenPage, server: ServerProcess) -> None:
    page = open_page(f"/s/{SHORT}/e/1")
    lines = _export(page, "JSON lines").read_bytes().splitlines()
    url = f"{server.url}/v1/sessions/{SHORT}/events?deltas=false&limit=1000"
    answered = httpx.get(url, headers=server.headers).content
    assert len(lines) == len(json.loads(answered)["events"])
    assert b",".join(lines) in answered


def test_markdown_has_the_conversation_with_its_diffs(open_page: OpenPage) -> None:
    text = _export(open_page(f"/s/{SHORT}/e/1"), "Markdown").read_text(encoding="utf-8")
    assert "# Fix the failing test" in text
    assert "-a = 1\n+a = 2\n" in text
    assert "I look at it **first**." in text


def test_an_html_export_opens_from_disk_without_a_script_or_a_request(
    open_page: OpenPage, browser: Browser, tmp_path: Path
) -> None:
    exported = tmp_path / "session.html"
    exported.write_bytes(_export(open_page(f"/s/{SHORT}/e/1"), "HTML").read_bytes())
    context = browser.new_context(java_script_enabled=False)
    requests: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    page = context.new_page()
    page.goto(exported.as_uri())
    expect(page.get_by_role("heading", name="Fix the failing test")).to_be_visible()
    expect(page.get_by_text("a = 2")).to_be_visible()
    expect(page.get_by_text("The clock is off by one.")).to_be_hidden()
    page.get_by_text("Thought").click()
    expect(page.get_by_text("The clock is off by one.")).to_be_visible()
    assert requests == [exported.as_uri()]
    assert "<script" not in exported.read_text(encoding="utf-8")
    context.close()


def test_the_request_log_keeps_the_token_to_itself(
    open_page: OpenPage, server: ServerProcess
) -> None:
    page = open_page("/server/requests")
    row = (
        page.get_by_role("listbox", name="Requests")
        .get_by_role("option")
        .filter(has_text="/v1/sessions")
    )
    row.first.click()
    expect(page.get_by_role("tree", name="Request")).to_contain_text("/v1/sessions")
    assert str(server.token) not in page.content()
