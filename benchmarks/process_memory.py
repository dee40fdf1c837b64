"""Memory and processor time of one process, from /proc (Linux)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Memory", "cpu_seconds", "read_memory"]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """RSS counts shared pages in full, PSS by share: for one server the second is fairer."""

    rss_bytes: int
    pss_bytes: int
    peak_rss_bytes: int

    @property
    def rss_mib(self) -> float:
        return self.rss_bytes / MIB

    @property
    def pss_mib(self) -> float:
        return self.pss_bytes / MIB

    @property
    def peak_rss_mib(self) -> float:
        return self.peak_rss_bytes / MIB


def read_memory(pid: int) -> Memory:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return Memory(
        rss_bytes=_kib(status, "VmRSS") * 1024,
        pss_bytes=_kib(rollup, "Pss") * 1024,
        peak_rss_bytes=_kib(status, "VmHWM") * 1024,
    )


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kib(text: str, name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB", text, re.M)
    return int(match[1]) if match else 0
