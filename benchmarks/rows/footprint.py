"""What an idle session costs inside the server; the agent's own process is not counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.contenders import Server
from benchmarks.row import Plan, Row

SESSIONS_WITH_PROCESS = 30
MOCK_SESSIONS = 100
WARM_UP = 5


def measure(plan: Plan) -> list[Row]:
    per_session: dict[str, float | None] = {"ours": None, "peer": None}
    with ExitStack() as stack:
        for server in [stack.enter_context(s) for s in (plan.ours(), plan.peer()) if s]:
            growth = kib_per_session(server, server.open_session, SESSIONS_WITH_PROCESS)
            per_session[server.name] = growth
    mock: float | None = None
    if ours := plan.ours():
        with ours:
            mock = kib_per_session(ours, lambda: ours.open_session(agent="mock"), MOCK_SESSIONS)
    budget = "< 256"
    return [
        Row(
            "idle session, agent process",
            "KiB",
            per_session["ours"],
            per_session["peer"],
            budget=budget,
            digits=0,
        ),
        Row(
            "idle session, built-in mock agent",
            "KiB",
            mock,
            budget=budget,
            digits=0,
            note=f"{MOCK_SESSIONS} sessions; the agent is inside the server",
        ),
    ]


def kib_per_session(server: Server, open_session: Callable[[], object], count: int) -> float:
    for _ in range(WARM_UP):  # code loads and pools fill with the first sessions
        open_session()
    before = _settled_rss(server)
    for _ in range(count):
        open_session()
    return max(0.0, (_settled_rss(server) - before) / 1024 / count)


def _settled_rss(server: Server) -> int:
    time.sleep(1.0)
    return server.memory.rss_bytes
