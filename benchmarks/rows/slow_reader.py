"""20 000 updates for a reader that takes 16 KiB at a time and sleeps in between."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.row import Plan, Row

from .burst import UPDATES, run_burst


def measure(plan: Plan) -> list[Row]:
    lost: dict[str, float | None] = {"ours": None, "peer": None}
    with ExitStack() as stack:
        for server in [stack.enter_context(s) for s in (plan.ours(), plan.peer()) if s]:
            _, result = run_burst(server, UPDATES, nap_s=0.01, nap_bytes=16384, idle_s=3.0)
            lost[server.name] = result.lost + result.duplicated + result.reordered
    return [
        Row(
            "slow reader: lost, duplicated or reordered",
            "events",
            lost["ours"],
            lost["peer"],
            budget="= 0",
            digits=0,
            note=f"of {UPDATES:,}",
        )
    ]
