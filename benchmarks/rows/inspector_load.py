"""What the page at `/ui/` weighs and how soon it shows something, in a real Chromium slowed down four times."""

from __future__ import annotations

import gzip
import shutil
from typing import Final
from urllib.request import urlopen

from playwright.sync_api import Browser, sync_playwright

from benchmarks.contenders import TOKEN, Server
from benchmarks.row import Plan, Row, median

_SESSIONS: Final = 200
_SLOWER: Final = 4
_SETTLED_MS: Final = 1500
"""After the page is idle, so that what it fetches a moment later counts, too."""
# Not `wait_for_function`: it evaluates strings in the page, which the page's policy forbids.
_PAINT = """() => new Promise((done) => {
    new PerformanceObserver((entries) => {
        for (const one of entries.getEntries()) if (one.name === 'first-contentful-paint') done(one.startTime);
    }).observe({ type: 'paint', buffered: true });
})"""


def measure(plan: Plan) -> list[Row]:
    program = shutil.which("chromium")
    if program is None:
        return [Row("Inspector: first load", "kB", note="no Chromium: apt-get install chromium")]
    weights: dict[str, float] = {}
    paints: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for server in (plan.ours(), plan.peer()):
            if server is None:
                continue
            with server:
                for _ in range(_SESSIONS if server.name == "ours" else 0):
                    server.call("POST", "/v1/sessions", {"agent": "mock"})
                weights[server.name] = _weight_kb(browser, server)
                paints[server.name] = [
                    _first_paint_ms(browser, server) for _ in range(plan.repetitions(6))
                ]
        browser.close()
    return [
        Row(
            "Inspector: first load, gzipped", "kB", weights.get("ours"), weights.get("peer"),
            budget="<= 400", digits=0, note="all that is fetched from the origin but the API",
        ),
        Row(
            "Inspector: first contentful paint, CPU slowed 4x", "ms",
            median(paints.get("ours", [])), median(paints.get("peer", [])),
            budget="<= 600", digits=0, note=f"ours with {_SESSIONS} sessions",
        ),
    ]  # fmt: skip


def _url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}/ui/#token={TOKEN}"


def _weight_kb(browser: Browser, server: Server) -> float:
    page = browser.new_page()
    urls: set[str] = set()
    page.on("response", lambda response: urls.add(response.url))
    page.goto(_url(server), wait_until="load")
    page.wait_for_timeout(_SETTLED_MS)
    page.close()
    return sum(len(gzip.compress(_file(url), 9)) for url in urls if "/ui/" in url) / 1000


def _file(url: str) -> bytes:
    with urlopen(url.partition("#")[0]) as response:
        content: bytes = response.read()
    return content


def _first_paint_ms(browser: Browser, server: Server) -> float:
    context = browser.new_context()
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER})
    page.goto(_url(server), wait_until="load")
    found = page.evaluate(_PAINT)
    context.close()
    return float(found)
