"""2 000 updates to 50 readers of one session."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.row import Plan, Row, median

UPDATES = 2_000
READERS = 50


def measure(plan: Plan) -> list[Row]:
    elapsed: dict[str, list[float]] = {"ours": [], "peer": []}
    lost: dict[str, float | None] = {"ours": None, "peer": None}
    with ExitStack() as stack:
        servers = [stack.enter_context(s) for s in (plan.ours(), plan.peer()) if s]
        for _ in range(plan.repetitions(5)):
            for server in servers:
                session = server.open_session()
                job = {"expected": UPDATES, "connections": READERS, "idle_s": 3.0}
                with server.reader(session, **job) as reading:
                    prompt = session.prompt(f"burst {UPDATES}")
                    results = reading.results()
                    prompt.finish()
                last_s = max(result.last_event_s for result in results)
                elapsed[server.name].append(last_s - prompt.sent_s)
                wrong = sum(r.lost + r.duplicated + r.reordered for r in results)
                lost[server.name] = (lost[server.name] or 0) + wrong
    return [
        Row(
            "fan-out: 2 000 updates to 50 readers, all done",
            "s",
            median(elapsed["ours"]),
            median(elapsed["peer"]),
            budget="<= 0.2",
            budget_of="ratio",
            digits=2,
        ),
        Row(
            "fan-out: lost, duplicated or reordered",
            "events",
            lost["ours"],
            lost["peer"],
            budget="= 0",
            digits=0,
            note=f"of {plan.repetitions(5) * UPDATES * READERS:,}",
        ),
    ]
