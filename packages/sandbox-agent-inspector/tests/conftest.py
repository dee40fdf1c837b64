"""The Inspector in a real browser, against a real server. A test fails with whatever its pages complain about.

One server and one browser for each module, which runs in one worker:

    def test_a_prompt_is_answered(server: ServerProcess, page: Page) -> None: ...

`page` is open at `/ui/`, with the token. `open_page` opens more: other places, widths, themes, people.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe import Axe
from opening import OpenPage, chromium_program
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sandbox_agent_core.inspector import find_inspector
from support.optional import skip_without
from support.server import ServerProcess

_HERE = Path(__file__).parent

expect.set_options(timeout=20_000)


# Before xdist's own, which reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.xdist_group(item.path.name))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """With the built Inspector, a token, and the agent `mock`."""
    if find_inspector() is None:
        skip_without("the Inspector is not built: make inspector")
    server = ServerProcess(tmp_path_factory.mktemp("inspector")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = chromium_program()
    # No longer than for the module: its event loop would be in the way of tests that are asynchronous.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(server: ServerProcess, browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    """Opens pages; those of one call share nothing with those of another. When the test ends, what any of them complained
    about is a failure, unless it was `allow`ed."""
    # `tmp_path` is there for as long as pages show what is in it.
    opening = OpenPage(server, browser)
    yield opening
    complaints = opening.close()
    assert complaints == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()


@pytest.fixture(scope="session")
def axe() -> Axe:
    """`axe(page)`: what a person with another way of reading would stumble over, serious or worse."""
    return Axe()
