"""What Qwen tells in its own way, told in everybody's, and what it can be asked in long work."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.stories import play
from agent_conformance.under_test import AGENTS
from sandbox_agent_client import (
    Event,
    MessageDelta,
    PermissionRequested,
    QwenOptions,
    SessionSync,
    ToolCompleted,
    ToolStarted,
    UsageUpdated,
)
from sandbox_agent_client.errors import AgentError
from sandbox_agent_core.frames import operations

pytestmark = pytest.mark.real_agent


@pytest.fixture
def qwen(lab: Lab) -> Iterator[SessionSync]:
    made = lab.new_session(AGENTS["qwen"])
    yield made
    made.end()


def test_calls_and_usage_are_told_as_by_others(qwen: SessionSync) -> None:
    failed = play(qwen, "SCENARIO:tool SHELL<<echo said; exit 3>>")
    (started,), (tool,) = failed.of(ToolStarted), failed.of(ToolCompleted)
    (asked,) = failed.of(PermissionRequested)
    assert asked.tool_call is not None
    for call in (started, asked.tool_call, tool):
        assert call.title == "echo said; exit 3"
        assert call.input["command"] == "echo said; exit 3"
    assert (tool.status, tool.output) == ("failed", {"stdout": "said", "exitCode": 3})
    silent = play(qwen, "SCENARIO:tool SHELL<<true>>").of(ToolCompleted)[0]
    assert (silent.content, silent.exit_code) == ([], 0)

    assert all(delta.text for delta in failed.of(MessageDelta))
    assert failed.ended.usage is not None
    assert (failed.ended.usage.input_tokens, failed.ended.usage.output_tokens) == (200, 40)
    # Each answer of the model is told of as it comes, what fills the context only by some.
    context = {usage.context_used for usage in failed.of(UsageUpdated)}
    assert context - {None} == {120}

    file = Path(qwen.info.cwd) / "new.txt"
    written = play(qwen, f"SCENARIO:write-file FILE<<{file}>>").of(ToolCompleted)[0]
    assert [diff.old_text for diff in written.diffs] == [None]


def test_it_goes_back_with_its_files_and_forks(qwen: SessionSync) -> None:
    file = Path(qwen.info.cwd) / "new.txt"
    qwen.prompt("the password is swordfish SCENARIO:text")
    play(qwen, f"SCENARIO:write-file FILE<<{file}>>")
    assert file.exists()

    fork = qwen.fork()
    assert qwen.rewind().files_changed == [str(file)]

    assert not file.exists()
    for session, remembers in ((qwen, False), (fork, True)):
        told = session.prompt("SCENARIO:memory").text
        assert "swordfish" in told
        assert ("new.txt" in told) is remembers
    assert fork.info.forked_from is not None
    assert fork.info.forked_from.how == "native"
    fork.end()


def test_it_is_told_something_in_a_running_turn(qwen: SessionSync, lab: Lab) -> None:
    how: list[str] = []

    def say(event: Event) -> None:
        if isinstance(event, PermissionRequested):
            with ThreadPoolExecutor(1) as pool:
                steering = pool.submit(qwen.steer, "also look for the quokka")
                entries = qwen.frames(after=event.seq)
                next(one for one in entries if one.method == operations.SESSION_STEER)
                # Qwen asks for it when the tool is through.
                qwen.respond(event.request_id, reply="once")
                how.append(steering.result().how)

    play(qwen, "SCENARIO:tool SHELL<<true>>", reply=None, on_event=say)

    assert how == ["steered"]
    assert any("quokka" in str(request.body) for request in lab.llm.requests)


def test_it_is_renamed_and_asked_in_its_own_protocol(qwen: SessionSync) -> None:
    qwen.prompt("SCENARIO:text")
    qwen.rename("About quokkas")

    listed = qwen.native("session/list", {"cwd": qwen.info.cwd})["sessions"]
    assert [one["title"] for one in listed] == ["About quokkas"]


def test_a_compaction_that_does_not_help_is_an_error(qwen: SessionSync) -> None:
    qwen.prompt("SCENARIO:text")

    with pytest.raises(AgentError) as refused:
        qwen.compact()
    assert "not beneficial" in str(refused.value)


def test_after_a_command_in_the_background_it_goes_on_in_a_turn_of_its_own(lab: Lab) -> None:
    session = lab.new_session(AGENTS["qwen"], mode="bypass")

    result = session.prompt("SCENARIO:tool BACKGROUND SHELL<<sleep 0.1>>", wait_for_background=True)

    assert [(task.kind, task.status) for task in result.tasks] == [("shell", "completed")]
    (follow_up,) = result.follow_ups
    assert follow_up.task_id == result.tasks[0].task_id
    assert follow_up.usage is not None
    session.end()


def test_options_reach_it(lab: Lab) -> None:
    options = QwenOptions(extensions=("none",), excluded_tools=("run_shell_command",))
    session = lab.new_session(AGENTS["qwen"], agent_options=options)
    lab.llm.clear()

    session.prompt("SCENARIO:text")

    (asked, *_) = [one for one in lab.llm.requests if one.scenario == "text"]
    assert "run_shell_command" not in asked.tools
    session.end()


@pytest.mark.parametrize(
    ("failure", "code"),
    [("context-overflow", "context_overflow"), ("quota", "quota_exceeded")],
)
def test_a_model_that_takes_no_more_is_a_typed_error(
    qwen: SessionSync, failure: str, code: str
) -> None:
    ended = play(qwen, f"SCENARIO:{failure}").ended

    assert ended.error is not None
    assert (ended.stop_reason, ended.error.code) == ("error", code)
