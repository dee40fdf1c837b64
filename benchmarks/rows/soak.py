"""Sessions made, prompted, watched and ended for as long as `--soak-minutes` says: nothing may grow."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import TOKEN, OurServer, Session
from benchmarks.row import Plan, Row

WARM_UP_CYCLES = 100
"""Until then code loads and pools fill."""
SETTLE_S = 12.0
"""Longer than the server waits before it gives memory back."""
POOL_THREADS = 6
"""Of asyncio's pool on two cores: it may still be filling."""
AGENTS = ("mock", "burst")
PROMPTS = {"mock": "tool", "burst": "burst 50"}


@dataclass(frozen=True, slots=True)
class Use:
    memory_mib: float
    descriptors: int
    threads: int
    processes: int


def measure(plan: Plan) -> list[Row]:
    server = plan.ours()
    if server is None:
        return []
    cycles = WARM_UP_CYCLES
    with server:
        for number in range(WARM_UP_CYCLES):
            live(server, number)
        before = settled_use(server)
        deadline = time.monotonic() + plan.soak_s
        while time.monotonic() < deadline:
            live(server, cycles)
            cycles += 1
        after = settled_use(server)
    note = f"{cycles} sessions in {plan.soak_s / 60:g} min"
    names = {
        "memory (RSS)": ("MiB", after.memory_mib - before.memory_mib, "< 10", 1),
        "descriptors": ("", after.descriptors - before.descriptors, "<= 0", 0),
        "threads": ("", after.threads - before.threads, f"<= {POOL_THREADS}", 0),
        "processes": ("", after.processes - before.processes, "<= 0", 0),
    }
    return [
        Row(
            f"soak: {name}, more than at the start",
            unit,
            grown,
            budget=budget,
            digits=digits,
            note=note,
        )
        for name, (unit, grown, budget, digits) in names.items()
    ]


def live(server: OurServer, number: int) -> None:
    """A session from its creation to its end, with a reader that leaves in the midst of it."""
    agent = AGENTS[number % len(AGENTS)]
    session = server.open_session(agent=agent)
    leave_a_stream(server, session)
    server.call("POST", f"/v1/sessions/{session.id}/prompt?wait=true", {"text": PROMPTS[agent]})
    server.call("GET", f"/v1/sessions/{session.id}/transcript")
    purge = "?purge=true" if number % 4 < 2 else ""
    server.call("DELETE", f"/v1/sessions/{session.id}{purge}")


def leave_a_stream(server: OurServer, session: Session) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"authorization": f"Bearer {TOKEN}", "accept": "text/event-stream"}
    connection.request("GET", session.stream_path(), headers=headers)
    connection.getresponse().read(8)
    connection.close()


def settled_use(server: OurServer) -> Use:
    time.sleep(SETTLE_S)
    process = Path(f"/proc/{server.pid}")
    return Use(
        memory_mib=server.memory.rss_mib,
        descriptors=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
        processes=sum(1 for _ in descendants(server.pid)),
    )


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            yield int(child)
            yield from descendants(int(child))
