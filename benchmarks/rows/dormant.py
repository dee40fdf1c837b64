"""100 000 sessions on disk in which nothing happens: starting with them, listing them, looking at them."""

from __future__ import annotations

import shutil
import sqlite3
import time

from benchmarks.contenders import OurServer
from benchmarks.row import Plan, Row, median

SESSIONS = 100_000
QUICK_SESSIONS = 10_000
LOOKED_AT = 2_000
LISTINGS = 20


def measure(plan: Plan) -> list[Row]:
    """The peer keeps none."""
    server = plan.ours()
    if server is None:
        return []
    count = QUICK_SESSIONS if plan.is_quick else SESSIONS
    with server:
        _multiply(server, count)
        idle = server.memory.rss_mib
        listed = []
        for _ in range(LISTINGS):
            started = time.monotonic()
            page = server.call("GET", "/v1/sessions?limit=100")
            listed.append((time.monotonic() - started) * 1e3)
        assert len(page["sessions"]) == 100
        for number in range(LOOKED_AT):
            server.call("GET", f"/v1/sessions/dormant-{number}")
            server.call("GET", f"/v1/sessions/dormant-{number}/events")
        grown = server.memory.rss_mib - idle
        what = f"{count:,} sessions at rest: ".replace(",", " ")
        return [
            Row(what + "start to listening", "s", server.listening_after_s, budget="< 1"),
            Row(what + "a page of 100", "ms", median(listed), budget="< 5"),
            Row(
                what + f"memory after looking at {LOOKED_AT:,}".replace(",", " "),
                "MiB",
                grown,
                note="more than before",
            ),
        ]


def _multiply(server: OurServer, count: int) -> None:
    """Copies of one session that was really had; the server starts again with them."""
    session = server.open_session()
    session.prompt("burst 20x100").finish()
    server.call("DELETE", f"/v1/sessions/{session.id}")
    server.stop()
    data_dir = server.home / "data"
    for number in range(count):
        shutil.copytree(
            data_dir / "sessions" / session.id, data_dir / "sessions" / f"dormant-{number}"
        )
    with sqlite3.connect(data_dir / "sandbox-agent.db") as index:
        index.execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)"
            " INSERT INTO sessions (id, seq, updated_ms, size_bytes, is_open, state)"
            " SELECT 'dormant-' || i, seq, updated_ms, size_bytes, is_open, state"
            " FROM sessions, n WHERE id = ?",
            (count, session.id),
        )
    index.close()
    server.start()
