"""The sandbox as a computer: files, listings, commands and health, over connections that stay."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import quote

from benchmarks.contenders import Server
from benchmarks.keep_alive import KeepAlive
from benchmarks.row import Plan, Row, median, percentile

__all__ = ["measure"]

MIB = 1024 * 1024
ROUNDS = 6
LISTED = 10_000
BATCH_FILES = 500
CLIENTS = 8


@dataclass(slots=True)
class Contender:
    server: Server
    connection: KeepAlive
    times: dict[str, list[float]] = field(default_factory=dict)
    made: int = 0

    def path(self, name: str) -> str:
        return "path=" + quote(f"{self.server.home}/host/{name}", safe="")

    def time(self, what: str, call: Callable[[], object], count: int) -> None:
        seen = self.times.setdefault(what, [])
        for _ in range(count):
            started = time.perf_counter()
            call()
            seen.append(time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Work:
    what: str
    count: int
    """In one round."""
    call: Callable[[Contender], object]
    budget: str = ""
    size_bytes: int = 0
    """Then throughput is told."""
    tells_p99: bool = False


def measure(plan: Plan) -> list[Row]:
    with ExitStack() as stack:
        contenders = []
        for server in [stack.enter_context(s) for s in (plan.ours(), plan.peer()) if s]:
            connection = stack.enter_context(KeepAlive(server.port))
            contenders.append(Contender(server, connection))
        for contender in contenders:
            _prepare(contender)
        before = {one.server.name: one.server.memory.rss_mib for one in contenders}
        works = _works()
        for _ in range(plan.repetitions(ROUNDS)):
            for work in works:
                for contender in contenders:
                    contender.time(work.what, lambda: work.call(contender), work.count)  # noqa: B023
        grown = {
            one.server.name: one.server.memory.rss_mib - before[one.server.name]
            for one in contenders
        }
    times = {one.server.name: one.times for one in contenders}
    rows = [row for work in works for row in _rows_of(work, times)]
    rows.append(
        Row(
            "host: memory (RSS), more than before",
            "MiB",
            grown.get("ours"),
            grown.get("peer"),
            budget="<= 15",
        )
    )
    return rows


def _rows_of(work: Work, times: dict[str, dict[str, list[float]]]) -> list[Row]:
    seen = {name: of[work.what] for name, of in times.items()}
    ours, peer = seen.get("ours", []), seen.get("peer", [])
    rows = []
    if work.size_bytes:
        rates = [
            work.size_bytes * len(values) / sum(values) / MIB if values else None
            for values in (ours, peer)
        ]
        rows.append(
            Row(
                f"host: {work.what}",
                "MiB/s",
                *rates,
                budget=work.budget,
                budget_of="ratio",
                digits=0,
            )
        )
        return rows
    rows.append(
        Row(f"host: {work.what}, p50", "ms", _ms(median(ours)), _ms(median(peer)), budget=work.budget,
            budget_of="ratio", digits=3)
    )  # fmt: skip
    if work.tells_p99:
        worst = [_ms(percentile(values, 0.99)) for values in (ours, peer)]
        rows.append(Row(f"host: {work.what}, p99", "ms", *worst, digits=3))
    return rows


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _prepare(one: Contender) -> None:
    call = one.connection.call
    call("POST", f"/v1/fs/mkdir?{one.path('')}")
    for size in (1024, MIB, 2 * MIB):
        call(
            "PUT",
            f"/v1/fs/file?{one.path(str(size))}",
            os.urandom(size),
            kind="application/octet-stream",
        )
    for part in range(10):
        names = [f"{part}-{number}.txt" for number in range(LISTED // 10)]
        call(
            "POST",
            f"/v1/fs/upload-batch?{one.path('listed')}",
            _tar(names, 0),
            kind="application/x-tar",
        )
    listed = json.loads(call("GET", f"/v1/fs/entries?{one.path('listed')}"))
    assert len(listed) == LISTED, f"{one.server.name} lists {len(listed)}"


def _works() -> Sequence[Work]:
    small, large, largest = os.urandom(1024), os.urandom(MIB), os.urandom(2 * MIB)
    batch = _tar([f"d{number % 10}/f{number}.txt" for number in range(BATCH_FILES)], 1024)
    true = json.dumps({"command": "true", "args": []}).encode()
    writes = ["-c", "head -c 1000000 /dev/zero | tr '\\0' x"]
    output = json.dumps({"command": "sh", "args": writes, "maxOutputBytes": 1_100_000}).encode()

    def get(path: str) -> Callable[[Contender], object]:
        return lambda one: one.connection.call("GET", path)

    def read(name: str) -> Callable[[Contender], object]:
        return lambda one: one.connection.call("GET", f"/v1/fs/file?{one.path(name)}")

    def write(data: bytes) -> Callable[[Contender], object]:
        return lambda one: one.connection.call(
            "PUT", f"/v1/fs/file?{one.path(str(len(data)))}", data, kind="application/octet-stream"
        )

    def run(body: bytes) -> Callable[[Contender], object]:
        return lambda one: one.connection.call("POST", "/v1/processes/run", body)

    return (
        Work("health", 500, get("/v1/health"), "<= 1.2", tells_p99=True),
        Work("stat", 300, lambda one: one.connection.call("GET", f"/v1/fs/stat?{one.path('1024')}"), "<= 1.2", tells_p99=True),
        Work("read 1 KiB", 200, read("1024"), "<= 1.2"),
        Work("write 1 KiB", 100, write(small), "<= 1.75", tells_p99=True),
        Work("read 1 MiB", 20, read(str(MIB)), ">= 1", size_bytes=MIB),
        Work("write 1 MiB", 20, write(large), ">= 1", size_bytes=MIB),
        Work("read 2 MiB", 10, read(str(2 * MIB)), ">= 1", size_bytes=2 * MIB),
        Work("write 2 MiB", 10, write(largest), ">= 1", size_bytes=2 * MIB),
        Work("new file of 1 KiB", 50, lambda one: _new_file(one, small), "<= 1.75"),
        Work(f"tar of {BATCH_FILES} files", 2, lambda one: _new_batch(one, batch), "<= 1.2"),
        Work("list 10 000 entries", 3, lambda one: one.connection.call("GET", f"/v1/fs/entries?{one.path('listed')}"), "<= 1.2"),
        Work("run `true`", 40, run(true), "<= 1.2", tells_p99=True),
        Work("run `true` at once from 8 clients", 5, lambda one: _at_once(one, true), "<= 2"),
        Work("run with 1 MB of output", 3, run(output), "<= 1.2"),
    )  # fmt: skip


def _new_file(one: Contender, data: bytes) -> None:
    one.made += 1
    path = one.path(f"new/{one.made}.txt")
    one.connection.call("PUT", f"/v1/fs/file?{path}", data, kind="application/octet-stream")


def _new_batch(one: Contender, tar: bytes) -> None:
    one.made += 1
    path = one.path(f"batch-{one.made}")
    one.connection.call("POST", f"/v1/fs/upload-batch?{path}", tar, kind="application/x-tar")


def _at_once(one: Contender, body: bytes) -> None:
    def client() -> None:
        with KeepAlive(one.server.port) as connection:
            for _ in range(5):
                connection.call("POST", "/v1/processes/run", body)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _tar(names: Sequence[str], size: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = size
            tar.addfile(member, io.BytesIO(b"x" * size))
    return buffer.getvalue()
