"""60 updates of 5 000 000 bytes: what they leave behind in the server's memory."""

from __future__ import annotations

import time
from contextlib import ExitStack

from benchmarks.row import Plan, Row

UPDATES = 60
SIZE_BYTES = 5_000_000


def measure(plan: Plan) -> list[Row]:
    after: dict[str, float | None] = {"ours": None, "peer": None}
    peak: dict[str, float | None] = {"ours": None, "peer": None}
    lost: dict[str, float | None] = {"ours": None, "peer": None}
    with ExitStack() as stack:
        for server in [stack.enter_context(s) for s in (plan.ours(), plan.peer()) if s]:
            session = server.open_session()
            with server.reader(session, expected=UPDATES) as reading:
                prompt = session.prompt(f"big {UPDATES} {SIZE_BYTES}")
                result = reading.results()[0]
                prompt.finish()
            time.sleep(1.0)
            memory = server.memory
            after[server.name], peak[server.name] = memory.rss_mib, memory.peak_rss_mib
            lost[server.name] = result.lost
    what = "60 updates of 5 MB"
    return [
        Row(f"{what}: memory after (RSS)", "MiB", after["ours"], after["peer"]),
        Row(f"{what}: memory at most (RSS)", "MiB", peak["ours"], peak["peer"]),
        Row(f"{what}: lost", "events", lost["ours"], lost["peer"], budget="= 0", digits=0),
    ]
