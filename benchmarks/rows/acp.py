"""The peer's own protocol, `/v1/acp`, on both servers: a prompt there and back, and a burst on the stream."""

from __future__ import annotations

import time
from contextlib import ExitStack

from benchmarks.row import Plan, Row, median, percentile

from .burst import run_burst

__all__ = ["measure"]

PROMPTS = 100
UPDATES = 20_000
ROUNDS = 4


def measure(plan: Plan) -> list[Row]:
    trips: dict[str, list[float]] = {"ours": [], "peer": []}
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    lost: dict[str, int] = {"ours": 0, "peer": 0}
    with ExitStack() as stack:
        servers = [stack.enter_context(s) for s in (plan.ours_over_acp(), plan.peer()) if s]
        sessions = {server.name: server.open_session() for server in servers}
        for _ in range(plan.repetitions(ROUNDS)):
            for server in servers:
                for _ in range(PROMPTS):
                    started = time.perf_counter()
                    sessions[server.name].prompt("burst 1").finish()
                    trips[server.name].append((time.perf_counter() - started) * 1000)
                elapsed_s, result = run_burst(server, UPDATES)
                rates[server.name].append(result.received / elapsed_s)
                lost[server.name] += result.lost + result.duplicated + result.reordered
    both = [[percentile(trips[name], share) for name in ("ours", "peer")] for share in (0.5, 0.99)]
    return [
        Row("/v1/acp: prompt there and back, p50", "ms", *both[0], budget="<= 1.2", budget_of="ratio", digits=2),
        Row("/v1/acp: prompt there and back, p99", "ms", *both[1], digits=2),
        Row("/v1/acp: burst of 20 000 updates, received", "events/s", median(rates["ours"]), median(rates["peer"]),
            budget=">= 1", budget_of="ratio", digits=0),
        Row("/v1/acp: burst: lost, duplicated or reordered", "events", lost["ours"],
            lost["peer"] if rates["peer"] else None, budget="= 0", digits=0),
    ]  # fmt: skip
