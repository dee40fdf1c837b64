"""Work that goes on after its turn, as the SDK waits for it, with the mock agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sandbox_agent_client import (
    Endpoint,
    Event,
    SandboxAgent,
    SandboxAgentSync,
    Session,
    TaskEnded,
    TaskStarted,
    TurnEnded,
    TurnStarted,
)
from sandbox_agent_client._async.keepalive import KeepAlive
from sandbox_agent_client.cli.exit_codes import ExitCode, of_stop_reason

GONE_ON = "The command in the background is done."


@pytest.fixture
async def session(client: SandboxAgent) -> Session:
    return await client.create_session("mock")


async def until(condition: Callable[[], bool], session: Session) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)
            await session.refresh()


async def test_a_prompt_can_wait_for_all_that_it_started(session: Session) -> None:
    result = await session.prompt("background 0.1", wait_for_background=True)
    assert result.text == "I will look at it when it is done."
    (task,) = result.tasks
    assert (task.kind, task.title, task.status) == ("shell", "sleep 0.1", "completed")
    (follow_up,) = result.follow_ups
    assert (follow_up.text, follow_up.stop_reason) == (GONE_ON, "end_turn")
    assert follow_up.task_id == task.task_id
    assert follow_up.usage is not None
    assert result.final_text == GONE_ON
    assert (await session.refresh()).status == "idle"


async def test_a_prompt_that_does_not_wait_tells_what_runs_on(session: Session) -> None:
    result = await session.prompt("background 600")
    (task,) = result.tasks
    assert (task.status, result.follow_ups) == (None, ())
    assert result.final_text == result.text
    info = await session.refresh()
    assert (info.status, [one.task_id for one in info.tasks]) == ("background", [task.task_id])
    stopped = await session.cancel(task_id=task.task_id)
    assert (stopped.cancelled, stopped.tasks) == ([], [task.task_id])
    await until(lambda: session.info.status == "idle", session)


async def test_a_turn_without_background_work_is_not_waited_for_longer(session: Session) -> None:
    async with asyncio.timeout(30):
        result = await session.prompt("text", wait_for_background=True)
    assert (result.tasks, result.follow_ups) == ((), ())


async def test_what_waits_ends_when_the_work_is_stopped(session: Session) -> None:
    waiting = asyncio.create_task(session.prompt("background 600", wait_for_background=True))
    await until(lambda: session.info.status == "background", session)
    assert len((await session.cancel()).tasks) == 1
    result = await asyncio.wait_for(waiting, 10)
    assert [task.status for task in result.tasks] == ["stopped"]
    assert result.stop_reason == "end_turn"


async def test_a_task_of_the_prompt_before_is_not_waited_for(session: Session) -> None:
    await session.prompt("background 600")
    async with asyncio.timeout(30):
        result = await session.prompt("text", wait_for_background=True)
    assert result.tasks == ()
    await session.end()


async def test_the_stream_goes_on_to_the_end_of_the_work(session: Session) -> None:
    stream = session.prompt_stream("background 0.1", wait_for_background=True)
    told: list[Event] = [event async for event in stream]
    kinds = (TurnStarted, TurnEnded, TaskStarted, TaskEnded)
    assert [event.type for event in told if isinstance(event, kinds)] == [
        "turn.started", "task.started", "turn.ended", "task.ended", "turn.started", "turn.ended",
    ]  # fmt: skip
    assert told[-1].type == "turn.ended"


def test_the_sync_client_waits_too(endpoint: Endpoint) -> None:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        result = client.create_session("mock").prompt("background 0.1", wait_for_background=True)
    assert result.final_text == GONE_ON


async def test_a_sandbox_with_background_work_is_in_use(
    session: Session, client: SandboxAgent
) -> None:
    await session.prompt("background 600")
    keep_alive = KeepAlive.__new__(KeepAlive)
    keep_alive._connection = client._connection
    assert await keep_alive._is_busy()
    await session.end()


@pytest.mark.parametrize("reason", ["unknown", "paused_for_payment", "", "END_TURN"])
def test_a_stop_reason_that_nobody_knows_is_no_success(reason: str) -> None:
    assert of_stop_reason(reason) is not ExitCode.OK
