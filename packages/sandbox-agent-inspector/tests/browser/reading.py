"""Where a reader of a conversation is, as the browser has painted it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page

__all__ = ["CONVERSATION", "conversation", "distance_to_end", "first_row", "row_top"]

CONVERSATION = "[data-part=conversation]"
# A message that a frame posts is taken in behind its painting.
_PAINTED = """
    const painted = () => new Promise((done) => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => done();
        channel.port2.postMessage(0);
    }));
    const list = document.querySelector('[data-part=conversation]');
    const topOf = (row) => row.getBoundingClientRect().top - list.getBoundingClientRect().top;
    const rows = () => [...list.querySelectorAll('[data-row-key]')];
"""


def conversation(page: Page) -> Locator:
    """The list, when it shows something."""
    page.locator(f"{CONVERSATION} article").first.wait_for()
    return page.locator(CONVERSATION)


def run(page: Page, script: str, argument: Any = None) -> Any:
    return page.evaluate(f"async (argument) => {{ {_PAINTED} {script} }}", argument)


def distance_to_end(page: Page) -> float:
    found: float = run(
        page, "await painted(); return list.scrollHeight - list.clientHeight - list.scrollTop;"
    )
    return found


def first_row(page: Page) -> str:
    """Key of the first row that is whole in view."""
    key: str = run(
        page,
        """await painted();
        return rows().filter((row) => topOf(row) >= 0).sort((a, b) => topOf(a) - topOf(b))[0].dataset.rowKey;""",
    )
    return key


def row_top(page: Page, key: str) -> float | None:
    top: float | None = run(
        page,
        """await painted();
        const row = rows().find((each) => each.dataset.rowKey === argument);
        return row ? topOf(row) : null;""",
        key,
    )
    return top
