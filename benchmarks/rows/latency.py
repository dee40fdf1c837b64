"""One update each 5 ms: what the server adds between the agent's write and the reader's receipt."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.row import Plan, Row, percentile

UPDATES = 500
INTERVAL_US = 5_000


def measure(plan: Plan) -> list[Row]:
    seen: dict[str, list[float]] = {"ours": [], "peer": []}
    with ExitStack() as stack:
        servers = [stack.enter_context(s) for s in (plan.ours(), plan.peer()) if s]
        for _ in range(plan.repetitions(6)):
            for server in servers:
                session = server.open_session()
                with server.reader(session, expected=UPDATES) as reading:
                    prompt = session.prompt(f"paced {UPDATES} {INTERVAL_US}")
                    result = reading.results()[0]
                    prompt.finish()
                # The first few meet cold caches on both sides; they are not the steady state.
                seen[server.name] += result.latencies_us[20:]
    return [
        Row(
            f"added latency, paced stream, p{round(share * 100)}",
            "µs",
            percentile(seen["ours"], share),
            percentile(seen["peer"], share),
            budget=budget,
            budget_of="ratio",
            digits=0,
        )
        for share, budget in ((0.50, "<= 1.1"), (0.99, "<= 1.2"))
    ]
