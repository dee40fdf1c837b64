"""A real Chromium without a window, driven by its own protocol."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from support.optional import skip_without
from support.server import DEADLINE_S, until

__all__ = ["Browser"]

_QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)  # fmt: skip


class Browser:
    """One page of it. Skips the test where there is no Chromium."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            skip_without("there is no Chromium: apt-get install chromium")
        self._process = subprocess.Popen(
            [program, *_QUIET, f"--user-data-dir={directory}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file = directory / "DevToolsActivePort"
        try:
            until(lambda: port_file.is_file() and port_file.read_text().count("\n"))
            port = port_file.read_text().split("\n")[0]
            pages = httpx.get(f"http://127.0.0.1:{port}/json").json()
            page = next(page for page in pages if page["type"] == "page")
            self._socket = connect(page["webSocketDebuggerUrl"], max_size=None)
        except BaseException:
            self.close()
            raise
        self._ids = itertools.count(1)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()
        self.close()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE_S)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(DEADLINE_S))
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        return self.send("Runtime.evaluate", expression=expression)["result"].get("value")

    def see(self, text: str) -> None:
        """Wait until the page shows it."""
        until(lambda: text in (self.value("document.body.innerText") or ""))

    def click(self, label: str) -> None:
        """The button with this label, once it is there."""
        find = f"[...document.querySelectorAll('button')].find((b) => b.textContent === {label!r})"
        until(lambda: self.value(f"!!{find}"))
        self.value(f"{find}.click()")
