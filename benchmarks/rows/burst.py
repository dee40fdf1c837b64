"""20 000 updates as fast as the agent writes them, one reader."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.contenders import Server
from benchmarks.row import Plan, Row, median
from benchmarks.stream_reader import StreamResult

UPDATES = 20_000


def measure(plan: Plan) -> list[Row]:
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    lost = {"ours": 0, "peer": 0}
    cpu: dict[str, list[float]] = {"ours": [], "peer": []}
    repetitions = plan.repetitions(7)
    with ExitStack() as stack:
        servers = [stack.enter_context(s) for s in (plan.ours(), plan.peer()) if s]
        for _ in range(repetitions):
            for server in servers:
                cpu_before = server.cpu_s
                elapsed_s, result = run_burst(server, UPDATES)
                rates[server.name].append(result.received / elapsed_s)
                lost[server.name] += result.lost + result.duplicated + result.reordered
                cpu[server.name].append((server.cpu_s - cpu_before) / result.received * 1e6)
        has_peer = len(servers) > 1 or plan.skips_ours
    runs = f"{repetitions} runs of {UPDATES:,}"
    peer_lost = lost["peer"] if has_peer else None
    ours_lost = None if plan.skips_ours else lost["ours"]
    return [
        Row(
            "burst of 20 000 updates, received",
            "events/s",
            median(rates["ours"]),
            median(rates["peer"]),
            budget=">= 4",
            budget_of="ratio",
            digits=0,
            note=runs,
        ),
        Row(
            "burst: lost, duplicated or reordered",
            "events",
            ours_lost,
            peer_lost,
            budget="= 0",
            digits=0,
            note=f"of {repetitions * UPDATES:,}",
        ),
        Row(
            "burst: processor time of the server",
            "µs/event",
            median(cpu["ours"]),
            median(cpu["peer"]),
        ),
    ]


def run_burst(server: Server, updates: int, **reader: float) -> tuple[float, StreamResult]:
    """Seconds from sending the prompt to the last event that came, and what came."""
    session = server.open_session()
    with server.reader(session, expected=updates, **reader) as reading:
        prompt = session.prompt(f"burst {updates}")
        result = reading.results()[0]
        prompt.finish()
    return result.last_event_s - prompt.sent_s, result
