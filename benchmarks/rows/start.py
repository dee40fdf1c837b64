"""From starting the process to the first healthy answer; from asking for a session to having one."""

from __future__ import annotations

import time
from contextlib import ExitStack

from benchmarks.row import Plan, Row, median


def measure(plan: Plan) -> list[Row]:
    listening: dict[str, list[float]] = {"ours": [], "peer": []}
    idle_mib: dict[str, list[float]] = {"ours": [], "peer": []}
    pss_mib: dict[str, list[float]] = {"ours": [], "peer": []}
    ready: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(plan.repetitions(6)):
        with ExitStack() as stack:
            servers = [stack.enter_context(s) for s in (plan.ours(), plan.peer()) if s]
            time.sleep(0.5)
            for server in servers:
                listening[server.name].append(server.listening_after_s)
                idle_mib[server.name].append(server.memory.rss_mib)
                pss_mib[server.name].append(server.memory.pss_mib)
            for _ in range(3):
                for server in servers:
                    started = time.monotonic()
                    server.open_session()
                    ready[server.name].append((time.monotonic() - started) * 1e3)
    return [
        Row(
            "start to listening",
            "s",
            median(listening["ours"]),
            median(listening["peer"]),
            budget="< 0.7",
            digits=3,
        ),
        Row(
            "idle memory (RSS)",
            "MiB",
            median(idle_mib["ours"]),
            median(idle_mib["peer"]),
            budget="< 60",
        ),
        Row("idle memory (PSS)", "MiB", median(pss_mib["ours"]), median(pss_mib["peer"])),
        Row(
            "session asked for to ready (agent process started)",
            "ms",
            median(ready["ours"]),
            median(ready["peer"]),
        ),
    ]
