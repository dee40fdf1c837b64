"""What happens between turns: cancelling, queueing, failing, restarting; and who decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.stories import Story, play
from agent_conformance.under_test import AgentUnderTest
from sandbox_agent_client import (
    Event,
    MessageDelta,
    PermissionRequested,
    PermissionResolved,
    SandboxAgentSync,
    SessionSync,
    ToolCompleted,
    ToolStarted,
    ToolUpdated,
    TurnStarted,
)
from support.fixtures import require_agent
from support.server import ServerProcess, until

MakeServer = Callable[..., ServerProcess]

ERROR_CODES = {"http401": "agent_auth_required", "http429": "agent_rate_limited"}


def works(session: SessionSync) -> None:
    """The session is none the worse for what was done to it."""
    story = play(session, "SCENARIO:text")
    assert "Hello from the scripted model." in story.text
    assert story.ended.stop_reason == "end_turn"
    # What an agent says of the turn before stays in that, and no call has a second end.
    assert story.of(ToolCompleted) == []
    ended = Counter(
        (event.turn_id, event.tool_call_id)
        for event in session.events()
        if isinstance(event, ToolCompleted)
    )
    assert set(ended.values()) <= {1}


def attempts(lab: Lab, scenario: str) -> int:
    return sum(request.scenario == scenario for request in lab.llm.requests)


def cancel_at(session: SessionSync, kind: type[Event], count: int = 1) -> Callable[[Event], None]:
    seen = 0

    def on_event(event: Event) -> None:
        nonlocal seen
        if isinstance(event, kind):
            seen += 1
            if seen == count:
                session.cancel()

    return on_event


@pytest.mark.feature("cancel-text")
def test_a_cancel_while_it_streams(session: SessionSync) -> None:
    story = play(session, "SCENARIO:slow", on_event=cancel_at(session, MessageDelta, 3))

    assert story.ended.stop_reason == "cancelled"
    assert "tick399" not in story.text
    works(session)


@pytest.mark.feature("cancel-tool")
def test_a_cancel_while_a_tool_runs(session: SessionSync, workspace: Path) -> None:
    story = Story()
    command = "touch running && sleep 30; touch late"
    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(play, session, f"SCENARIO:tool SHELL<<{command}>>")
        until(lambda: (workspace / "running").exists() or turn.done())
        session.cancel()
        story = turn.result()

    assert story.ended.stop_reason == "cancelled"
    (tool,) = story.of(ToolCompleted)
    assert tool.status in ("failed", "completed")
    assert not (workspace / "late").exists()
    (workspace / "running").unlink()
    works(session)


@pytest.mark.feature("cancel-permission")
def test_a_cancel_while_a_permission_waits(session: SessionSync, workspace: Path) -> None:
    story = play(
        session,
        "SCENARIO:tool SHELL<<touch unasked>>",
        reply=None,
        on_event=cancel_at(session, PermissionRequested),
    )

    assert story.ended.stop_reason == "cancelled"
    (resolved,) = story.of(PermissionResolved)
    assert (resolved.outcome, resolved.decided_by) == ("cancelled", "cancel")
    assert session.requests() == []
    assert not (workspace / "unasked").exists()
    works(session)


@pytest.mark.feature("queue")
def test_prompts_wait_for_each_other(session: SessionSync) -> None:
    after = session.refresh().last_seq
    with ThreadPoolExecutor(2) as pool:
        turns = [pool.submit(session.prompt, "SCENARIO:text") for _ in range(2)]
        results = [turn.result() for turn in turns]

    assert [result.stop_reason for result in results] == ["end_turn", "end_turn"]
    assert len({result.turn_id for result in results}) == 2
    story = Story(list(session.events(after=after)))
    assert len(story.of(TurnStarted)) == 2
    order = [event.type for event in story.events if event.type in ("turn.started", "turn.ended")]
    assert order == ["turn.started", "turn.ended"] * 2


@pytest.mark.feature("api-errors")
@pytest.mark.parametrize("failure", ["http401", "http429", "http500", "drop"])
def test_a_failing_model_is_an_error_of_the_turn(
    lab: Lab, agent: AgentUnderTest, session: SessionSync, failure: str
) -> None:
    # The model of this worker has answered other agents' failures before.
    before = attempts(lab, failure)
    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(play, session, f"SCENARIO:{failure}")
        if failure in agent.retries:
            # For minutes, by nature: seeing it try again is enough, and it must stop when told to.
            until(lambda: turn.done() or attempts(lab, failure) >= before + 2, seconds=60)
            until(lambda: turn.done() or session.cancel(), seconds=20)
        story = turn.result()

    ended = story.ended
    if ended.stop_reason == "cancelled":
        assert failure in agent.retries
    elif ended.stop_reason == "error":
        assert ended.error is not None
        assert ended.error.message
        # One that tries again was cancelled, which is what its error is about.
        if failure in ERROR_CODES and failure not in agent.retries:
            assert ended.error.code == ERROR_CODES[failure]
            assert "scripted" in ended.error.message or failure[4:] in ended.error.message
    else:
        # Some agents put it into words instead of an error.
        assert story.text
    works(session)


@pytest.mark.feature("resume")
def test_it_remembers_after_a_restart(
    make_server: MakeServer, lab: Lab, agent: AgentUnderTest, tmp_path: Path
) -> None:
    require_agent(agent.name)
    server = make_server().start()
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    env = agent.session_env(tmp_path, lab.llm)
    with SandboxAgentSync.connect(base_url=server.url, token=server.token) as client:
        session = client.create_session(agent.name, cwd=str(workspace), env=env)
        session.prompt("the password is swordfish SCENARIO:text")
    server.kill()
    server.start()

    with SandboxAgentSync.connect(base_url=server.url, token=server.token) as client:
        again = client.resume_session(session.id, env=env)
        story = play(again, "SCENARIO:memory")
        info = again.refresh()

    assert "swordfish" in story.text
    assert info.continuity in agent.continuity


@pytest.mark.feature("side-by-side")
def test_two_sessions_do_not_meet(lab: Lab, agent: AgentUnderTest) -> None:
    sessions = [lab.shared_session(agent), lab.new_session(agent)]
    prompts = [f"SCENARIO:tool SHELL<<touch mine-{number}>>" for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        stories = list(pool.map(play, sessions, prompts))

    for number, (session, story) in enumerate(zip(sessions, stories, strict=True)):
        made = [path.name for path in Path(session.info.cwd).glob("mine-*")]
        assert made == [f"mine-{number}"]
        assert {event.session_id for event in story.events} == {session.id}
    sessions[1].end()


@pytest.mark.feature("read-only")
def test_read_only_changes_nothing(session_for_modes: SessionSync, workspace: Path) -> None:
    assert session_for_modes.set_mode("read-only").permission_mode == "read-only"

    shell = play(session_for_modes, "SCENARIO:tool SHELL<<touch changed>>")
    write = play(session_for_modes, f"SCENARIO:write-file FILE<<{workspace}/changed.txt>>")

    assert not (workspace / "changed").exists()
    assert not (workspace / "changed.txt").exists()
    for story in (shell, write):
        deciders = {event.decided_by for event in story.of(PermissionResolved)}
        assert deciders <= {"policy"}


@pytest.mark.feature("bypass")
def test_bypass_leaves_nothing_to_a_person(session_for_modes: SessionSync, workspace: Path) -> None:
    session_for_modes.set_mode("bypass")

    story = play(session_for_modes, "SCENARIO:tool SHELL<<touch bypassed>>", reply=None)

    assert (workspace / "bypassed").exists()
    assert {event.decided_by for event in story.of(PermissionResolved)} <= {"policy"}
    assert session_for_modes.refresh().permission_mode == "bypass"
    assert story.of(ToolStarted) or story.of(ToolUpdated)
