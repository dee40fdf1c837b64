"""Work in threads: who waits may be cancelled, the work is not, and its result is not lost."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sandbox_agent_server.host.files.threads import FileThreads


async def test_the_result_or_the_error_comes_back() -> None:
    threads = FileThreads(1)
    assert await threads.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)


async def test_who_is_cancelled_waits_for_the_end_and_undoes_it() -> None:
    threads, begun, release = FileThreads(1), threading.Event(), threading.Event()
    undone: list[str] = []

    def work() -> str:
        begun.set()
        release.wait(30)
        return "made"

    task = asyncio.ensure_future(threads.run_undoing(undone.append, work))
    await asyncio.to_thread(begun.wait, 30)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == ["made"]


async def test_work_that_has_not_begun_is_not_begun_for_nobody() -> None:
    threads, release = FileThreads(1), threading.Event()
    first = asyncio.ensure_future(threads.run(release.wait, 30))
    done: list[int] = []
    second = asyncio.ensure_future(threads.run(done.append, 1))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    release.set()
    await first
    assert done == []
