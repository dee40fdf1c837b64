"""The one door to a log: what is shown is written, in the order in which it happened."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_log import open_log, read_all, said, say, step_of, words
from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.frames import extensions
from sandbox_agent_server.log import log as log_module
from sandbox_agent_server.log.file import Quota
from sandbox_agent_server.log.log import Cursor, SessionLog
from sandbox_agent_server.log.views import Batch


class Watcher:
    """Follows, and notes what it was told of, and what was on the disk by then."""

    def __init__(self, log: SessionLog) -> None:
        self._log = log
        self.told: list[list[str]] = []
        self.on_disk: list[int] = []
        self.has_ended = False

    def follow(self, batch: Batch) -> None:
        self.told.append(words(list(batch.entries)))
        self.on_disk.append(self._log.file.path.read_bytes().count(b"\n"))

    def end(self) -> None:
        self.has_ended = True


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SessionLog]:
    log = open_log(tmp_path)
    yield log
    log.close()


def reopened(log: SessionLog, **given: Any) -> SessionLog:
    log.rest()
    return open_log(log.file.path.parent.parent, **given)


# Writing


async def test_an_entry_is_on_the_disk_before_anybody_is_told_and_before_what_follows_from_it(
    log: SessionLog,
) -> None:
    watcher = Watcher(log)
    log.attach(watcher)
    step = step_of(log, "a", "b")
    done: list[object] = []
    step.after_commit(lambda: done.append((list(watcher.told), log.last_seq)))
    assert (watcher.told, done, log.last_seq) == ([], [], 0)

    log.append(step)

    assert watcher.told == [["a", "b"]]
    assert watcher.on_disk == [2]
    assert done == [([["a", "b"]], 2)]


async def test_what_is_not_written_is_not_told_and_nothing_follows_from_it(
    log: SessionLog, disk: Any
) -> None:
    watcher = Watcher(log)
    log.attach(watcher)
    say(log, "a")
    step = step_of(log, "b")
    done: list[str] = []
    step.after_commit(lambda: done.append("b"))

    with disk.full(takes_bytes=9), pytest.raises(StorageError):
        log.append(step)

    assert (watcher.told, done, log.last_seq) == ([["a"]], [], 1)
    assert await said(log) == ["a"]
    say(log, "c")
    assert [entry.seq for entry in await read_all(log)] == [1, 2]
    assert await said(log) == ["a", "c"]


async def test_a_step_without_entries_is_done_without_writing(log: SessionLog) -> None:
    step, done = step_of(log), []
    step.after_commit(lambda: done.append(1))
    log.append(step)
    assert (done, log.last_seq, log.file.path.exists()) == ([1], 0, False)


async def test_what_follows_from_a_step_may_append_the_next(log: SessionLog) -> None:
    watcher = Watcher(log)
    log.attach(watcher)
    step = step_of(log, "a")
    step.after_commit(lambda: say(log, "b"))
    step.after_commit(lambda: say(log, "c"))
    log.append(step)
    assert watcher.told == [["a"], ["b"], ["c"]]
    assert await said(log) == ["a", "b", "c"]


async def test_a_step_that_was_made_before_another_was_appended_is_a_bug(log: SessionLog) -> None:
    late = step_of(log, "late")
    say(log, "a")
    with pytest.raises(AssertionError):
        log.append(late)


async def test_seqs_have_no_gap_however_often_the_log_is_opened(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for number in range(4):
        say(log, f"a{number}", f"b{number}")
        log = reopened(log)
    entries = await read_all(log)
    assert [entry.seq for entry in entries] == list(range(1, 9))
    read = [entry.to_log_entry("ses_1") for entry in entries]
    assert [entry.seq for entry in read] == list(range(1, 9))
    log.close()


@pytest.mark.fault("the clock is set back", "the times of a log never go back")
async def test_time_stands_still_when_the_clock_is_set_back(
    log: SessionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1_795_435_200
    monkeypatch.setattr(time, "time_ns", lambda: now_s * 10**9)
    say(log, "a")
    now_s -= 3600
    say(log, "b")
    log = reopened(log)
    say(log, "c")
    now_s += 3601
    say(log, "d")

    times = [entry.to_log_entry("ses_1").time_ms for entry in await read_all(log)]
    assert times == [1_795_435_200_000] * 3 + [1_795_435_201_000]
    log.close()


# A disk that cannot be written for a while


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "RETRY_EVERY_S", 0.002)


def patiently(log: SessionLog, *words: str, retry_s: float = 60) -> Any:
    give_up = asyncio.Event()
    step = step_of(log, *words)
    task = asyncio.ensure_future(log.append_patiently(step, retry_s=retry_s, give_up=give_up))
    return task, step, give_up


@pytest.mark.usefixtures("quick_retries")
async def test_while_a_step_waits_for_the_disk_nobody_else_gets_in_even_when_there_is_space_again(
    log: SessionLog, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = Watcher(log)
    log.attach(watcher)
    monkeypatch.setattr(log_module, "RETRY_EVERY_S", 60)
    say(log, "request")
    with disk.full():
        task, step, _ = patiently(log, "batch")
        await asyncio.sleep(0)
        assert not task.done()
    for _ in range(2):
        with pytest.raises(StorageError):
            say(log, "timeout")
    assert await said(log) == ["request"]

    log.append(step)
    say(log, "timeout")
    assert await said(log) == ["request", "batch", "timeout"]
    assert watcher.told == [["request"], ["batch"], ["timeout"]]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("quick_retries")
async def test_a_patient_step_is_written_once_there_is_space(log: SessionLog, disk: Any) -> None:
    with disk.full():
        task, _, _ = patiently(log, "batch")
        await asyncio.wait([task], timeout=0.01)
        assert not task.done()
        assert log.last_seq == 0
    async with asyncio.timeout(30):
        await task
    say(log, "next")
    assert await said(log) == ["batch", "next"]


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("why", ["its time is over", "it is not waited for", "it is cancelled"])
async def test_a_patient_step_that_is_given_up_keeps_nobody_out(
    log: SessionLog, disk: Any, why: str
) -> None:
    with disk.full():
        task, _, give_up = patiently(log, "batch", retry_s=0.005 if "time" in why else 60)
        await asyncio.sleep(0)
        if "waited" in why:
            give_up.set()
        elif "cancelled" in why:
            task.cancel()
        async with asyncio.timeout(30):
            (result,) = await asyncio.gather(task, return_exceptions=True)
        expected = asyncio.CancelledError if "cancelled" in why else StorageError
        assert isinstance(result, expected)
    say(log, "next")
    assert await said(log) == ["next"]


# What a power failure tore


@pytest.mark.fault("the last line of a log is torn", "it is cut off, and `log.repaired` says so")
async def test_what_was_torn_is_said_in_an_entry_of_its_own(log: SessionLog) -> None:
    say(log, "a", "b")
    log.rest()
    with log.file.path.open("ab") as file:
        file.write(b'{"seq":3,"ti')

    log = reopened(log)

    assert await said(log) == ["a", "b", extensions.LOG_REPAIRED]
    repaired = (await read_all(log))[-1].to_log_entry("ses_1")
    assert repaired.payload["params"]["droppedBytes"] == 12
    assert repaired.sender == "server"
    say(log, "c")
    log = reopened(log)
    assert await said(log) == ["a", "b", extensions.LOG_REPAIRED, "c"]
    log.close()


@pytest.mark.fault(
    "a torn log on a full disk", "it is read, and `log.repaired` comes with the next entry"
)
async def test_a_torn_log_that_cannot_be_written_is_read_all_the_same_and_says_so_later(
    log: SessionLog,
) -> None:
    say(log, "a")
    log.rest()
    with log.file.path.open("ab") as file:
        file.write(b"\0\0\0")
    full = Quota(1)

    log = reopened(log, quota=full)
    assert await said(log) == ["a"]
    full.limit_bytes = None
    say(log, "b")
    assert await said(log) == ["a", "b", extensions.LOG_REPAIRED]
    say(log, "c")
    log = reopened(log)
    assert await said(log) == ["a", "b", extensions.LOG_REPAIRED, "c"]
    log.close()


# Reading


async def test_a_page_has_what_was_asked_for_and_the_next_goes_on_behind_it(
    log: SessionLog,
) -> None:
    say(log, *"abcdefg")
    assert words(await Cursor(log, 0).read(limit=3)) == ["a", "b", "c"]
    assert words(await Cursor(log, 3).read(limit=3)) == ["d", "e", "f"]
    assert words(await Cursor(log, 6).read(limit=3)) == ["g"]
    assert await Cursor(log, 7).read(limit=3) == []
    assert await Cursor(log, 1000).read(limit=3) == []
    assert words(await Cursor(log, 0).read(limit=100, max_bytes=1)) == ["a"]

    cursor = Cursor(log, 1)
    assert words(await cursor.read(limit=2)) == ["b", "c"]
    assert cursor.after == 3
    say(log, "h")
    assert words(await cursor.read()) == ["d", "e", "f", "g", "h"]
    assert await cursor.read() == []


async def test_a_log_that_is_deleted_under_its_readers_has_nothing_more(log: SessionLog) -> None:
    say(log, *"abc")
    cursor = Cursor(log, 0)
    assert words(await cursor.read(limit=1)) == ["a"]
    log.file.path.unlink()
    assert await cursor.read() == []
    assert await Cursor(log, 0).read() == []
    log.file.delete()
    assert await cursor.read() == []


async def test_a_log_that_cannot_be_read_is_a_storage_error(log: SessionLog) -> None:
    say(log, "a")
    log.rest()
    log.file.path.unlink()
    log.file.path.mkdir()
    with pytest.raises(StorageError):
        await read_all(log)


# Followers and the end


async def test_a_follower_is_told_while_it_is_attached(log: SessionLog) -> None:
    watcher, other = Watcher(log), Watcher(log)
    say(log, "a")
    log.attach(watcher)
    log.attach(watcher)
    log.attach(other)
    assert log.has_followers
    say(log, "b")
    log.detach(watcher)
    log.detach(watcher)
    say(log, "c")
    assert (watcher.told, other.told) == ([["b"]], [["b"], ["c"]])


async def test_a_follower_may_leave_while_it_is_told(log: SessionLog) -> None:
    watcher = Watcher(log)

    class Leaving(Watcher):
        def follow(self, batch: Batch) -> None:
            super().follow(batch)
            log.detach(self)

    leaving = Leaving(log)
    log.attach(leaving)
    log.attach(watcher)
    say(log, "a")
    say(log, "b")
    assert (leaving.told, watcher.told) == ([["a"]], [["a"], ["b"]])


async def test_a_closed_log_ends_its_followers_and_whoever_comes_after(log: SessionLog) -> None:
    say(log, "a")
    early, late = Watcher(log), Watcher(log)
    log.attach(early)
    log.close()
    log.attach(late)
    assert early.has_ended
    assert late.has_ended
    assert not log.has_followers
    assert await said(log) == ["a"]
