"""Where the kernel counts whom it killed, in each of the shapes that control groups have."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from sandbox_agent_server.runtime import process_link
from sandbox_agent_server.runtime.memory_kills import VICTIM_SCORE, MemoryKills
from sandbox_agent_server.runtime.process_link import ProcessLink

MEMORY = "MemTotal:       8388608 kB\nMemFree: 1 kB\n"
EVENTS = "low 0\nhigh 0\nmax 4\noom 2\noom_kill 3\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
GB = 1024**3


def machine(root: Path, files: dict[str, str]) -> MemoryKills:
    for name, content in {"proc/meminfo": MEMORY, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return MemoryKills.find(root)


@pytest.mark.parametrize(
    ("files", "count", "limit"),
    [
        (
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/memory.events": EVENTS,
                "sys/fs/cgroup/memory.max": f"{GB}\n",
            },
            3,
            GB,
        ),
        (
            {
                "proc/self/cgroup": "0::/system.slice/agent.service\n",
                "sys/fs/cgroup/system.slice/agent.service/memory.events": EVENTS,
                "sys/fs/cgroup/system.slice/agent.service/memory.max": "max\n",
                "sys/fs/cgroup/system.slice/memory.max": f"{2 * GB}\n",
            },
            3,
            2 * GB,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/docker/abc\n",
                "sys/fs/cgroup/memory/memory.oom_control": CONTROL,
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            3,
            8 * GB,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/a\n",
                "sys/fs/cgroup/memory/a/memory.oom_control": CONTROL,
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{GB}\n",
                "sys/fs/cgroup/memory/memory.oom_control": "oom_kill 9\n",
            },
            3,
            GB,
        ),
        ({"proc/self/cgroup": "0::/\n", "proc/vmstat": "nr_free 1\noom_kill 5\n"}, 5, 8 * GB),
        ({}, 0, 8 * GB),
    ],
    ids=[
        "container",
        "service",
        "container of version 1",
        "group of version 1",
        "machine",
        "no groups",
    ],
)
def test_the_count_and_the_limit_are_found(
    tmp_path: Path, files: dict[str, str], count: int, limit: int
) -> None:
    found = machine(tmp_path, files)
    assert found.count() == count
    assert found.limit_bytes() == limit


def test_where_there_is_nothing_nothing_is_said(tmp_path: Path) -> None:
    found = MemoryKills.find(tmp_path)
    assert found.count() == 0
    assert found.limit_bytes() is None


async def ended(script: str) -> process_link.ProcessExit:
    over = asyncio.Event()
    link = ProcessLink(
        [sys.executable, "-c", script],
        cwd="/",
        env=dict(os.environ),
        on_data=lambda _data: None,
        on_end=over.set,
    )
    await link.start()
    async with asyncio.timeout(30):
        await over.wait()
    return await link.close()


@pytest.mark.parametrize(
    ("script", "counted", "is_out_of_memory"),
    [
        ("import os; os.kill(os.getpid(), 9)", True, True),
        ("import os; os.kill(os.getpid(), 9)", False, False),
        ("import sys; sys.exit(137)", True, True),
        ("import os; os.kill(os.getpid(), 15)", True, False),
    ],
    ids=["killed", "killed by somebody", "killed behind a shell", "terminated"],
)
async def test_a_kill_that_the_kernel_counted_is_for_want_of_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    counted: bool,
    is_out_of_memory: bool,
) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text(EVENTS)
    group = MemoryKills(counter, (), tmp_path / "none")
    monkeypatch.setattr(process_link, "memory_kills", lambda: group)
    if counted:
        script = f"open({str(counter)!r}, 'w').write('oom_kill 4'); {script}"
    exit = await ended(script)
    assert exit.is_out_of_memory is is_out_of_memory
    assert exit.signal in {signal.SIGKILL, signal.SIGTERM, None}


@pytest.mark.skipif(sys.platform != "linux", reason="the score is Linux's")
async def test_what_is_started_goes_before_the_server() -> None:
    over, said = asyncio.Event(), bytearray()
    link = ProcessLink(
        ["/bin/sh", "-c", "read go; cat /proc/self/oom_score_adj"],
        cwd="/",
        env=dict(os.environ),
        on_data=said.extend,
        on_end=over.set,
    )
    await link.start()
    link.write(b"go\n")
    async with asyncio.timeout(30):
        await over.wait()
    await link.close()
    assert int(said) >= VICTIM_SCORE
