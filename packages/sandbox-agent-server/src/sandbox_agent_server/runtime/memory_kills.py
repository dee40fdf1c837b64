"""Who was killed for want of memory: the kernel counts them in the control group of this server, and what is started
here goes before the server, which has to say so."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["VICTIM_SCORE", "MemoryKills", "memory_kills", "offer_as_victim"]

VICTIM_SCORE = 300
"""Of 1000: a process counts as so many thousandths of the memory larger than it is."""
_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class MemoryKills:
    """Where the kernel counts them. Empty answers where there is no such place (macOS)."""

    counter: Path | None = None
    """Has a line `oom_kill N`."""
    limits: tuple[Path, ...] = ()
    """Of the group and those that it is in: a number of bytes, or `max`."""
    memory: Path = _ROOT / "proc/meminfo"

    @classmethod
    def find(cls, root: Path = _ROOT) -> MemoryKills:
        for version in _groups(root):
            if version.counter is not None:
                return version
        # No group: then the whole machine is ours to look at.
        machine = root / "proc/vmstat"
        return cls(machine if machine.exists() else None, (), root / "proc/meminfo")

    def count(self) -> int:
        """Since the group was made; 0 where nobody counts."""
        with suppress(OSError, ValueError):
            for line in (
                self.counter.read_text(encoding="ascii").splitlines() if self.counter else ()
            ):
                name, _, number = line.partition(" ")
                if name == "oom_kill":
                    return int(number)
        return 0

    def limit_bytes(self) -> int | None:
        """What the group may have, at most what the machine has."""
        found = [number for path in self.limits if (number := _number(path)) is not None]
        with suppress(OSError, ValueError, IndexError):
            total = self.memory.read_text(encoding="ascii").splitlines()[0].split()
            found.append(int(total[1]) * 1024)
        return min(found, default=None)


@functools.cache
def memory_kills() -> MemoryKills:
    """Those of this process and its children."""
    return MemoryKills.find()


def offer_as_victim(pid: int) -> None:
    """Let it, and what it will start, be killed before this server when memory runs out."""
    # Somebody else's, or gone; or no Linux.
    with suppress(OSError, ValueError):
        file = Path("/proc", str(pid), "oom_score_adj")
        if int(file.read_text(encoding="ascii")) < VICTIM_SCORE:
            file.write_text(str(VICTIM_SCORE), encoding="ascii")


def _groups(root: Path) -> Iterator[MemoryKills]:
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            mounted = root / "sys/fs/cgroup/memory"
            yield _group(mounted, path, "memory.oom_control", "memory.limit_in_bytes", root)
        elif not controllers:
            yield _group(root / "sys/fs/cgroup", path, "memory.events", "memory.max", root)


def _group(mounted: Path, path: str, counter: str, limit: str, root: Path) -> MemoryKills:
    # In a container the path may be the one outside, while what is mounted is its own group.
    inside = mounted / path.lstrip("/")
    directory = inside if (inside / counter).exists() else mounted
    found = directory / counter
    above = [each for each in directory.parents if each.is_relative_to(mounted)]
    return MemoryKills(
        found if found.exists() else None,
        tuple(each / limit for each in (directory, *above)),
        root / "proc/meminfo",
    )


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
