"""Work that an agent leaves running when its turn ends, and what it does by itself when that is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.stories import Story
from agent_conformance.under_test import AgentUnderTest
from sandbox_agent_client import (
    MessageCompleted,
    SessionSync,
    TaskEnded,
    TaskStarted,
    ToolCompleted,
    TurnEnded,
    TurnStarted,
)
from support.server import until

COMMAND = "until [ -e go ]; do sleep 0.1; done; touch done"


@pytest.fixture
def fresh_session(lab: Lab, agent: AgentUnderTest) -> Iterator[SessionSync]:
    made = lab.new_session(agent, mode="bypass")
    yield made
    (Path(made.info.cwd) / "go").touch()
    made.end()


def completions(story: Story) -> Counter[str]:
    return Counter(tool.tool_call_id for tool in story.of(ToolCompleted))


@pytest.mark.feature("background")
def test_a_command_goes_on_after_its_turn_and_is_not_called_failed(
    fresh_session: SessionSync, workspace: Path
) -> None:
    session = fresh_session
    result = session.prompt(f"SCENARIO:tool BACKGROUND YIELD SHELL<<{COMMAND}>>")
    assert result.stop_reason == "end_turn"
    info = session.refresh()
    assert info.status == "background"
    (task,) = info.tasks
    assert (task.kind, task.turn_id) == ("shell", result.turn_id)

    (workspace / "go").touch()
    until(lambda: session.refresh().status == "idle")
    assert (workspace / "done").exists()
    story = Story(list(session.events()))
    (ended,) = story.of(TaskEnded)
    assert (ended.task_id, ended.status) == (task.task_id, "completed")
    (tool,) = story.of(ToolCompleted)
    assert (tool.status, tool.turn_id) == ("completed", result.turn_id)
    assert tool.input


@pytest.mark.feature("background")
def test_a_task_is_stopped_by_a_cancel(fresh_session: SessionSync, workspace: Path) -> None:
    session = fresh_session
    session.prompt(f"SCENARIO:tool BACKGROUND YIELD SHELL<<{COMMAND}>>")
    (task,) = session.refresh().tasks
    assert session.cancel(task_id=task.task_id).tasks == [task.task_id]
    until(lambda: session.refresh().status == "idle")
    story = Story(list(session.events()))
    assert [ended.status for ended in story.of(TaskEnded)] == ["stopped"]
    assert len(completions(story)) == sum(completions(story).values()) == 1
    assert not (workspace / "done").exists()
    assert "Hello" in session.prompt("SCENARIO:text").text


@pytest.mark.feature("wake-up")
def test_the_agent_goes_on_by_itself_in_a_turn_of_its_own(
    fresh_session: SessionSync, workspace: Path
) -> None:
    (workspace / "go").touch()
    result = fresh_session.prompt(
        f"SCENARIO:subagent BACKGROUND SHELL<<{COMMAND}>>", wait_for_background=True
    )
    assert result.stop_reason == "end_turn"
    assert [(task.kind, task.status) for task in result.tasks] == [("agent", "completed")]
    (follow_up,) = result.follow_ups
    assert (follow_up.stop_reason, follow_up.task_id) == ("end_turn", result.tasks[0].task_id)
    assert "Done." in follow_up.text
    assert follow_up.usage is not None
    assert (workspace / "done").exists()

    story = Story(list(fresh_session.events()))
    assert [turn.origin for turn in story.of(TurnStarted)] == ["prompt", "agent"]
    assert len(story.of(TurnEnded)) == 2
    assert len(story.of(TaskStarted)) == 1
    assert set(completions(story).values()) == {1}
    assert {tool.status for tool in story.of(ToolCompleted)} == {"completed"}
    late = [one for one in story.of(MessageCompleted) if one.turn_id is None]
    assert late == []
    assert fresh_session.refresh().status == "idle"
