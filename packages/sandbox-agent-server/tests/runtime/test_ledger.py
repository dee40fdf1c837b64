from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.ledger import ProcessLedger

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


class Records:
    """What the store does."""

    def __init__(self) -> None:
        self.owners: dict[tuple[int, int], str] = {}

    def add(self, pid: int, start_time: int, owner: str) -> None:
        self.owners[pid, start_time] = owner

    def remove(self, owner: str) -> None:
        self.owners = {key: other for key, other in self.owners.items() if other != owner}

    def all(self) -> list[tuple[int, int, str]]:
        return [(*key, owner) for key, owner in self.owners.items()]


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def ledger(records: Records) -> ProcessLedger:
    return ProcessLedger(records, marker="of-the-tests", term_grace_s=0.2)


def test_what_is_noted_is_forgotten_with_its_owner(orphan: Any, records: Records) -> None:
    ledger = ProcessLedger(records, marker="of-the-tests")
    first, second = (orphan(f"print(1, flush=True)\n{SLEEP}")[0].pid for _ in range(2))
    ledger.note(first, "a")
    ledger.note(second, "b")
    ledger.note(first, "c")
    ledger.forget("a")
    assert {(pid, owner) for pid, _, owner in records.all()} == {(first, "c"), (second, "b")}
    ledger.forget("c")
    assert [pid for pid, _, _ in records.all()] == [second]


def test_a_process_that_is_gone_is_not_noted(records: Records) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    ProcessLedger(records, marker="of-the-tests").note(process.pid, "a")
    assert records.all() == []


async def test_a_process_of_an_earlier_server_is_ended_with_its_children(
    orphan: Any,
    is_running: Any,
    ledger: ProcessLedger,
    records: Records,
    caplog: pytest.LogCaptureFixture,
) -> None:
    leader, child = orphan(f"child = os.fork()\nif child: print(child, flush=True)\n{SLEEP}")
    ledger.note(leader.pid, "a")
    await ledger.reap_left_over()
    assert not is_running(leader.pid)
    assert not is_running(child)
    assert records.all() == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    await ledger.reap_left_over()
    assert len(caplog.records) == 1


async def test_one_that_ignores_a_polite_request_is_killed(
    orphan: Any, is_running: Any, ledger: ProcessLedger
) -> None:
    process, _ = orphan(f"{DEAF}\nprint(1, flush=True)\n{SLEEP}")
    ledger.note(process.pid, "a")
    await ledger.reap_left_over()
    assert not is_running(process.pid)


async def test_children_are_found_when_the_process_itself_is_gone(
    orphan: Any, is_running: Any, ledger: ProcessLedger
) -> None:
    leader, child = orphan(
        f"child = os.fork()\nif child: print(child, flush=True); input()\n{SLEEP}"
    )
    ledger.note(leader.pid, "a")
    leader.kill()
    leader.wait()
    assert is_running(child)
    await ledger.reap_left_over()
    assert not is_running(child)


async def test_another_process_with_the_same_pid_is_left_alone(
    orphan: Any, is_running: Any, ledger: ProcessLedger, records: Records
) -> None:
    process, _ = orphan(f"print(1, flush=True)\n{SLEEP}")
    stat = proc_table.read_one(process.pid)
    assert stat is not None
    records.add(process.pid, stat.start_time - 1, "a")
    await ledger.reap_left_over()
    assert is_running(process.pid)
    assert records.all() == []


def test_a_programs_name_may_hold_blanks_and_parentheses(monkeypatch: Any, tmp_path: Any) -> None:
    (tmp_path / "41").mkdir()
    fields = ["S", "7", "41", "40", *["0"] * 15, "12345", *["0"] * 30]
    (tmp_path / "41" / "stat").write_text(f"41 (a) b (c)) {' '.join(fields)}\n", encoding="utf-8")
    monkeypatch.setattr(proc_table, "_PROC", tmp_path)
    assert proc_table.read_one(41) == proc_table.ProcessStat(41, 7, 40, 12345, False)
