from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.reaper import reap, start_time

SLEEP = "time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.fixture
def orphan() -> Iterator[Any]:
    """Start a program as an earlier server would have, in a session of its own. Answers it and what it printed."""
    started: list[subprocess.Popen[str]] = []

    def orphan(program: str) -> tuple[subprocess.Popen[str], int]:
        argv = [sys.executable, "-I", "-S", "-c", f"import os, time\n{program}"]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    yield orphan
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def test_a_process_of_an_earlier_server_is_ended_with_its_children(
    orphan: Any, is_running: Any
) -> None:
    leader, child = orphan(f"child = os.fork()\nif child: print(child, flush=True)\n{SLEEP}")
    started = start_time(leader.pid)
    assert started is not None
    assert await reap(leader.pid, started)
    assert not is_running(leader.pid)
    assert not is_running(child)
    assert not await reap(leader.pid, started)


async def test_one_that_ignores_a_polite_request_is_killed(orphan: Any, is_running: Any) -> None:
    process, _ = orphan(f"{DEAF}\nprint(1, flush=True)\n{SLEEP}")
    started = start_time(process.pid)
    assert started is not None
    assert await reap(process.pid, started, grace_s=0.1)
    assert not is_running(process.pid)


async def test_children_are_found_when_the_process_itself_is_gone(
    orphan: Any, is_running: Any
) -> None:
    leader, child = orphan(
        f"child = os.fork()\nif child: print(child, flush=True); input()\n{SLEEP}"
    )
    started = start_time(leader.pid)
    assert started is not None
    leader.kill()
    leader.wait()
    assert is_running(child)
    assert await reap(leader.pid, started)
    assert not is_running(child)


async def test_another_process_with_the_same_pid_is_left_alone(
    orphan: Any, is_running: Any
) -> None:
    process, _ = orphan(f"print(1, flush=True)\n{SLEEP}")
    started = start_time(process.pid)
    assert started is not None
    assert not await reap(process.pid, started - 1)
    assert is_running(process.pid)


def test_a_process_that_is_gone_has_no_start_time() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert start_time(process.pid) is None


def test_a_programs_name_may_hold_blanks_and_parentheses(monkeypatch: Any, tmp_path: Any) -> None:
    (tmp_path / "41").mkdir()
    fields = ["S", "7", "41", "40", *["0"] * 15, "12345", *["0"] * 30]
    (tmp_path / "41" / "stat").write_text(f"41 (a) b (c)) {' '.join(fields)}\n", encoding="utf-8")
    monkeypatch.setattr(proc_table, "_PROC", tmp_path)
    assert proc_table.read_one(41) == proc_table.ProcessStat(41, 7, 40, 12345, False)
