"""What is written reaches the disk when it was promised: soon, grouped, and nothing is forgotten."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from real_log import say, step_of
from sandbox_agent_server.log import durability
from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.file import Quota
from sandbox_agent_server.log.log import SessionLog


@pytest.fixture
async def power(disk: Any) -> AsyncIterator[Syncer]:
    syncer = Syncer("power")
    yield syncer
    await syncer.close()


def log_of(directory: Path, syncer: Syncer, name: str = "ses_1") -> SessionLog:
    return SessionLog(name, directory / name, quota=Quota(), syncer=syncer)


def end_turn(log: SessionLog) -> None:
    step = step_of(log, "end")
    step.ends_turn = True
    log.append(step)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.0005)


async def test_without_power_failures_in_mind_nothing_is_synced(tmp_path: Path, disk: Any) -> None:
    syncer = Syncer("process")
    log = log_of(tmp_path, syncer)
    say(log, "a")
    end_turn(log)
    await asyncio.sleep(0)
    await syncer.close()
    log.close()
    assert disk.syncs == []


async def test_the_end_of_a_turn_is_synced_at_once(
    tmp_path: Path, disk: Any, power: Syncer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability, "SYNC_EVERY_S", 600)
    log = log_of(tmp_path, power)
    say(log, "a")
    say(log, "b")
    await asyncio.sleep(0)
    assert disk.syncs == []
    end_turn(log)
    await until(lambda: disk.syncs == [str(log.file.path)])
    say(log, "c")
    await asyncio.sleep(0)
    end_turn(log)
    await until(lambda: len(disk.syncs) == 2)
    log.close()


async def test_within_a_turn_it_is_synced_after_a_second_with_all_that_came_meanwhile(
    tmp_path: Path, disk: Any, power: Syncer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert durability.SYNC_EVERY_S <= 1.0
    monkeypatch.setattr(durability, "SYNC_EVERY_S", 0.01)
    one, other = log_of(tmp_path, power), log_of(tmp_path, power, "ses_2")
    for _ in range(5):
        say(one, "a")
        say(other, "a")
    await until(lambda: len(disk.syncs) == 2)
    assert sorted(disk.syncs) == [str(one.file.path), str(other.file.path)]
    say(one, "b")
    await until(lambda: len(disk.syncs) == 3)
    one.close()
    other.close()


async def test_the_event_loop_does_not_wait_for_the_disk(
    tmp_path: Path, disk: Any, power: Syncer
) -> None:
    threads: list[int] = []
    disk.fdatasync = lambda _descriptor: threads.append(threading.get_ident())
    log = log_of(tmp_path, power)
    end_turn(log)
    await until(lambda: bool(threads))
    assert threading.get_ident() not in threads
    log.close()


async def test_what_is_left_is_synced_at_the_end(tmp_path: Path, disk: Any, power: Syncer) -> None:
    log = log_of(tmp_path, power)
    say(log, "a")
    await power.close()
    assert disk.syncs == [str(log.file.path)]
    log.close()


async def test_what_a_sync_had_not_come_to_is_synced_at_the_end(
    tmp_path: Path, disk: Any, power: Syncer
) -> None:
    is_slow, may_go_on = threading.Event(), threading.Event()
    sync = disk.fdatasync

    def slowly(descriptor: int) -> None:
        if not is_slow.is_set():
            is_slow.set()
            may_go_on.wait(5)
        sync(descriptor)

    disk.fdatasync = slowly
    logs = [log_of(tmp_path, power, f"ses_{number}") for number in range(3)]
    for log in logs:
        end_turn(log)
    await until(is_slow.is_set)

    await asyncio.wait_for(power.close(), 5)

    assert sorted(disk.syncs) == [str(log.file.path) for log in logs]
    may_go_on.set()
    for log in logs:
        log.close()


async def test_a_log_that_is_gone_or_a_disk_that_is_broken_is_no_matter_to_the_others(
    tmp_path: Path, disk: Any, power: Syncer
) -> None:
    gone, broken, good = (log_of(tmp_path, power, f"ses_{number}") for number in range(3))
    sync = disk.fdatasync

    def fail_for_one(descriptor: int) -> None:
        sync(descriptor)
        if disk.syncs[-1] == str(broken.file.path):
            raise OSError(5, "Input/output error")

    disk.fdatasync = fail_for_one
    for log in (gone, broken, good):
        say(log, "a")
    gone.file.delete()
    end_turn(good)
    await until(lambda: str(good.file.path) in disk.syncs)
    end_turn(good)
    await until(lambda: disk.syncs.count(str(good.file.path)) == 2)
    for log in (broken, good):
        log.close()
