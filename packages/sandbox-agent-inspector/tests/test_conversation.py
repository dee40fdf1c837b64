"""The conversation: what streams does not flicker, what is read does not move, and links lead to their place."""

from __future__ import annotations

import re

import pytest
from opening import PHONE, OpenPage
from playwright.sync_api import Page, expect
from reading import CONVERSATION, conversation, distance_to_end, first_row, row_top, run
from support.server import ServerProcess

ANSWER = "\n\n".join(
    [
        "# What I found",
        "The **test** fails because `refresh()` compares with `<`.",
        *(f"Paragraph {number}, with *some* words that are read." for number in range(6)),
        "```python\ndef refresh(now):\n    return now() <= 1\n```",
        "| file | lines |\n|---|---:|\n| session.py | 12 |",
        "- one\n- two\n  - nested",
        *(f"Paragraph {number}, behind all that." for number in range(30)),
    ]
)
SCENES = ("help", "text", "tool", "edit", "terminal", "reasoning", "plan", "substeps")
# Longer than what is shown at once, and than what is loaded first.
TURNS = 40


@pytest.fixture(scope="module")
def long_session(server: ServerProcess) -> str:
    session = server.create(title="A long one")
    for number in range(TURNS):
        server.prompt(session, SCENES[number % len(SCENES)])
    return session


def test_blocks_that_are_complete_are_not_touched_while_an_answer_streams(
    server: ServerProcess, open_page: OpenPage
) -> None:
    session = server.create(agentOptions={"reply": ANSWER})
    server.prompt(session, "text")
    page = open_page(f"/s/{session}")
    conversation(page)
    # Of each change: which block was changed, of those that were no longer among the last two the time before; and any
    # fence that was shown as text.
    page.evaluate(
        """() => {
            const seen = window.seen = { frames: 0, before: 0, early: [], fences: [], first: null };
            new MutationObserver((changes) => {
                const message = [...document.querySelectorAll('[data-part=conversation] [class*=prose]')].at(-1);
                if (!message) return;
                seen.frames += 1;
                const blocks = [...message.children];
                seen.first ??= blocks[0];
                for (const { target } of changes) {
                    const index = blocks.findIndex((block) => block.contains(target));
                    // Colour comes into code by itself.
                    if (index >= 0 && index < seen.before - 2 && !target.parentElement?.closest('figure')) {
                        seen.early.push(`${index} of ${blocks.length}: ${target.nodeName}`);
                    }
                }
                seen.before = blocks.length;
                for (const block of blocks) {
                    if (block.tagName !== 'FIGURE' && block.textContent.includes('```')) seen.fences.push(block.textContent);
                }
            }).observe(document.querySelector('[data-part=conversation]'), {
                childList: true, subtree: true, characterData: true,
            });
        }"""
    )
    server.prompt(session, "Fix the failing test")
    expect(page.get_by_text("Paragraph 29, behind all that.")).to_be_attached()
    seen = page.evaluate("() => ({ ...window.seen, first: window.seen.first.isConnected })")
    assert seen["frames"] > 0
    assert seen["early"] == []
    assert seen["fences"] == []


def test_who_is_at_the_end_is_taken_along(server: ServerProcess, open_page: OpenPage) -> None:
    session = server.create()
    for _ in range(6):
        server.prompt(session, "help")
    page = open_page(f"/s/{session}")
    conversation(page)
    assert distance_to_end(page) <= 1
    server.prompt(session, "stream 200")
    expect(page.get_by_text(re.compile(r"\b198 199\b"))).to_be_visible()
    assert distance_to_end(page) <= 1


def test_who_reads_above_is_not_moved_by_what_arrives(
    server: ServerProcess, open_page: OpenPage
) -> None:
    session = server.create()
    for scene in SCENES:
        server.prompt(session, scene)
    page = open_page(f"/s/{session}")
    conversation(page).hover()
    page.mouse.wheel(0, -100)
    expect(page.get_by_role("button", name="To the end: more")).to_be_visible()
    key = first_row(page)
    before = row_top(page, key)
    assert before is not None
    server.prompt(session, "stream 200")
    server.prompt(session, "plan")
    expect(page.get_by_role("button", name=re.compile(r"To the end: \d+ new"))).to_be_visible()
    after = row_top(page, key)
    assert after is not None
    assert abs(after - before) <= 1
    page.get_by_role("button", name=re.compile(r"To the end: \d+ new")).click()
    expect(page.get_by_role("button", name=re.compile(r"To the end: \d+ new"))).to_have_count(0)
    assert distance_to_end(page) <= 1


def test_the_beginning_of_a_long_answer_stays_in_view(
    server: ServerProcess, open_page: OpenPage
) -> None:
    session = server.create()
    server.prompt(session, "text")
    page = open_page(f"/s/{session}")
    conversation(page)
    server.prompt(session, "stream 3000")
    answer = page.locator(f"{CONVERSATION} article").filter(has_text="0 1 2 3 4 5 6").last
    expect(page.get_by_role("button", name=re.compile("^To the end"))).to_be_visible()
    box = answer.bounding_box()
    view = page.locator(CONVERSATION).bounding_box()
    assert box is not None
    assert view is not None
    assert view["y"] <= box["y"] <= view["y"] + view["height"] / 2


def test_opening_a_card_leaves_its_header_where_it_is(
    open_page: OpenPage, long_session: str
) -> None:
    page = open_page(f"/s/{long_session}")
    conversation(page).hover()
    page.mouse.wheel(0, -700)
    expect(page.get_by_role("button", name="To the end: more")).to_be_visible()
    moved = run(
        page,
        """const moved = [];
        const view = list.getBoundingClientRect();
        const headers = [...list.querySelectorAll('[aria-expanded]:not([aria-haspopup])')].filter((one) => {
            const { top, bottom } = one.getBoundingClientRect();
            return top > view.top + 20 && bottom < view.bottom - 20;
        });
        for (const header of headers) {
            for (let press = 0; press < 2; press += 1) {
                const before = header.getBoundingClientRect().top;
                header.click();
                await painted();
                await painted();
                moved.push(header.getBoundingClientRect().top - before);
            }
        }
        return moved;""",
    )
    assert len(moved) >= 2
    assert max(map(abs, moved)) <= 1


def test_a_place_is_kept_over_a_reload_and_over_another_session(
    server: ServerProcess, open_page: OpenPage, long_session: str
) -> None:
    other = server.create(title="Another one")
    page = open_page(f"/s/{long_session}")
    conversation(page).hover()
    page.mouse.wheel(0, -900)
    expect(page.get_by_role("button", name="To the end: more")).to_be_visible()
    key = first_row(page)
    before = row_top(page, key)
    assert before is not None
    page.reload()
    conversation(page)
    page.locator(f'[data-row-key="{key}"]').wait_for()
    after = row_top(page, key)
    assert after is not None
    assert abs(after - before) <= 1
    page.get_by_text("Another one").first.click()
    expect(page.get_by_role("heading", name="What should mock do?")).to_be_visible()
    page.go_back()
    conversation(page)
    assert other != long_session
    again = row_top(page, key)
    assert again is not None
    assert abs(again - before) <= 1


def test_a_link_to_a_turn_far_above_leads_there_and_marks_it(
    server: ServerProcess, open_page: OpenPage, long_session: str
) -> None:
    with server.client() as client:
        turns = client.get(f"/v1/sessions/{long_session}/turns").json()["turns"]
    turn = min(turns, key=lambda each: str(each["startedAt"]))["id"]
    page = open_page(f"/s/{long_session}/t/{turn}")
    marked = page.locator("[data-marked]")
    expect(marked).to_be_visible()
    expect(marked).to_have_attribute("data-row-key", f"prompt:{turn}")
    expect(marked).to_be_focused()
    expect(marked).to_have_count(0)


def test_scrolling_up_through_what_was_never_measured_never_jumps_back(
    open_page: OpenPage, long_session: str
) -> None:
    page = open_page(f"/s/{long_session}")
    conversation(page).hover()
    page.evaluate(
        """() => {
            const list = document.querySelector('[data-part=conversation]');
            const seen = window.seen = { jumps: [], blank: 0, frames: 0 };
            let before = new Map();
            // A row that is not measured yet is hidden, where the list guesses that it will be.
            const look = () => {
                const view = list.getBoundingClientRect();
                const shown = new Map();
                for (const row of list.querySelectorAll('[data-row-key]')) {
                    const { top, bottom } = row.getBoundingClientRect();
                    const isShown = bottom > view.top && top < view.bottom && bottom > top;
                    if (isShown && row.checkVisibility({ visibilityProperty: true })) shown.set(row.dataset.rowKey, top);
                }
                for (const [key, top] of shown) {
                    // The wheel goes up, so rows only go down.
                    if (top < before.get(key) - 1) seen.jumps.push(`${key}: ${before.get(key)} to ${top}`);
                }
                before = shown;
                seen.frames += 1;
                seen.blank += shown.size === 0;
                requestAnimationFrame(afterPainting);
            };
            // A frame measures what it shows behind its callbacks.
            const channel = new MessageChannel();
            channel.port1.onmessage = look;
            const afterPainting = () => channel.port2.postMessage(0);
            requestAnimationFrame(afterPainting);
        }"""
    )
    for _ in range(40):
        page.mouse.wheel(0, -240)
        run(page, "await painted();")
    seen = page.evaluate("() => window.seen")
    assert seen["frames"] > 10
    assert seen["jumps"] == []
    assert seen["blank"] == 0


def test_what_scrolls_can_be_pressed(open_page: OpenPage, long_session: str) -> None:
    page = open_page(f"/s/{long_session}")
    conversation(page)
    # As a list that follows an answer does all the time.
    pressed = run(
        page,
        """const view = list.getBoundingClientRect();
        const pressed = [];
        for (let frame = 0; frame < 8; frame += 1) {
            list.scrollTop -= 20;
            await painted();
            const seen = rows().find((row) => topOf(row) > 0 && topOf(row) < view.height - 20);
            const box = seen.firstElementChild.getBoundingClientRect();
            const hit = document.elementFromPoint(box.left + box.width / 2, box.top + 4);
            pressed.push(hit?.closest('[data-row-key]')?.dataset.rowKey === seen.dataset.rowKey);
        }
        return pressed;""",
    )
    assert pressed == [True] * 8


def test_items_are_reached_by_keys(open_page: OpenPage, long_session: str) -> None:
    page = open_page(f"/s/{long_session}")
    conversation(page)
    page.keyboard.press("[")
    focused = page.locator(f"{CONVERSATION} article:focus")
    expect(focused).to_have_attribute("data-row-key", re.compile("^prompt:"))
    expect(focused).to_have_attribute("aria-setsize", re.compile(r"^\d+$"))
    page.keyboard.press("j")
    expect(focused).not_to_have_attribute("data-row-key", re.compile("^prompt:"))
    page.keyboard.press("k")
    expect(focused).to_have_attribute("data-row-key", re.compile("^prompt:"))


def test_a_link_of_an_agent_asks_before_it_leads_to_another_host(
    server: ServerProcess, open_page: OpenPage
) -> None:
    session = server.create(
        agentOptions={
            "reply": "See [bank.example](https://evil.example/login) ![x](https://evil.example/p.png)"
        }
    )
    server.prompt(session, "Where is it?")
    page = open_page(f"/s/{session}")
    view = conversation(page)
    expect(view.get_by_text("evil.example", exact=True)).to_be_visible()
    expect(view.get_by_text("image from evil.example, not loaded")).to_be_visible()
    page.get_by_role("link", name="bank.example").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("evil.example")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)


def test_what_went_wrong_says_so_and_can_be_tried_again(
    server: ServerProcess, open_page: OpenPage
) -> None:
    session = server.create()
    with server.client() as client:
        client.post(
            f"/v1/sessions/{session}/prompt", params={"wait": "true"}, json={"text": "error 429"}
        )
    page = open_page(f"/s/{session}", **PHONE)
    failed = conversation(page).get_by_text("mock could not go on")
    expect(failed).to_be_visible()
    expect(page.get_by_text("agent_rate_limited")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(failed).to_have_count(2)


def test_a_session_that_is_not_there_says_so(open_page: OpenPage) -> None:
    open_page.allow("Failed to load resource")
    page: Page = open_page("/s/ses_that_is_gone")
    expect(page.get_by_role("heading", name="This session is not here")).to_be_visible()
