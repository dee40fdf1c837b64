"""Files in the Inspector: the tree, the editor and its conflict, uploads, and names that would deceive."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from axe import Axe
from opening import PHONE, OpenPage
from playwright.sync_api import Locator, Page, expect

BIDI = "invoice\u202egnp.exe"
LINES = "two\nlines.txt"
MARKUP = "<img src=x onerror=alert(1)>.txt"
LONG = "n" * 250


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "session.py").write_text("def refresh():\n    return 1\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("# Notes\n\nhello **you**\n", encoding="utf-8")
    return tmp_path


def item(page: Page, name: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("treeitem", name=name)


def opened(open_page: OpenPage, path: Path, lines: str = "", **options: object) -> Page:
    # It is no repository.
    open_page.allow("git/status.*")
    return open_page(f"/files{quote(str(path))}{lines}", **options)


def editor(page: Page) -> Locator:
    return page.locator(".cm-content")


def test_a_file_is_edited_and_saved_by_the_keyboard(open_page: OpenPage, directory: Path) -> None:
    page = opened(open_page, directory)
    expect(item(page, "src")).to_be_visible()
    page.get_by_role("tree").focus()
    page.keyboard.type("src")
    page.keyboard.press("ArrowRight")
    expect(item(page, "session.py")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(editor(page)).to_contain_text("return 1")
    editor(page).focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("# more")
    expect(page.get_by_role("tab", name=re.compile("session.py, not saved"))).to_be_visible()

    page.reload()
    expect(editor(page)).to_contain_text("# more")
    editor(page).focus()
    page.keyboard.press("Control+s")
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    text = (directory / "src" / "session.py").read_text(encoding="utf-8")
    assert text == "def refresh():\n    return 1\n# more"


def test_what_another_wrote_is_not_written_over(open_page: OpenPage, directory: Path) -> None:
    open_page.allow("412")
    path = directory / "notes.md"
    page = opened(open_page, path)
    expect(editor(page)).to_contain_text("hello")
    editor(page).focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("mine")
    path.write_text("# Theirs\n", encoding="utf-8")
    page.keyboard.press("Control+s")
    conflict = page.get_by_role("region", name="Conflict")
    expect(conflict).to_contain_text("Changed on disk")
    expect(conflict).to_contain_text("# Theirs")
    expect(conflict).to_contain_text("mine")
    assert path.read_text(encoding="utf-8") == "# Theirs\n"
    conflict.get_by_role("button", name="Overwrite with mine").click()
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    assert path.read_text(encoding="utf-8").endswith("mine")


def test_what_changes_on_the_disk_is_shown_at_once(open_page: OpenPage, directory: Path) -> None:
    page = opened(open_page, directory / "notes.md", "?L3")
    expect(editor(page)).to_contain_text("hello")
    expect(page.locator(".cm-linked")).to_have_text("hello **you**")
    (directory / "notes.md").write_text("# Other\n", encoding="utf-8")
    expect(editor(page)).to_contain_text("# Other")
    (directory / "born.txt").write_text("x", encoding="utf-8")
    expect(item(page, "born.txt")).to_be_visible()


def test_files_are_uploaded_and_nothing_is_replaced_unasked(
    open_page: OpenPage, directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    open_page.allow("409")
    source = tmp_path_factory.mktemp("source")
    (source / "notes.md").write_text("uploaded", encoding="utf-8")
    (source / "big.bin").write_bytes(bytes(3_000_000))
    page = opened(open_page, directory)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload files").click()
    chooser.value.set_files([source / "notes.md", source / "big.bin"])
    question = page.get_by_role("alertdialog", name="Replace this file?")
    expect(question).to_contain_text("notes.md")
    assert (directory / "big.bin").stat().st_size == 3_000_000
    assert (directory / "notes.md").read_text(encoding="utf-8").startswith("# Notes")
    question.get_by_role("button", name="Replace").click()
    expect(page.get_by_role("region", name="Upload")).to_contain_text("Uploaded 2 files")
    assert (directory / "notes.md").read_text(encoding="utf-8") == "uploaded"


def test_a_file_is_dropped_into_a_folder(open_page: OpenPage, directory: Path) -> None:
    page = opened(open_page, directory)
    expect(item(page, "src")).to_be_visible()
    transfer = page.evaluate_handle(
        "() => { const data = new DataTransfer(); data.items.add(new File(['dropped'], 'drop.txt')); return data; }"
    )
    item(page, "src").dispatch_event("drop", {"dataTransfer": transfer})
    expect(page.get_by_role("region", name="Upload")).to_contain_text("Uploaded 1 file")
    assert (directory / "src" / "drop.txt").read_text(encoding="utf-8") == "dropped"


def test_names_that_deceive_are_shown_as_they_are(open_page: OpenPage, directory: Path) -> None:
    for name in (BIDI, LINES, MARKUP, LONG):
        (directory / name).write_text("hello", encoding="utf-8")
    page = opened(open_page, directory)
    expect(item(page, re.compile(re.escape("invoice⟨U+202E⟩gnp.exe")))).to_be_visible()
    expect(item(page, re.compile(re.escape("two⟨U+000A⟩lines.txt")))).to_be_visible()
    expect(item(page, re.compile("n{20}…n{20}"))).to_be_visible()
    item(page, re.compile("<img")).click()
    expect(page.get_by_role("tab", name=re.compile("<img"))).to_be_visible()
    expect(editor(page)).to_contain_text("hello")
    item(page, re.compile("invoice")).click()
    expect(page.get_by_role("tab", name=re.compile(re.escape("⟨U+202E⟩")))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert "\u202e" not in download.value.suggested_filename
    page.get_by_role("tree").focus()
    page.keyboard.press("Delete")
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    toast = page.get_by_text(re.compile(re.escape("Deleted invoice⟨U+202E⟩")))
    expect(toast).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(item(page, re.compile("invoice"))).to_be_visible()
    assert (directory / BIDI).read_text(encoding="utf-8") == "hello"


def test_a_line_is_found_and_opened(open_page: OpenPage, directory: Path) -> None:
    page = opened(open_page, directory)
    page.get_by_role("tab", name="Search").click()
    page.get_by_role("searchbox", name="Search in files").fill("return")
    found = page.get_by_role("region", name="By content")
    expect(found).to_contain_text("src/session.py")
    found.get_by_role("button", name=re.compile("return 1")).click()
    expect(page.locator(".cm-linked")).to_contain_text("return 1")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing(open_page: OpenPage, directory: Path, axe: Axe, scheme: str) -> None:
    page = opened(open_page, directory / "notes.md", color_scheme=scheme)
    expect(editor(page)).to_contain_text("hello")
    assert axe(page) == []
    page.get_by_role("button", name="New file").click()
    expect(page.get_by_role("dialog", name="New file")).to_be_visible()
    assert axe(page) == []


def test_a_phone_shows_one_thing_at_a_time(open_page: OpenPage, directory: Path) -> None:
    page = opened(open_page, directory, **PHONE)
    item(page, "notes.md").tap()
    expect(editor(page)).to_contain_text("hello")
    expect(page.get_by_role("tree")).to_be_hidden()
    page.get_by_role("button", name="Back to the tree").tap()
    expect(page.get_by_role("tree")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
