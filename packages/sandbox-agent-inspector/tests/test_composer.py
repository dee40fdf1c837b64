"""Writing prompts: nothing that was typed is lost, and what is sent is what was meant."""

from __future__ import annotations

from pathlib import Path

from opening import OpenPage
from playwright.sync_api import Locator, Page, Route, expect
from support.server import ServerProcess, until

_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c636060606000000005000157a8cd9a0000000049454e44ae426082"
)


def _text(page: Page) -> Locator:
    return page.get_by_label("Message to mock")


def test_a_draft_is_where_it_was_left(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    open_page.allow("401|503")
    first, second = server.create(cwd=str(tmp_path)), server.create(cwd=str(tmp_path))
    context = open_page.context()
    page = context.new_page()
    page.goto(f"{server.url}/ui/s/{first}#token={server.token}")
    _text(page).fill("half a thought")
    other = context.new_page()
    other.goto(f"{server.url}/ui/s/{first}#token={server.token}")
    expect(_text(other)).to_have_value("half a thought")
    _text(other).fill("a whole thought")
    expect(_text(page)).to_have_value("a whole thought")
    page.goto(f"{server.url}/ui/s/{second}#token={server.token}")
    expect(_text(page)).to_have_value("")
    page.go_back()
    expect(_text(page)).to_have_value("a whole thought")
    page.reload()
    expect(_text(page)).to_have_value("a whole thought")

    page.route(
        "**/prompt",
        lambda route: route.fulfill(
            status=503, content_type="application/problem+json", body='{"detail": "not now"}'
        ),
    )
    _text(page).press("Enter")
    expect(page.get_by_text("not now")).to_be_visible()
    expect(_text(page)).to_have_value("a whole thought")
    page.unroute("**/prompt")
    page.get_by_role("button", name="Try again").click()
    expect(_text(page)).to_have_value("")


def test_a_draft_is_cleared_when_the_server_has_taken_it(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    session = server.create(cwd=str(tmp_path))
    page = open_page(f"/s/{session}")
    held: list[Route] = []
    page.route("**/prompt", lambda route: held.append(route))
    _text(page).fill("text")
    _text(page).press("Enter")
    _text(page).press("Enter")
    until(lambda: page.evaluate("1") and held)
    expect(_text(page)).to_have_value("text")
    _text(page).press_sequentially(" and more")
    held[0].continue_()
    expect(_text(page)).to_have_value("and more")
    assert len(held) == 1


def test_typing_goes_on_while_a_permission_comes(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    session = server.create(cwd=str(tmp_path))
    page = open_page(f"/s/{session}")
    _text(page).focus()
    server.prompt(session, "permission", wait=False)
    words = "yes  no, y n  and so on " * 6
    _text(page).press_sequentially(words)
    expect(page.locator("article[data-request]")).to_have_attribute("data-state", "pending")
    _text(page).press_sequentially("y n ")
    expect(_text(page)).to_have_value(words + "y n ")
    expect(_text(page)).to_be_focused()
    assert server.events(session, "permission.resolved") == []


def test_what_is_said_while_a_turn_runs(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    session = server.create(cwd=str(tmp_path))
    page = open_page(f"/s/{session}")
    text, stop = _text(page), page.get_by_role("button", name="Stop", exact=True)
    queue = page.get_by_role("list", name="Queued prompts")
    text.fill("wait")
    text.press("Enter")
    expect(stop).to_be_visible()
    text.fill("first")
    text.press("Enter")
    expect(queue).to_contain_text("first")
    text.fill("second")
    text.press("Control+Enter")
    expect(queue).to_contain_text("second")
    page.get_by_role("button", name="Edit queued prompt 2").click()
    expect(text).to_have_value("second")
    page.get_by_role("button", name="Remove queued prompt 1").click()
    expect(queue).to_have_count(0)
    page.get_by_role("button", name="Steer").click()
    expect(text).to_have_value("")
    expect(stop).to_have_count(0)
    assert server.events(session, "turn.steered")
    text.press("ArrowUp")
    expect(text).to_have_value("wait")
    text.press("ArrowDown")
    expect(text).to_have_value("")
    text.fill("slow 60")
    text.press("Enter")
    expect(stop).to_be_visible()
    text.press("Escape")
    expect(page.get_by_text("Press Esc again")).to_be_visible()
    text.press("Escape")
    expect(stop).to_have_count(0)
    assert server.events(session, "turn.ended")[-1]["data"]["stopReason"] == "cancelled"


def test_files_go_with_a_prompt(server: ServerProcess, open_page: OpenPage, tmp_path: Path) -> None:
    session = server.create(cwd=str(tmp_path))
    page = open_page(f"/s/{session}")
    page.locator("input[type=file]").set_input_files(
        [
            {"name": "dot.png", "mimeType": "image/png", "buffer": _PIXEL},
            {"name": "..\\<img src=x>\u202etxt.md", "mimeType": "text/markdown", "buffer": b"hi"},
        ]
    )
    attached = page.get_by_role("list", name="Attachments")
    expect(attached.locator("[data-state=ready]")).to_have_count(2)
    expect(attached).to_contain_text("⟨U+202E⟩")
    _text(page).fill("look")
    _text(page).press("Enter")
    expect(attached).to_have_count(0)
    text, image, link = server.events(session, "turn.started")[0]["data"]["content"]
    assert (text["text"], image["type"], image["mimeType"]) == ("look", "image", "image/png")
    assert link["name"] == "_img src=x_txt.md"
    assert (tmp_path / ".attachments" / link["name"]).read_bytes() == b"hi"


def test_files_and_commands_are_completed(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "session store.py").touch()
    (tmp_path / "src" / "app.py").touch()
    session = server.create(cwd=str(tmp_path))
    page = open_page(f"/s/{session}")
    text = _text(page)
    options = page.get_by_role("form").get_by_role("option")
    text.press_sequentially("see @app")
    expect(options).to_have_text(["src/app.py"])
    text.press("Enter")
    expect(text).to_have_value("see @src/app.py ")
    text.press_sequentially("and @store")
    expect(options).to_have_text(["src/session store.py"])
    text.press("Tab")
    expect(text).to_have_value('see @src/app.py and @"src/session store.py" ')
    text.fill("")
    text.press_sequentially("/reas")
    expect(options.first).to_contain_text("/reasoning")
    text.press("Escape")
    expect(options).to_have_count(0)
    expect(text).to_have_value("/reas")
