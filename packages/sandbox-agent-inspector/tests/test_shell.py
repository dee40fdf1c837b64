"""The frame of the Inspector: getting in, finding and making sessions, moving by keys, and what it does without its server."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe import Axe
from opening import PHONE, OpenPage
from playwright.sync_api import Locator, Page, Route, expect
from support.server import TOKEN, ServerProcess, until


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture
def waiting(server: ServerProcess, open_page: OpenPage, workspace: Path) -> Iterator[str]:
    """A session that asks for a permission."""
    session_id = server.create(cwd=str(workspace), title="Needs an answer")
    server.prompt(session_id, "permission", wait=False)
    yield session_id
    open_page.close()
    with server.client() as client:
        client.delete(f"/v1/sessions/{session_id}", params={"purge": "true"})


def row(page: Page, title: str) -> Locator:
    return page.locator("[data-session]").filter(has_text=title)


def test_the_token_is_nowhere_but_in_this_tab(page: Page) -> None:
    expect(page.get_by_role("navigation", name="Sessions")).to_be_visible()
    assert TOKEN not in page.url
    kept: dict[str, Any] = page.evaluate(
        "() => ({local: JSON.stringify(localStorage), session: JSON.stringify(sessionStorage), length: history.length})"
    )
    assert TOKEN not in kept["local"]
    assert TOKEN in kept["session"]
    page.go_back()
    assert TOKEN not in page.url


def test_without_a_token_it_is_asked_for(open_page: OpenPage, axe: Axe) -> None:
    open_page.allow("401")
    page = open_page("/agents", token=None)
    token = page.get_by_label("Token")
    expect(token).to_be_focused()
    assert axe(page) == []
    token.fill("wrong-token-of-nobody")
    token.press("Enter")
    expect(page.get_by_text("does not take this token")).to_be_visible()
    # The whole ready link is as good as the token in it.
    token.fill(f"{page.url.split('/ui')[0]}/ui/#token={TOKEN}")
    token.press("Enter")
    expect(page.get_by_role("navigation", name="Sessions")).to_be_visible()
    assert page.url.endswith("/ui/agents")


def test_a_session_is_made_and_prompted_by_keys_alone(
    server: ServerProcess, open_page: OpenPage, workspace: Path
) -> None:
    open_page.allow("400")
    page = open_page()
    expect(page.get_by_role("navigation", name="Sessions")).to_be_visible()
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog", name="New session")
    prompt = dialog.get_by_label("First prompt")
    expect(prompt).to_be_focused()
    expect(dialog.get_by_role("radio").first).to_be_attached()
    page.keyboard.press("Shift+Tab")
    mock = dialog.get_by_role("radio", name=re.compile("Mock agent"))
    for _ in range(40):
        if mock.is_checked():
            break
        page.keyboard.press("ArrowDown")
    expect(mock).to_be_checked()
    expect(dialog.get_by_text("Default (Mock Fast)").first).to_be_visible()
    prompt.focus()
    page.keyboard.type("made by keys")
    page.keyboard.press("Tab")
    page.keyboard.type("/nowhere/at/all")
    page.keyboard.press("Control+Enter")
    folder = dialog.get_by_label("Folder", exact=True)
    expect(dialog.get_by_text("is not a directory")).to_be_visible()
    expect(folder).to_be_focused()
    expect(prompt).to_have_value("made by keys")
    page.keyboard.press("Control+a")
    page.keyboard.type(str(workspace))
    page.keyboard.press("Control+Enter")
    expect(dialog).to_be_hidden()
    page.wait_for_url(re.compile("/ui/s/"))
    session_id = page.url.rsplit("/", 1)[1]
    until(lambda: server.events(session_id, "turn.ended"))
    with server.client() as client:
        made = client.get(f"/v1/sessions/{session_id}").json()
    assert made["cwd"] == str(workspace)
    assert made["firstPrompt"] == "made by keys"


def test_a_link_fills_the_dialog_and_sends_nothing(
    server: ServerProcess, open_page: OpenPage, axe: Axe
) -> None:
    page = open_page("/new?agent=mock&cwd=/tmp&prompt=Say%20%3Chi%3E")
    dialog = page.get_by_role("dialog", name="New session")
    expect(dialog.get_by_label("First prompt")).to_have_value("Say <hi>")
    expect(dialog.get_by_label("Folder", exact=True)).to_have_value("/tmp")
    dialog.get_by_role("button", name="More: permissions").click()
    dialog.get_by_role("button", name="As Python").click()
    expect(dialog.get_by_text("SandboxAgentSync.connect")).to_be_visible()
    assert axe(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    with server.client() as client:
        found = client.get("/v1/sessions", params={"q": "<hi>"}).json()
    assert found["sessions"] == []


def test_what_waits_is_on_top_and_is_answered_in_the_list(
    server: ServerProcess, page: Page, waiting: str, axe: Axe
) -> None:
    expect(page.get_by_role("heading", name="Waiting for you · 1")).to_be_visible()
    expect(page).to_have_title(re.compile(r"^\(1\) ◆"))
    expect(page.locator('link[rel="icon"]')).to_have_attribute("href", re.compile("waiting"))
    assert page.locator("[data-session]").first.get_attribute("data-session") == waiting
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(page.locator("html")).to_have_attribute("data-theme", scheme)
        assert axe(page) == []
    card = page.locator("li").filter(has=row(page, "Needs an answer"))
    expect(card.get_by_text("touch allowed.txt")).to_be_visible()
    card.get_by_role("button", name="Allow once").click()
    # The pointer is in the list: nothing changes its place until it has left.
    expect(page).to_have_title(re.compile(r"^(?!\()"))
    until(lambda: server.events(waiting, "permission.resolved"))
    (resolved,) = server.events(waiting, "permission.resolved")
    assert resolved["data"]["outcome"] == "selected"


def test_the_list_finds_and_filters(server: ServerProcess, page: Page, workspace: Path) -> None:
    red = server.create(cwd=str(workspace), title="Paint the door", metadata={"team": "red"})
    server.create(cwd=str(workspace), title="Paint the window")
    expect(row(page, "Paint the window")).to_be_visible()
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search sessions")
    expect(search).to_be_focused()
    page.keyboard.type("paint")
    expect(page.locator("[data-session]")).to_have_count(2)
    page.keyboard.type(" team:red")
    expect(page.locator("[data-session]")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(row(page, "Paint the door")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"/ui/s/{red}$"))
    search.fill("nothing is called this")
    expect(page.get_by_text("Nothing found")).to_be_visible()


def test_hostile_names_stay_in_their_row(
    server: ServerProcess, page: Page, workspace: Path
) -> None:
    hostile = "<img src=x onerror=alert(1)>\u202egnp.exe " + "x" * 150
    session_id = server.create(cwd=str(workspace), title=hostile)
    link = page.locator(f'[data-session="{session_id}"]')
    expect(link).to_contain_text("⟨U+202E⟩")
    assert link.locator("img").count() == 0
    column = page.get_by_role("navigation", name="Sessions")
    assert column.evaluate("(nav) => nav.scrollWidth <= nav.clientWidth")


def test_the_palette_goes_anywhere(
    server: ServerProcess, page: Page, workspace: Path, axe: Axe
) -> None:
    session_id = server.create(cwd=str(workspace), title="Zebra crossing")
    expect(row(page, "Zebra crossing")).to_be_visible()
    page.keyboard.press("Control+k")
    dialog = page.get_by_role("dialog", name="Command palette")
    expect(dialog.get_by_label("Find a session or a command").first).to_be_focused()
    assert axe(page) == []
    page.keyboard.type("zebra")
    expect(dialog.get_by_role("menuitem").first).to_contain_text("Zebra crossing")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"/ui/s/{session_id}$"))
    page.keyboard.press("Control+k")
    page.keyboard.type("theme: light")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_keys_go_round_the_regions_and_are_listed(page: Page, axe: Axe) -> None:
    expect(page.get_by_role("navigation", name="Sessions")).to_be_visible()
    seen = []
    for _ in range(3):
        page.keyboard.press("F6")
        seen.append(
            page.evaluate("document.activeElement?.closest('[data-region]')?.dataset.region")
        )
    assert set(seen) == {"sessions", "main"}
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog.get_by_text("Command palette")).to_be_visible()
    assert axe(page) == []
    dialog.get_by_text("Single-letter keys").click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("n")
    page.keyboard.press("Control+b")
    expect(page.get_by_role("navigation", name="Sessions")).to_be_hidden()
    assert page.url.endswith("/ui/")


def test_columns_are_as_wide_as_they_were(
    server: ServerProcess, open_page: OpenPage, workspace: Path
) -> None:
    session_id = server.create(cwd=str(workspace))
    page = open_page.context().new_page()
    held: list[Route] = []
    of_the_session = re.compile(rf"/v1/sessions/{session_id}\b")
    page.route(of_the_session, lambda route: held.append(route))
    page.goto(f"{server.url}/ui/s/{session_id}#token={TOKEN}")
    splitter = page.get_by_role("separator", name="Width of the list of sessions")
    splitter.click()
    page.keyboard.press("ArrowRight")
    # The session comes late, and would like to be written to at once.
    while held:
        held.pop().continue_()
    page.unroute(of_the_session)
    expect(page.get_by_role("heading", name="What should mock do?")).to_be_visible()
    page.evaluate("() => new Promise((done) => setTimeout(done, 60))")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(splitter).to_have_attribute("aria-valuenow", "328")
    expect(page.get_by_role("complementary", name="Side panel")).to_be_visible()
    page.keyboard.press("Control+j")
    expect(page.get_by_role("complementary", name="Side panel")).to_be_hidden()
    page.reload()
    expect(splitter).to_have_attribute("aria-valuenow", "328")
    expect(page.get_by_role("complementary", name="Side panel")).to_be_hidden()


def test_a_phone_shows_one_thing_at_a_time(open_page: OpenPage, waiting: str, axe: Axe) -> None:
    # The workspace is no repository.
    open_page.allow("git/status")
    page = open_page(**PHONE)
    expect(row(page, "Needs an answer")).to_be_visible()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small: list[str] = page.evaluate("""() => [...document.querySelectorAll('a, button, input')]
        .filter((each) => each.offsetParent !== null && !each.closest('.visually-hidden'))
        .filter((each) => { const box = each.getBoundingClientRect();
            return box.width > 1 && (box.height < 43.5 || box.width < 43.5); })
        .map((each) => each.outerHTML.slice(0, 400))""")
    assert small == []
    row(page, "Needs an answer").click()
    page.wait_for_url(re.compile(f"/ui/s/{waiting}$"))
    places = page.get_by_role("navigation", name="Places")
    places.get_by_role("link", name="Activity").click()
    expect(page.get_by_role("tab", name="Events")).to_be_visible()
    places.get_by_role("link", name="Files").click()
    page.wait_for_url(re.compile(r"/files$"))
    page.go_back()
    expect(page.get_by_role("tab", name="Events")).to_be_visible()
    places.get_by_role("link", name=re.compile("Sessions")).click()
    expect(row(page, "Needs an answer")).to_be_visible()


def test_more_pages_of_a_browser_follow_than_it_has_connections(
    server: ServerProcess, page: Page, workspace: Path
) -> None:
    session_id = server.create(cwd=str(workspace))
    address = f"{server.url}/ui/s/{session_id}#token={TOKEN}"
    pages = [page.context.new_page() for _ in range(7)]
    for one in pages:
        one.goto(address)
        expect(one.get_by_role("textbox", name="Message to mock")).to_be_visible()
    server.prompt(session_id, "heard by all of them")
    for one in pages:
        expect(one.get_by_role("log").get_by_text("You said: heard by all").first).to_be_visible()


def test_a_lost_server_is_told_of_and_come_back_to(
    open_page: OpenPage, tmp_path: Path, axe: Axe
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    server = ServerProcess(tmp_path, arguments=("--port", port)).start()
    try:
        open_page.allow("Failed to load resource|ERR_")
        page = open_page(server=server)
        expect(page.get_by_role("navigation", name="Sessions")).to_be_visible()
        expect(page.get_by_text("No sessions yet").first).to_be_visible()
        server.kill()
        expect(page.get_by_text(re.compile(r"Reconnecting….*\(\d+ s\)"))).to_be_visible()
        assert axe(page) == []
        server.start()
        server.create(title="Made meanwhile")
        expect(row(page, "Made meanwhile")).to_be_visible()
        expect(page.get_by_text(re.compile("Reconnecting"))).to_be_hidden()
    finally:
        server.stop()


def test_a_large_page_at_320_pixels_does_not_move_sideways(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 320, "height": 640})
    expect(page.get_by_role("searchbox", name="Search sessions")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
