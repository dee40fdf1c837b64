"""A page that waits: whatever is written after it has looked ends the wait, at once or a moment later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_log import say
from sandbox_agent_server.http.stream import StreamCounter
from sandbox_agent_server.http.waiting import wait_for_entries
from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.file import Quota
from sandbox_agent_server.log.log import SessionLog

DEADLINE_S = 20


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SessionLog]:
    log = SessionLog("ses_1", tmp_path / "ses_1", quota=Quota(), syncer=Syncer("process"))
    yield log
    log.close()


async def never() -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize("turns_of_the_loop", range(6))
async def test_what_is_written_while_the_wait_begins_ends_it(
    log: SessionLog, turns_of_the_loop: int
) -> None:
    waiting = asyncio.create_task(
        wait_for_entries(log, 0, timeout_s=2 * DEADLINE_S, counter=StreamCounter(8), receive=never)
    )
    for _ in range(turns_of_the_loop):
        await asyncio.sleep(0)
    say(log, "said")

    await asyncio.wait_for(waiting, DEADLINE_S)
