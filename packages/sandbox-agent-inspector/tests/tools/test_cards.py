"""Tool calls in a conversation: what is shown of them, and that it can be read."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
from axe import Axe
from calls import command, edit, read, whole
from opening import PHONE, OpenPage
from playwright.sync_api import Locator, Page, expect
from support.server import ServerProcess

Told = Callable[..., str]

OLD = "import os\n\n\ndef refresh(self):\n    if self.exp < now():\n        self.renew()\n"
NEW = OLD.replace("< now()", "<= now() + SKEW")


_CONTRASTS = """(card) => {
    const bright = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const parts = (color) => color.match(/[\\d.]+/g).map(Number);
    const surface = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = parts(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    return [...card.querySelectorAll('pre span span')].map((span) => {
        const [a, b] = [bright(parts(getComputedStyle(span).color)), bright(surface(span))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
}"""


def _card(page: Page, id: str) -> Locator:
    return page.locator(f'[data-tool="{id}"]')


def test_an_edit_is_a_diff_whose_text_is_copied_without_numbers(
    told: Told, open_page: OpenPage
) -> None:
    page = open_page(told(edit("e", "/w/src/session.py", OLD, NEW)))
    lines = _card(page, "e").locator('[data-part="line"]')
    expect(lines).to_have_count(7)
    expect(lines.locator("mark").first).to_have_text(re.compile("="))
    expect(lines.nth(4).locator('[data-part="number"]').first).to_have_attribute("data-number", "5")
    selected = page.evaluate("""() => {
        const lines = document.querySelector('[data-part="lines"]');
        getSelection().selectAllChildren(lines);
        return getSelection().toString();
    }""")
    text = "\n".join(line.rstrip() for line in selected.strip().splitlines())
    assert (
        text
        == OLD.replace(
            "    if self.exp < now():\n",
            "    if self.exp < now():\n    if self.exp <= now() + SKEW:\n",
        ).strip()
    )


def test_opening_and_closing_a_card_moves_its_header_by_no_pixel(
    told: Told, open_page: OpenPage
) -> None:
    long = "".join(f"line {number}\n" for number in range(200))
    after = {"type": "text", "text": "\n\n".join("words" for _ in range(80))}
    page = open_page(
        told(
            *(command(f"c{number}", f"make {number}", long, 1) for number in range(4)),
            edit("e", "/w/a.py", OLD, NEW),
            read("r", "/w/b.py"),
            {"sessionUpdate": "agent_message_chunk", "content": after},
        )
    )
    quiet = page.get_by_role("region", name="Read 1 file").get_by_role("button").first
    expect(page.get_by_text("words").last).to_be_visible()
    page.get_by_role("log").hover()
    for toggle in (quiet, _card(page, "e").locator("[data-row-toggle]")):
        for _ in range(40):
            if toggle.count() and (box := toggle.bounding_box()) and box["y"] > 200:
                break
            page.mouse.wheel(0, -200)
            page.evaluate("() => new Promise(requestAnimationFrame)")
        toggle.evaluate(
            "(it) => it.addEventListener('click', () => { it.pressedAt = it.getBoundingClientRect().y; }, true)"
        )
        for _ in range(2):
            now = "false" if toggle.get_attribute("aria-expanded") == "true" else "true"
            toggle.click()
            expect(toggle).to_have_attribute("aria-expanded", now)
            moved = toggle.evaluate("""(it) => new Promise((done) => requestAnimationFrame(() => setTimeout(
                () => done(Math.abs(it.getBoundingClientRect().y - it.pressedAt)))))""")
            assert moved <= 1


def test_quiet_calls_are_one_row_and_what_failed_is_not_among_them(
    told: Told, open_page: OpenPage
) -> None:
    search = whole("s", "search", "Grep exp", rawInput={"pattern": "exp"})
    failed = read("f", "/w/none.py", "No such file") | {"status": "failed"}
    page = open_page(told(read("r", "/w/a.py"), read("q", "/w/b.py"), search, failed))
    row = page.get_by_role("button", name="Read 2 files, searched once")
    row.click()
    expect(_card(page, "q")).to_be_visible()
    expect(_card(page, "f")).to_have_attribute("data-state", "failed")
    expect(_card(page, "f").get_by_text("No such file")).to_be_visible()


def test_what_a_sub_agent_does_is_within_its_card(told: Told, open_page: OpenPage) -> None:
    within = {"_meta": {"parentToolCallId": "a"}}
    page = open_page(
        told(
            whole("a", "think", "Task", rawInput={"prompt": "Review", "description": "review it"}),
            read("r", "/w/a.py", **within),
            command("c", "git diff", "nothing\n", **within),
        )
    )
    card = _card(page, "a")
    expect(card).to_contain_text("2 calls")
    expect(_card(page, "c")).to_have_count(0)
    card.locator("[data-row-toggle]").first.click()
    expect(card.locator('[data-tool="c"]')).to_be_visible()


def test_what_a_terminal_printed_can_be_read_in_both_themes(
    told: Told, open_page: OpenPage
) -> None:
    colors = " ".join(f"\x1b[38;5;{number}mc{number}\x1b[0m" for number in range(256))
    true = "\x1b[38;2;30;30;30mdark\x1b[0m \x1b[48;2;250;250;210mlight\x1b[0m \x1b[7minverse\x1b[0m"
    output = f"{colors}\n{true}\n10%\r55%\r100% done\n"
    page = open_page(told(command("c", "colors", output, 1)))
    card = _card(page, "c")
    expect(card.get_by_text("100% done", exact=True)).to_be_visible()
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(f'html[data-theme="{scheme}"]')).to_be_attached()
        ratios = card.evaluate(_CONTRASTS)
        assert len(ratios) > 250
        assert min(ratios) >= 4.5


def test_many_changed_lines_wait_until_somebody_wants_them(told: Told, open_page: OpenPage) -> None:
    old = "".join(f"old {number}\n" for number in range(1500))
    new = "".join(f"new {number}\n" for number in range(1500))
    page = open_page(told(edit("e", "/w/big.txt", old, new)))
    card = _card(page, "e")
    card.locator("[data-row-toggle]").click()
    expect(card.get_by_text(re.compile("3.000 lines changed"))).to_be_visible()
    card.get_by_role("button", name="Show them").click()
    expect(card.locator('[data-part="line"]').first).to_be_visible()
    assert card.locator('[data-part="line"]').count() < 800


def test_names_that_deceive_are_shown_as_they_are(told: Told, open_page: OpenPage) -> None:
    name = "/w/\u202egpj.exe<img src=x onerror=alert(1)>" + "y" * 400
    page = open_page(
        told(
            read("r", name, "<script>alert(1)</script>\u202e") | {"status": "failed"},
            edit("e", name, "a\u202eb\n", "c\n"),
            command("c", "echo \u202e", "\u202edone\n", 1),
            whole("o", "other", "__proto__", rawInput={"constructor": "x", "__proto__": 1}),
        )
    )
    expect(_card(page, "o")).to_be_visible()
    for id in ("r", "e", "c"):
        expect(_card(page, id)).to_contain_text("⟨U+202E⟩")
    text = page.locator("main").first.inner_text()
    assert "\u202e" not in text
    assert page.locator("main img").count() == 0
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0


def test_cards_have_no_barriers_in_either_theme(told: Told, open_page: OpenPage, axe: Axe) -> None:
    long = "".join(f"line {number}\n" for number in range(60))
    page = open_page(
        told(
            read("r", "/w/a.py"),
            edit("e", "/w/src/session.py", OLD, NEW),
            command("c", "make test", long, 1),
            whole("o", "other", "lookup", rawInput={"word": "x", "more": {"deep": [1, 2]}}),
            {
                "sessionUpdate": "plan",
                "entries": [{"content": "Look", "priority": "high", "status": "in_progress"}],
            },
        )
    )
    expect(_card(page, "o")).to_be_visible()
    # Rows come as there is room for them, so none is counted.
    for name in ("Read", "Edit", "Run", "Tool"):
        toggle = page.locator("[data-row-toggle]").filter(has_text=re.compile(f"^{name}")).last
        expect(toggle).to_be_visible()
        if toggle.get_attribute("aria-expanded") == "false":
            toggle.click()
        expect(toggle).to_have_attribute("aria-expanded", "true")
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(f'html[data-theme="{scheme}"]')).to_be_attached()
        assert axe(page, within='[role="log"]') == []


def test_a_card_fits_a_phone(told: Told, open_page: OpenPage) -> None:
    page = open_page(told(edit("e", "/w/" + "long/" * 30 + "session.py", OLD, NEW)), **PHONE)
    card = _card(page, "e")
    expect(card).to_contain_text("session.py")
    box = card.locator("[data-row-toggle]").bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_task_in_the_background_is_stopped_by_its_own_button(
    server: ServerProcess, open_page: OpenPage
) -> None:
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=30) as client:
        session = (
            client.post("/v1/sessions", json={"agent": "mock"}).raise_for_status().json()["id"]
        )
        path = f"/v1/sessions/{session}/prompt"
        body = {"text": "background 600"}
        client.post(path, params={"wait": True}, json=body).raise_for_status()
    page = open_page(f"/s/{session}")
    card = page.locator('[data-tool][data-state="background"]')
    card.get_by_role("button", name="Stop").click()
    expect(page.locator('[data-tool][data-state="background"]')).to_have_count(0)
    expect(page.locator("[data-tool]")).to_have_attribute("data-state", "done")
