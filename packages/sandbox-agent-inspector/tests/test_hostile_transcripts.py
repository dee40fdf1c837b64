"""Sixty transcripts that mean harm, each opened as a conversation beside its timeline, and exported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import HOSTILE_TEXTS, hostile_log
from opening import OpenPage
from playwright.sync_api import Browser, Dialog, Page, expect
from sandbox_agent_core.inspector import find_inspector
from support.optional import skip_without
from support.server import ServerProcess

_LOGS = [hostile_log(name, text) for name, text in HOSTILE_TEXTS.items()]
_EXPORTED = [0, 10, 30]
"""One after the other would take minutes; what an export does with each is tested without a browser, too."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    if find_inspector() is None:
        skip_without("the Inspector is not built: make inspector")
    server = ServerProcess(tmp_path_factory.mktemp("hostile"))
    for log in _LOGS:
        log.write(server.data_dir)
    server.start()
    yield server
    server.stop()


def _go(page: Page, path: str) -> None:
    """Within the app, as a click does it."""
    page.evaluate(
        "(path) => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }",
        f"/ui{path}",
    )


def test_none_of_them_does_anything_but_to_be_shown(open_page: OpenPage) -> None:
    """What the pages complain about (a dialog, a request to another host, a refusal of the policy, an error that nobody
    caught) fails the test by itself."""
    assert len(_LOGS) >= 60
    page = open_page("/")
    opened: list[str] = []
    page.context.on("page", lambda other: opened.append(other.url))
    for log in _LOGS:
        _go(page, f"/s/{log.session_id}/e/{log.last_seq}")
        timeline = page.get_by_role("listbox", name="Events")
        expect(timeline.get_by_role("option", selected=True), log.session_id).to_be_visible()
        expect(page.get_by_role("main").first).to_be_visible()
        assert _escaped(page) == [], log.session_id
        assert page.evaluate("Object.prototype.isAdmin ?? ({}).polluted ?? null") is None
    assert opened == []


def _escaped(page: Page) -> list[str]:
    """What lies over the frame, or makes the page wider than the window."""
    found: list[str] = page.evaluate(
        """() => {
            const found = [];
            if (document.documentElement.scrollWidth > innerWidth) found.push('wider than the window');
            if (document.querySelector('iframe, object, embed, form[action], base, math, img:not([src^="data:"]):not([src^="blob:"])')) found.push('elements');
            if (document.querySelector('a[href^="javascript" i], a[href^="data" i], a[href^="file" i]')) found.push('links');
            const search = document.querySelector('nav, aside, [role=search], [role=navigation]')?.getBoundingClientRect();
            if (search) {
                const top = document.elementFromPoint(search.left + 5, search.top + 5);
                if (top && !document.querySelector('nav, aside, [role=search], [role=navigation]').contains(top)) found.push('something lies over the frame');
            }
            if (/alert\\(1\\)<|evil\\.example\\/login$/.test(location.href)) found.push('address');
            return found;
        }"""
    )
    return found


@pytest.mark.parametrize("number", _EXPORTED)
def test_an_export_of_one_is_as_harmless(
    open_page: OpenPage, browser: Browser, tmp_path: Path, number: int
) -> None:
    page = open_page(f"/s/{_LOGS[number].session_id}/e/1")
    page.get_by_role("button", name="Export").first.click()
    dialog = page.get_by_role("dialog", name="Export session")
    expect(dialog.get_by_label("Preview")).to_have_attribute("aria-busy", "false")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Save").click()
    assert re.fullmatch(r"[\w.-]+\.html", download.value.suggested_filename)
    exported = tmp_path / "session.html"
    download.value.save_as(exported)
    # With scripts allowed: there is none.
    context = browser.new_context()
    requests: list[str] = []
    dialogs: list[str] = []
    context.on("request", lambda request: requests.append(request.url))

    def on_dialog(asked: Dialog) -> None:
        dialogs.append(asked.message)
        asked.dismiss()

    context.on("dialog", on_dialog)
    opened = context.new_page()
    opened.goto(exported.as_uri())
    expect(opened.get_by_role("heading", name=re.compile("Turn 1"))).to_be_visible()
    assert opened.locator("script, iframe, form, object, link, img").count() == 0
    assert (requests, dialogs) == ([exported.as_uri()], [])
    context.close()
