"""What an agent does beside prompts: background tasks, and turns that it begins by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from house import House
from sandbox_agent_core.api.prompts import CancelRequest
from sandbox_agent_core.errors import Conflict
from sandbox_agent_core.events import (
    AgentUpdate,
    Event,
    MessageCompleted,
    TaskEnded,
    TaskStarted,
    ToolCompleted,
    ToolStarted,
    TurnEnded,
    TurnStarted,
    UsageUpdated,
)
from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification, response
from sandbox_agent_core.projection import project
from sandbox_agent_core.spi.agent import TASK_STOP
from sandbox_agent_core.view import fold as fold_events
from sandbox_agent_server.sessions.recovery import state_of_log
from support.scripted_adapter import update
from talk import permission, settled


@pytest.fixture
async def session(house: House) -> Any:
    await house.create()
    return house.live()


def says(type: str, **fields: Any) -> Frame:
    return notification(f"_sandbox_agent/{type}", {"sessionId": "s1", **fields})


def tool(id: str, *, is_new: bool = False, **fields: Any) -> Frame:
    told = {"sessionUpdate": acp.TOOL_CALL if is_new else acp.TOOL_CALL_UPDATE, **fields}
    return notification(
        acp.SESSION_UPDATE, {"sessionId": "s1", "update": {"toolCallId": id, **told}}
    )


def chunk(text: str, **fields: Any) -> Frame:
    return update(
        acp.AGENT_MESSAGE_CHUNK, content={"type": "text", "text": text}, messageId="m", **fields
    )


def events(house: House, kind: type[Event] | tuple[type[Event], ...]) -> list[Any]:
    found = (project(entry) for entry in house.entries())
    return [event for event in found if isinstance(event, kind)]


INSIDE = {"_meta": {"parentToolCallId": "agent"}}


async def writes(house: House, *frames: Frame) -> None:
    house.agent.write(*frames)
    await settled()


async def a_task_runs(house: House, session: Any) -> Any:
    """A sub-agent that was started in a turn which is over; its call is over too, and one of its own is not."""
    turn, _, _ = session.prompt([{"type": "text", "text": "go"}])
    await writes(
        house,
        tool("agent", is_new=True, title="look", kind="think"),
        says("task.started", taskId="t1", kind="agent", title="look", toolCallId="agent"),
        tool("agent", status="completed"),
        tool(
            "inner", is_new=True, title="ls", kind="execute", rawInput={"command": "ls"}, **INSIDE
        ),
    )
    await answers(house)
    assert turn.outcome.stop_reason == "end_turn"
    return turn


async def answers(house: House) -> None:
    prompts = [one["id"] for one in house.agent.sent if one.get("method") == acp.SESSION_PROMPT]
    await writes(house, response(prompts[-1], {"stopReason": "end_turn"}))


# Tasks


async def test_a_session_with_a_task_is_not_idle_and_says_what_runs(
    house: House, session: Any
) -> None:
    turn = await a_task_runs(house, session)
    info = session.info()
    assert info.status == "background"
    (task,) = info.tasks
    assert (task.task_id, task.kind, task.title) == ("t1", "agent", "look")
    assert (task.tool_call_id, task.turn_id) == ("agent", turn.id)
    with pytest.raises(Conflict):
        await session.rest()
    await writes(house, says("task.ended", taskId="t1", status="completed", summary="two files"))
    assert (session.info().status, session.info().tasks) == ("idle", [])
    (ended,) = events(house, TaskEnded)
    assert (ended.turn_id, ended.status, ended.summary) == (turn.id, "completed", "two files")


async def test_what_a_task_does_is_of_its_turn_and_ends_once(house: House, session: Any) -> None:
    turn = await a_task_runs(house, session)
    assert [one.tool_call_id for one in events(house, ToolCompleted)] == ["agent"]
    await writes(house, chunk("I fou", **INSIDE))
    await writes(house, chunk("nd it", **INSIDE))
    await writes(house, tool("inner", status="completed", rawOutput="a b"))
    await writes(house, tool("inner", status="failed"))
    inner = events(house, ToolCompleted)[1:]
    assert [(one.status, one.late, one.turn_id) for one in inner] == [("completed", True, turn.id)]
    assert (inner[0].title, inner[0].kind, inner[0].input) == ("ls", "execute", {"command": "ls"})
    (said,) = events(house, MessageCompleted)
    assert (said.text, said.turn_id, said.late) == ("I found it", turn.id, True)
    assert house.entries()[-1].payload == tool("inner", status="failed")


async def test_the_next_turn_closes_nothing_of_a_task_that_runs(house: House, session: Any) -> None:
    turn = await a_task_runs(house, session)
    session.prompt([{"type": "text", "text": "and"}])
    await writes(house, tool("own", is_new=True))
    await answers(house)
    closed = events(house, ToolCompleted)[1:]
    assert [(one.tool_call_id, one.reason) for one in closed] == [("own", "turn_ended")]
    await writes(house, says("task.ended", taskId="t1", status="stopped"))
    session.prompt([{"type": "text", "text": "and"}])
    await answers(house)
    inner = events(house, ToolCompleted)[-1]
    assert (inner.tool_call_id, inner.turn_id, inner.late) == ("inner", turn.id, True)


async def test_a_permission_of_a_task_outlives_the_turn_and_its_cancel(
    house: House, session: Any
) -> None:
    turn, _, _ = session.prompt([{"type": "text", "text": "go"}])
    await writes(
        house,
        tool("agent", is_new=True),
        says("task.started", taskId="t1", toolCallId="agent"),
        tool("inner", is_new=True, **INSIDE),
        permission(1, toolCallId="inner"),
        permission(2, toolCallId="mine"),
    )
    session.cancel(turn.id)
    assert len(session.state.pending) == 1
    await answers(house)
    (asked,) = session.state.pending.values()
    assert (asked["toolCall"]["toolCallId"], asked["turnId"]) == ("inner", turn.id)
    assert session.info().status == "waiting"
    session.cancel_as_asked(CancelRequest(tasks=True))
    assert session.state.pending == {}


async def test_tasks_are_stopped_by_name_or_all_when_no_turn_runs(
    house: House, session: Any
) -> None:
    await a_task_runs(house, session)
    await writes(house, says("task.started", taskId="t2", kind="shell"))

    def stopped() -> list[str]:
        return [
            one["params"]["taskId"] for one in house.agent.sent if one.get("method") == TASK_STOP
        ]

    done = session.cancel_as_asked(CancelRequest(task_id="t2"))
    assert (done.cancelled, done.tasks, stopped()) == ([], ["t2"], ["t2"])
    assert session.cancel_as_asked(CancelRequest(task_id="nope")).tasks == []
    assert session.cancel_as_asked(CancelRequest(tasks=False)).tasks == []
    assert session.cancel_as_asked(CancelRequest()).tasks == ["t1", "t2"]
    assert stopped() == ["t2", "t1", "t2"]
    turn, _, _ = session.prompt([{"type": "text", "text": "go"}])
    done = session.cancel_as_asked(CancelRequest())
    assert (done.cancelled, done.tasks) == ([turn.id], [])


async def test_tasks_and_what_they_left_open_end_with_their_agent(
    house: House, session: Any
) -> None:
    turn = await a_task_runs(house, session)
    await writes(house, says("turn.started", taskId="t0"))
    house.agent.die(3)
    await settled()
    (ended,) = events(house, TaskEnded)
    assert (ended.status, ended.error.code, ended.turn_id) == (
        "failed", "agent_process_exited", turn.id,
    )  # fmt: skip
    inner = events(house, ToolCompleted)[-1]
    assert (inner.tool_call_id, inner.late) == ("inner", True)
    assert [one.stop_reason for one in events(house, TurnEnded)] == ["end_turn", "error"]
    assert (session.info().status, session.info().tasks) == ("dormant", [])


async def test_a_server_that_died_leaves_no_task_and_no_own_turn_open(
    house: House, session: Any
) -> None:
    turn = await a_task_runs(house, session)
    session.prompt([{"type": "text", "text": "and"}])
    await answers(house)
    await writes(house, says("turn.started", taskId="t0"), chunk("hm"))
    own = session.info().current_turn_id
    await house.dies()
    await house.open()
    (ended,) = events(house, TaskEnded)
    assert (ended.status, ended.turn_id) == ("failed", turn.id)
    assert [one.tool_call_id for one in events(house, ToolCompleted)] == ["agent", "inner"]
    last = events(house, TurnEnded)[-1]
    assert (last.turn_id, last.stop_reason) == (own, "interrupted")
    assert events(house, MessageCompleted)[-1].turn_id == own
    info = house.manager.reader.info("ses_1")
    assert (info.status, info.tasks, info.current_turn_id) == ("dormant", [], None)


async def test_the_state_is_what_its_log_folds_to(house: House, session: Any) -> None:
    await a_task_runs(house, session)
    await writes(house, says("task.updated", taskId="t1", title="look again"))
    await writes(house, says("turn.started", taskId="t0"))
    read, _ = state_of_log(session.log, lambda _agent: session.state.options.native_modes)
    assert read == session.state
    assert session.info().tasks[0].title == "look again"
    transcript = fold_events(event for entry in house.entries() if (event := project(entry)))
    assert [(task.id, task.title, task.status) for task in transcript.tasks] == [
        ("t1", "look again", None)
    ]
    assert [turn.origin for turn in transcript.turns if turn.id] == ["prompt", "agent"]


@pytest.mark.parametrize(
    "frame",
    [
        says("task.started"),
        says("task.started", taskId=7),
        says("task.started", taskId="t1"),
        says("task.started", taskId="x" * 1000),
        says("task.ended", taskId="t9", status="completed"),
        says("task.updated", taskId="t9"),
        says("turn.ended", stopReason="end_turn"),
        notification(extensions.TASK_STARTED, {}),
        {"jsonrpc": "2.0", "method": extensions.TASK_ENDED, "params": ["t1"]},
    ],
)
async def test_what_fits_nothing_is_passed_on_and_changes_nothing(
    house: House, session: Any, frame: Frame
) -> None:
    await a_task_runs(house, session)
    before = session.state
    await writes(house, frame)
    assert session.state == before
    event = project(house.entries()[-1])
    assert isinstance(event, AgentUpdate)
    assert event.update_type == frame["method"]


async def test_no_more_tasks_are_followed_than_the_limit(house: House) -> None:
    await house.restart(limits={"max_tasks": 2})
    await house.create()
    await writes(house, *(says("task.started", taskId=f"t{n}") for n in range(5)))
    live: Any = house.live()
    assert list(live.state.tasks) == ["t0", "t1"]
    assert len(events(house, TaskStarted)) == 2
    await writes(house, says("task.ended", taskId="t0"), says("task.started", taskId="t4"))
    assert list(live.state.tasks) == ["t1", "t4"]


# Turns of the agent's own


async def test_what_an_agent_does_by_itself_is_a_turn(house: House, session: Any) -> None:
    turn = await a_task_runs(house, session)
    await writes(house, says("task.ended", taskId="t1", status="completed"))
    await writes(house, says("turn.started", taskId="t1"), chunk("It is "))
    assert session.info().status == "running"
    own = session.info().current_turn_id
    assert own not in (None, turn.id)
    await writes(house, chunk("done."), update(acp.USAGE_UPDATE, used=5, size=9))
    await writes(house, permission(5, toolCallId="mine"))
    await writes(house, says("turn.ended", stopReason="end_turn", usage={"inputTokens": 3}))
    assert (session.info().status, session.state.pending) == ("idle", {})
    started = events(house, TurnStarted)[-1]
    assert (started.turn_id, started.origin, started.task_id) == (own, "agent", "t1")
    ended = events(house, TurnEnded)[-1]
    assert (ended.turn_id, ended.stop_reason, ended.usage.input_tokens) == (own, "end_turn", 3)
    (said,) = events(house, MessageCompleted)
    assert (said.text, said.turn_id, said.late) == ("It is done.", own, False)
    assert events(house, UsageUpdated)[-1].turn_id == own
    assert events(house, TurnStarted)[0].origin == "prompt"


async def test_a_prompt_waits_for_the_end_of_the_agents_own_turn(
    house: House, session: Any
) -> None:
    await writes(house, says("turn.started"))
    turn, position, _ = session.prompt([{"type": "text", "text": "hi"}])
    assert position == 1
    assert acp.SESSION_PROMPT not in house.agent.methods
    await writes(house, chunk("mine"), says("turn.ended", stopReason="end_turn"))
    assert house.agent.methods[-1] == acp.SESSION_PROMPT
    await writes(house, chunk("yours"))
    await answers(house)
    texts = {one.turn_id == turn.id: one.text for one in events(house, MessageCompleted)}
    assert texts == {False: "mine", True: "yours"}


async def test_a_prompt_that_was_on_its_way_keeps_its_own_text(house: House, session: Any) -> None:
    """The agent begins by itself in the moment in which it is prompted."""
    turn, _, _ = session.prompt([{"type": "text", "text": "hi"}])
    await writes(house, says("turn.started"), chunk("mine"), tool("x", is_new=True))
    own = session.info().current_turn_id
    assert own != turn.id
    await writes(house, says("turn.ended", stopReason="end_turn"))
    assert session.info().current_turn_id == turn.id
    await writes(house, chunk("yours"))
    await answers(house)
    assert [(one.turn_id, one.text) for one in events(house, MessageCompleted)] == [
        (own, "mine"), (turn.id, "yours"),
    ]  # fmt: skip
    assert [one.turn_id for one in events(house, (ToolStarted, ToolCompleted))] == [own, own]
    assert [one.turn_id for one in events(house, TurnEnded)] == [own, turn.id]


async def test_the_agents_own_turn_is_cancelled_as_any_other(house: House, session: Any) -> None:
    await writes(house, says("turn.started"), permission(4, toolCallId="mine"))
    own = session.info().current_turn_id
    assert session.cancel(None) == [own]
    assert house.agent.methods[-1] == acp.SESSION_CANCEL
    assert session.state.pending == {}
    await writes(house, says("turn.ended", stopReason="cancelled"))
    assert events(house, TurnEnded)[-1].stop_reason == "cancelled"
    assert session.cancel(None) == []


async def test_an_own_turn_that_ignores_a_cancel_ends_with_its_agent(house: House) -> None:
    await house.restart(limits={"cancel_grace_s": 0.01})
    await house.create()
    live: Any = house.live()
    await writes(house, says("turn.started"))
    live.cancel(None)
    async with asyncio.timeout(30):
        while live.info().status != "dormant":
            await asyncio.sleep(0.001)
    assert events(house, TurnEnded)[-1].stop_reason == "cancelled"


async def test_who_stops_all_tasks_is_not_answered_by_a_turn_about_them(
    house: House, session: Any
) -> None:
    await a_task_runs(house, session)
    session.cancel_as_asked(CancelRequest(tasks=True))
    await writes(house, says("task.ended", taskId="t1", status="stopped"))
    await writes(house, says("turn.started", taskId="t1"))
    assert house.agent.methods[-1] == acp.SESSION_CANCEL
    await writes(house, says("turn.ended", stopReason="cancelled"))
    await writes(house, says("turn.started", taskId="t7"))
    assert house.agent.methods[-1] == acp.SESSION_CANCEL
    assert house.agent.methods.count(acp.SESSION_CANCEL) == 1


async def test_an_end_that_says_nothing_is_no_success(house: House, session: Any) -> None:
    for fields, reason in (
        ({}, "unknown"),
        ({"stopReason": 4}, "unknown"),
        ({"stopReason": "goal_reached"}, "goal_reached"),
        ({"error": {"message": "overloaded"}}, "error"),
    ):
        await writes(house, says("turn.started"), says("turn.ended", **fields))
        ended = events(house, TurnEnded)[-1]
        assert ended.stop_reason == reason
    assert ended.error.message == "overloaded"
