"""The page as the server hands it out: it loads under its own policy, from this server alone, and keeps the token to itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from axe import Axe
from opening import OpenPage
from playwright.sync_api import Page, expect
from support.server import TOKEN, ServerProcess

sys.path.insert(0, str(Path(__file__).parents[1]))


def test_it_opens_by_its_link(page: Page) -> None:
    expect(page.get_by_role("main").first).to_be_visible()


@pytest.mark.parametrize(
    "path", ["/inbox", "/s/ses_1", "/files/a%20b/.env", "/files/%E2%80%AE/<img>.txt"]
)
def test_every_address_of_the_app_can_be_reloaded(open_page: OpenPage, path: str) -> None:
    open_page.allow("Failed to load resource")
    page = open_page(path)
    expect(page.get_by_role("main").first).to_be_visible()
    answer = page.reload()
    assert answer is not None
    assert answer.status == 200
    expect(page.get_by_role("main").first).to_be_visible()


def test_what_the_policy_forbids_is_refused(open_page: OpenPage) -> None:
    """So that a page without complaints means something."""
    open_page.allow(
        "request to another host|Content Security Policy|Trusted|violates|uncaught|ERR_|Fetch API|Refused"
    )
    page = open_page()
    assert page.evaluate("""async () => {
        const found = [];
        document.addEventListener('securitypolicyviolation', (event) => found.push(event.effectiveDirective));
        try { document.body.innerHTML = '<b>x</b>'; } catch { found.push('threw'); }
        await fetch('https://elsewhere.example/').catch(() => {});
        const image = new Image();
        image.src = 'https://elsewhere.example/x.png';
        await new Promise((done) => { image.onerror = done; });
        return found.sort();
    }""") == ["connect-src", "img-src", "require-trusted-types-for", "threw"]


def test_a_websocket_of_this_server_is_allowed(server: ServerProcess, page: Page) -> None:
    opened = page.evaluate(
        """([url, token]) => new Promise((done) => {
            const socket = new WebSocket(url, ['sandbox-agent', `bearer.${token}`]);
            socket.onopen = () => { socket.close(); done('open'); };
            socket.onerror = () => done('refused');
        })""",
        [f"{server.url.replace('http', 'ws', 1)}/v1/events", TOKEN],
    )
    assert opened == "open"


def test_the_first_load_is_small() -> None:
    from web_build import MAX_FIRST_LOAD_BYTES, first_load

    assert sum(first_load().values()) <= MAX_FIRST_LOAD_BYTES, first_load()


def test_axe_finds_nothing(page: Page, axe: Axe) -> None:
    expect(page.get_by_role("main").first).to_be_visible()
    assert axe(page) == []
