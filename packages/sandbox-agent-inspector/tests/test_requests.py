"""Permissions and questions, answered in the browser: by whom, by which rule, and never by accident."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from axe import Axe
from opening import PHONE, OpenPage
from playwright.sync_api import Locator, Page, Route, expect
from support.server import ServerProcess

_PRESS_AS_SOON_AS_IT_IS_THERE = """
new MutationObserver(() => {
    const button = document.querySelector('[data-request] button[data-look="primary"]');
    if (!button || window.pressed) return;
    window.pressed = true;
    button.focus();
    for (const key of ['Enter', ' ']) {
        button.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        button.dispatchEvent(new KeyboardEvent('keyup', { key, bubbles: true }));
    }
    button.click();
    const more = { key: 'y', code: 'KeyY', altKey: true, bubbles: true };
    document.body.dispatchEvent(new KeyboardEvent('keydown', more));
}).observe(document, { childList: true, subtree: true });
"""


def _name(actor: str) -> str:
    stored = json.dumps({"state": {"actor": actor}, "version": 1})
    return f"if (origin !== 'null') localStorage.setItem('sandbox-agent:preferences', {json.dumps(stored)})"


def _ask(server: ServerProcess, folder: Path, scene: str = "permission", **body: object) -> str:
    session = server.create(cwd=str(folder), **body)
    server.prompt(session, scene, wait=False)
    return session


def _card(page: Page, state: str = "pending") -> Locator:
    card = page.locator("article[data-request]").last
    expect(card).to_have_attribute("data-state", state)
    return card


def _press(card: Locator, name: str) -> None:
    """Until it counts: in the first moment of a card nothing does."""
    button = card.get_by_role("button", name=name, exact=True)
    while card.get_attribute("data-state") == "pending":
        button.click()


def test_allowed_once_is_told_with_who_allowed_it(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    session = _ask(server, tmp_path)
    context = open_page.context()
    context.add_init_script(_name("ana"))
    page = context.new_page()
    page.goto(f"{server.url}/ui/s/{session}#token={server.token}")
    card = _card(page)
    expect(card).to_contain_text("touch allowed.txt")
    expect(card).to_contain_text(str(tmp_path))
    expect(card).to_contain_text("denies in")
    expect(card).to_contain_text("Why:")
    _press(card, "Allow once")
    expect(card).to_contain_text("Allowed once by ana")
    expect(card).to_be_focused()
    expect(
        page.get_by_role("article").get_by_text("Done: I ran touch allowed.txt.")
    ).to_be_visible()


def test_of_two_people_the_first_answers_and_the_other_sees_who(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    open_page.allow("409")
    session = _ask(server, tmp_path)
    page = open_page(f"/s/{session}")
    card = _card(page)

    def somebody_is_faster(route: Route) -> None:
        with server.client() as client:
            answer = client.post(route.request.url, json={"reply": "reject", "actor": "<b>ben</b>"})
        assert answer.status_code == 200
        route.continue_()

    page.route("**/requests/*", somebody_is_faster)
    _press(card, "Allow once")
    expect(card).to_contain_text("Denied by <b>ben</b>")
    expect(page.get_by_role("region", name="Notifications").get_by_role("listitem")).to_have_count(
        0
    )


def test_what_is_pressed_as_soon_as_a_card_is_there_answers_nothing(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    session = _ask(server, tmp_path)
    context = open_page.context()
    context.add_init_script(_PRESS_AS_SOON_AS_IT_IS_THERE)
    page = context.new_page()
    page.goto(f"{server.url}/ui/s/{session}#token={server.token}")
    card = _card(page)
    page.wait_for_function("() => window.pressed")
    expect(card).to_have_attribute("data-state", "pending")
    assert server.events(session, "permission.resolved") == []
    _press(card, "Deny")
    expect(card).to_contain_text("Denied")


def _cancel(server: ServerProcess, session: str) -> None:
    with server.client() as client:
        assert client.post(f"/v1/sessions/{session}/cancel", json={}).status_code == 200


@pytest.mark.parametrize(
    ("policy", "then", "words"),
    [
        ({"timeoutS": 1}, None, "Expired: denied by its deadline"),
        (
            {"rules": [{"action": "allow", "command": "touch *", "name": "only touching"}]},
            None,
            "Allowed once by the rule “only touching”",
        ),
        ({"rules": [{"action": "deny", "command": "touch *"}]}, None, "Denied by rule 1"),
        ({}, _cancel, "Withdrawn"),
    ],
    ids=["timeout", "rule", "denied", "cancel"],
)
def test_what_decided_is_said(
    server: ServerProcess,
    open_page: OpenPage,
    tmp_path: Path,
    policy: dict[str, object],
    then: Callable[[ServerProcess, str], None] | None,
    words: str,
) -> None:
    session = _ask(server, tmp_path, permissionPolicy=policy)
    page = open_page(f"/s/{session}")
    if then:
        _card(page)
        then(server, session)
    expect(_card(page, "resolved")).to_contain_text(words)


def test_a_refusal_says_why(server: ServerProcess, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(f"/s/{_ask(server, tmp_path)}")
    card = _card(page)
    why = card.get_by_label("Why not?")
    while not why.is_visible():
        card.get_by_role("button", name="Deny and say why").click()
    why.fill("not on a Friday")
    card.get_by_role("button", name="Deny", exact=True).click()
    expect(
        page.get_by_role("article").get_by_text("You did not allow it: not on a Friday")
    ).to_be_visible()


def test_always_says_what_will_hold_before_it_does(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(f"/s/{_ask(server, tmp_path)}")
    card = _card(page)
    confirm = card.get_by_role("button", name="Confirm")
    while not confirm.is_visible():
        card.get_by_role("button", name="Always allow…").click()
    expect(card).to_contain_text("Holds for the rest of this session")
    expect(card.get_by_role("button", name="Deny")).to_have_count(0)
    confirm.click()
    expect(card).to_contain_text("Allowed: “Always allow”")


def test_another_command_is_run_instead(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(f"/s/{_ask(server, tmp_path)}")
    card = _card(page)
    field = card.get_by_label("Run this instead")
    while not field.is_visible():
        card.get_by_role("button", name="Edit…").click()
    field.fill("touch other.txt")
    card.get_by_role("button", name="Allow once with this").click()
    expect(card).to_contain_text("with another input")
    expect(page.get_by_role("article").get_by_text("Done: I ran touch other.txt.")).to_be_visible()


def test_questions_are_answered_when_each_has_an_answer(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(f"/s/{_ask(server, tmp_path, 'question')}")
    card = _card(page)
    card.get_by_role("button", name="Answer").click()
    expect(card.get_by_text("Choose an answer.")).to_be_visible()
    expect(card.get_by_label("Red")).to_be_focused()
    card.get_by_label("Blue").check()
    card.get_by_label("Dots").check()
    card.get_by_label("Something else").last.check()
    card.get_by_role("textbox").fill("glitter")
    _press(card, "Answer")
    expect(
        page.get_by_role("article").get_by_text(
            "You answered color = Blue; extras = Dots, glitter."
        )
    ).to_be_visible()


def test_the_inbox_is_answered_by_keys(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    session = _ask(server, tmp_path)
    page = open_page("/inbox")
    row = page.get_by_role("main").get_by_role("listitem").filter(has_text=str(tmp_path))
    card = row.locator("article[data-request]")
    expect(card).to_have_attribute("data-state", "pending")
    while card.get_attribute("data-state") == "pending":
        while not card.evaluate("(card) => card === document.activeElement"):
            page.keyboard.press("Alt+ArrowDown")
        page.keyboard.press("Alt+n")
    expect(card).to_contain_text("Denied")
    expect(card).to_be_visible()
    assert server.events(session, "permission.resolved")[0]["data"]["decidedBy"] == "user"


def test_a_thumb_finds_two_large_buttons(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    session = _ask(server, tmp_path)
    page = open_page(f"/s/{session}", **PHONE)
    sheet = page.get_by_role("region", name="Waiting for you")
    deny = sheet.get_by_role("button", name="Deny", exact=True).bounding_box()
    allow = sheet.get_by_role("button", name="Allow once").bounding_box()
    always = sheet.get_by_role("button", name="Always allow…").bounding_box()
    assert deny
    assert allow
    assert always
    assert min(deny["height"], allow["height"]) >= 56
    assert allow["x"] - (deny["x"] + deny["width"]) >= 12
    assert always["y"] > deny["y"] + deny["height"] + 12
    while sheet.locator("article[data-state=pending]").count():
        sheet.get_by_role("button", name="Allow once").tap()
    expect(_card(page, "resolved")).to_contain_text("Allowed once")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_about_a_request_is_in_the_way_of_anybody(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path, axe: Axe, theme: str
) -> None:
    # By their title: two tests may get one temporary folder, one after the other.
    title = f"Looked at in the {theme}"
    for scene in ("permission", "question"):
        _ask(server, tmp_path, scene, title=title)
    page = open_page("/inbox", color_scheme=theme)
    rows = page.get_by_role("main").get_by_role("listitem").filter(has_text=title)
    expect(rows.locator("article[data-state=pending]")).to_have_count(2)
    assert axe(page) == []
