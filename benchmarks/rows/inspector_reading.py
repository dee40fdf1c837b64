"""Reading a session of 100 000 events in the Inspector: opened, scrolled up, found by a link, and followed."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.contenders import TOKEN, OurServer
from benchmarks.row import Plan, Row, percentile

EVENTS: Final = 100_000
QUICK_EVENTS: Final = 10_000
FOLLOWED_S: Final = 30
QUICK_FOLLOWED_S: Final = 5
_SCENES: Final = ("help", "text", "tool", "edit", "terminal", "reasoning", "plan", "substeps")
_WHEELS: Final = 80
_WHEEL_PX: Final = 240
_HISTORY_MS: Final = 60_000
_IDS: Final = re.compile(r'(turn_\w+|msg_\d+|call-\d+-\d+)"')
_RPC_ID: Final = re.compile(r'"id":(\d+)')
_LIST: Final = "document.querySelector('[data-part=conversation]')"
# Each frame: how long it took, whether a row went up although the wheel went up, whether there was no row at all.
_WATCH: Final = f"""() => {{
    const list = {_LIST};
    const seen = window.seen = {{ frames: [], tasks: 0, jumps: 0, blank: 0, rows: 0 }};
    const before = new Map();
    let last = null;
    new PerformanceObserver((entries) => {{ seen.tasks += entries.getEntries().length; }}).observe({{ type: 'longtask' }});
    const look = (now) => {{
        if (last !== null) seen.frames.push(now - last);
        last = now;
        const view = list.getBoundingClientRect();
        const rows = list.querySelectorAll('[data-row-key]');
        let isBlank = true;
        for (const row of rows) {{
            const {{ top, bottom }} = row.getBoundingClientRect();
            const isIn = bottom > view.top && top < view.bottom && bottom > top;
            if (isIn) isBlank = false;
            const was = before.get(row.dataset.rowKey);
            if (isIn && was !== undefined && top < was - 1) seen.jumps += 1;
            before.set(row.dataset.rowKey, top);
        }}
        seen.rows = Math.max(seen.rows, rows.length);
        if (isBlank) seen.blank += 1;
        requestAnimationFrame(look);
    }};
    requestAnimationFrame(look);
}}"""


def measure(plan: Plan) -> list[Row]:
    program = shutil.which("chromium")
    if program is None:
        return [Row("Inspector: reading", "ms", note="no Chromium: apt-get install chromium")]
    server = plan.ours()
    if server is None:
        return []
    count = QUICK_EVENTS if plan.is_quick else EVENTS
    seconds = QUICK_FOLLOWED_S if plan.is_quick else FOLLOWED_S
    with server, sync_playwright() as playwright:
        session_id, middle = long_session(server, count)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            return _rows(browser, server, session_id, middle, count, seconds)
        finally:
            browser.close()


def _rows(
    browser: Browser, server: OurServer, session_id: str, middle: int, count: int, seconds: int
) -> list[Row]:
    what = f"Inspector, {count:_} events: ".replace("_", " ")
    link_ms = _link_ms(browser, server, session_id, middle)
    page = _open(browser, server, f"/s/{session_id}")
    _wait_for_all(page)
    page.evaluate(_WATCH)
    box = page.locator("[data-part=conversation]").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(_WHEELS):
        page.mouse.wheel(0, -_WHEEL_PX)
        page.evaluate("() => new Promise(requestAnimationFrame)")
    up = page.evaluate("() => window.seen")
    page.close()
    page = _open(browser, server, f"/s/{session_id}")
    _wait_for_all(page)
    page.evaluate(_WATCH)
    server.call("POST", f"/v1/sessions/{session_id}/prompt", {"text": f"stream {200 * seconds} 5"})
    page.wait_for_timeout(seconds * 1000)
    followed = page.evaluate("() => window.seen")
    heap_mb = _heap_mb(page)
    return [
        Row(what + "wheel up, backward jumps", "", up["jumps"], budget="= 0", digits=0),
        Row(what + "wheel up, frames without a row", "", up["blank"], budget="= 0", digits=0),
        Row(what + "wheel up, frame p95", "ms", percentile(up["frames"], 0.95), budget="<= 20"),
        Row(
            what + "rows in the document", "", max(up["rows"], followed["rows"]), budget="<= 800",
            digits=0,
        ),
        Row(
            what + "200 events/s followed, frame p95", "ms", percentile(followed["frames"], 0.95),
            budget="<= 20", note=f"{seconds} s",
        ),
        Row(
            what + "200 events/s followed, tasks over 50 ms", "", followed["tasks"], budget="= 0",
            digits=0,
        ),
        Row(what + "heap of the page", "MB", heap_mb, budget="<= 250", digits=0),
        Row(
            what + "a link to the middle, from the click to its row", "ms", link_ms, budget="<= 1000",
            digits=0,
        ),
    ]  # fmt: skip


def long_session(server: OurServer, count: int) -> tuple[str, int]:
    """A session that was really had, and had again until its log is as long; and the `seq` of an event in its middle."""
    session_id: str = server.call("POST", "/v1/sessions", {"agent": "mock"})["id"]
    for scene in _SCENES * 4:
        server.call("POST", f"/v1/sessions/{session_id}/prompt?wait=true", {"text": scene})
    server.stop()
    data_dir = server.home / "data"
    path = data_dir / "sessions" / session_id / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
    first = next(index for index, each in enumerate(entries) if each.get("turnId"))
    last = max(index for index, each in enumerate(entries) if each.get("turnId"))
    turns = lines[first : last + 1]
    written = lines[:first]
    for copy in range(count // len(turns) + 1):
        for line in turns:
            seq = len(written) + 1
            written.append(_copied(line, seq, copy))
    path.write_text("\n".join(written) + "\n", encoding="utf-8")
    with sqlite3.connect(data_dir / "sandbox-agent.db") as index:
        index.execute(
            "UPDATE sessions SET seq = ?, size_bytes = ? WHERE id = ?",
            (len(written), path.stat().st_size, session_id),
        )
    index.close()
    server.start()
    page = server.call(
        "GET", f"/v1/sessions/{session_id}/events?view=universal&limit=1&after={len(written) // 2}"
    )
    return session_id, page["events"][0]["seq"]


def _copied(line: str, seq: int, copy: int) -> str:
    line = re.sub(r'"seq":\d+', f'"seq":{seq}', line, count=1)
    line = _IDS.sub(rf'\g<1>c{copy}"', line)
    return _RPC_ID.sub(lambda found: f'"id":{int(found[1]) + 10_000 * copy}', line)


def _open(browser: Browser, server: OurServer, path: str) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"http://127.0.0.1:{server.port}/ui{path}#token={TOKEN}")
    page.locator("[data-part=conversation] article").first.wait_for()
    return page


def _wait_for_all(page: Page) -> None:
    """Until the history is there, and nothing of it is being read any more."""
    page.get_by_text("Loading what was before").wait_for(state="detached", timeout=_HISTORY_MS)


def _link_ms(browser: Browser, server: OurServer, session_id: str, seq: int) -> float:
    page = _open(browser, server, f"/s/{session_id}")
    _wait_for_all(page)
    ms: float = page.evaluate(
        f"""(seq) => new Promise((done) => {{
            const began = performance.now();
            history.pushState(null, '', location.pathname + '/e/' + seq);
            const look = () => {_LIST}.querySelector('[data-marked]') ? done(performance.now() - began) : requestAnimationFrame(look);
            look();
        }})""",
        seq,
    )
    page.close()
    return ms


def _heap_mb(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used: float = session.send("Runtime.getHeapUsage")["usedSize"]
    return used / 1e6
