"""A reader that comes after 100 000 events and wants them all."""

from __future__ import annotations

import time

from benchmarks.contenders import Server
from benchmarks.row import Plan, Row, median
from benchmarks.stream_reader import StreamResult

UPDATES = 100_000


def measure(plan: Plan) -> list[Row]:
    ours_s: list[float] = []
    ours_lost: float | None = None
    peer_lost: float | None = None
    if server := plan.ours():
        with server:
            for elapsed_s, result in catch_up(server, plan.repetitions(5)):
                ours_s.append(elapsed_s)
                wrong = result.lost + result.duplicated + result.reordered
                ours_lost = max(ours_lost or 0, wrong)
    if peer := plan.peer():
        with peer:
            [(_, result)] = catch_up(peer, 1)
            peer_lost = result.lost
    return [
        Row(
            "catch-up from the first of 100 000 events",
            "s",
            median(ours_s),
            budget="< 1",
            digits=2,
            note="the peer keeps 1 024 events",
        ),
        Row("catch-up: lost", "events", ours_lost, peer_lost, budget="= 0", digits=0),
    ]


def catch_up(server: Server, repetitions: int) -> list[tuple[float, StreamResult]]:
    session = server.open_session()
    session.prompt(f"burst {UPDATES}").finish()
    _wait_until_quiet(server)
    path, headers = server.replay(session)
    results = []
    for _ in range(repetitions):
        job = {"path": path, "headers": headers, "expected": UPDATES, "idle_s": 2.0}
        with server.reader(session, **job) as reading:
            result = reading.results()[0]
        results.append((result.last_event_s - result.connected_s, result))
    return results


def _wait_until_quiet(server: Server) -> None:
    """Ours answers a prompt before the turn ends: wait until the server has nothing left to do."""
    deadline = time.monotonic() + 60
    before = -1.0
    while (now := server.cpu_s) != before and time.monotonic() < deadline:
        before = now
        time.sleep(0.5)
