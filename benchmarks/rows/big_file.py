"""One large file in and out again: how fast, and what it leaves in the memory of the server."""

from __future__ import annotations

import os
import time
from urllib.parse import quote

from benchmarks.keep_alive import KeepAlive
from benchmarks.row import Plan, Row

__all__ = ["measure"]

MIB = 1024 * 1024
SIZE_MIB = 10 * 1024
QUICK_MIB = 1024


def measure(plan: Plan) -> list[Row]:
    size_mib = QUICK_MIB if plan.is_quick else SIZE_MIB
    server = plan.ours()
    if server is None:
        return []
    block = os.urandom(MIB)
    with server, KeepAlive(server.port) as connection:
        path = f"/v1/fs/file?path={quote(str(server.home / 'big'), safe='')}"
        connection.upload(path, block, 16)  # code loads, pools fill
        before = server.memory.rss_mib
        started = time.perf_counter()
        connection.upload(path, block, size_mib)
        written = time.perf_counter()
        assert connection.download(path) == size_mib * MIB
        read_s = time.perf_counter() - written
        peak = server.memory.peak_rss_mib - before
    note = "the peer refuses more than 2 MiB"
    what = f"host: one file of {size_mib // 1024} GiB"
    return [
        Row(f"{what}, written", "MiB/s", size_mib / (written - started), budget=">= 350", digits=0, note=note),
        Row(f"{what}, read", "MiB/s", size_mib / read_s, budget=">= 1400", digits=0),
        Row(f"{what}: memory at most, more than before", "MiB", peak, budget="<= 15"),
    ]  # fmt: skip
