"""Pages of the Inspector, and what they complain about."""

from __future__ import annotations

import re
import shutil
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request
from support.optional import skip_without
from support.server import ServerProcess

__all__ = ["PHONE", "OpenPage", "chromium_program"]

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
"""`open_page(**PHONE)`."""
_PATIENCE_MS = 30_000
_LOCAL = ("data:", "blob:", "about:")


def chromium_program() -> str:
    """The distribution's: no test downloads one."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        skip_without("there is no Chromium: apt-get install chromium")
    return program


class OpenPage:
    def __init__(self, server: ServerProcess, browser: Browser) -> None:
        self._server = server
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._complaints: list[str] = []
        self._allowed: list[re.Pattern[str]] = []

    def __call__(
        self,
        path: str = "/",
        *,
        token: str | None = "",
        server: ServerProcess | None = None,
        wait: bool = True,
        **context: Any,
    ) -> Page:
        """At `/ui{path}`, as somebody whom nobody knows yet: with storage of their own.

        `token`: another than the server's, or None for none. `context` is Playwright's: `viewport`, `color_scheme`,
        `reduced_motion`, … Without `wait` the page may still be loading.
        """
        server = server or self._server
        page = self.context(server, **context).new_page()
        token = server.token if token == "" else token
        fragment = "" if token is None else f"#token={token}"
        page.goto(f"{server.url}/ui{path}{fragment}", wait_until="load" if wait else "commit")
        return page

    def context(self, server: ServerProcess | None = None, **options: Any) -> BrowserContext:
        """For several pages of one person."""
        origin = (server or self._server).url
        context = self._browser.new_context(
            **{"viewport": {"width": 1440, "height": 900}, **options}
        )
        context.set_default_timeout(_PATIENCE_MS)
        self._contexts.append(context)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self._complain(f"uncaught: {error.error}"))
        context.on("dialog", self._on_dialog)
        context.on("request", lambda request: self._on_request(request, origin))
        return context

    def allow(self, pattern: str) -> None:
        """Complaints that match are what the test is about, such as a request that failed while there was no server."""
        self._allowed.append(re.compile(pattern))

    def close(self) -> list[str]:
        """What all pages complained about. Whoever takes away what they show closes them first."""
        while self._contexts:
            self._contexts.pop().close()
        return [
            each for each in self._complaints if not any(one.search(each) for one in self._allowed)
        ]

    def _complain(self, text: str) -> None:
        self._complaints.append(text)

    def _on_console(self, message: ConsoleMessage) -> None:
        # A refusal of the policy is an error there, too; one that is only reported is a warning.
        if message.type == "error" or "Content Security Policy" in message.text:
            self._complain(f"console: {message.text} ({message.location.get('url', '')})")

    def _on_dialog(self, dialog: Dialog) -> None:
        # A page that asks before it is left is asked by closing it.
        if dialog.type != "beforeunload":
            self._complain(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request, origin: str) -> None:
        if request.url.startswith(_LOCAL):
            return
        if urlsplit(request.url).netloc != urlsplit(origin).netloc:
            self._complain(f"request to another host: {request.url}")
