"""What all agents tell in the same way, so that whoever reads one reads them all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from agent_conformance.stories import Story, play
from sandbox_agent_client import (
    Event,
    MessageCompleted,
    MessageDelta,
    PermissionRequested,
    ReasoningCompleted,
    ReasoningDelta,
    SessionSync,
    ToolCompleted,
    ToolStarted,
    ToolUpdated,
)

E = TypeVar("E", bound=Event)
READABLE_ID = re.compile(r"[A-Za-z][\w .:-]*")


@dataclass
class Counted:
    n: int


def the_command(session: SessionSync, command: str) -> tuple[Story, ToolCompleted]:
    story = play(session, f"SCENARIO:tool SHELL<<{command}>>")
    (tool,) = [event for event in story.of(ToolCompleted) if event.kind == "execute"]
    return story, tool


def place(story: Story, event: Event) -> int:
    return story.events.index(event)


@pytest.mark.feature("failed-command")
def test_a_command_that_fails_says_how(session: SessionSync) -> None:
    command = "echo before && echo beside >&2 && exit 3"

    _, tool = the_command(session, command)

    assert (tool.status, tool.exit_code) == ("failed", 3)
    assert tool.title == command
    assert isinstance(tool.output, dict)
    assert set(tool.output) <= {"stdout", "stderr", "exitCode", "durationMs"}
    assert tool.output["exitCode"] == 3
    assert "before" in tool.output["stdout"]
    assert "beside" in tool.output["stdout"] + tool.output.get("stderr", "")


@pytest.mark.feature("silent-command")
def test_a_silent_command_shows_nothing(session: SessionSync) -> None:
    _, tool = the_command(session, "true && mkdir -p silent")

    assert (tool.status, tool.exit_code) == ("completed", 0)
    assert [block for block in tool.content if getattr(block, "text", "x").strip()] == []
    assert isinstance(tool.output, dict)
    assert not (tool.output.get("stdout", "") + tool.output.get("stderr", "")).strip()


@pytest.mark.feature("told-early")
def test_who_is_asked_knows_the_call(session: SessionSync) -> None:
    command = "touch told && echo told"

    story, tool = the_command(session, command)

    (asked,) = story.of(PermissionRequested)
    assert asked.tool_call is not None
    early = [
        event
        for event in story.events[: place(story, asked)]
        if isinstance(event, ToolStarted | ToolUpdated) and event.tool_call_id == tool.tool_call_id
    ]
    told = [*early, asked.tool_call]
    assert any(one.title == command for one in told)
    assert any(one.kind == "execute" for one in told)
    assert any(one.name for one in told)
    assert any(command in str(one.input) for one in told)
    assert tool.name
    # It has not run when its permission is asked for.
    assert all(getattr(one, "status", None) != "in_progress" for one in early)


@pytest.mark.feature("told-early")
def test_a_call_and_its_permission_come_after_the_text_before_them(session: SessionSync) -> None:
    story = play(session, "SCENARIO:tool SHELL<<touch said && echo said>>")

    (asked,) = story.of(PermissionRequested)
    said = [event for event in story.of(MessageCompleted) if "use a tool" in event.text]
    assert said
    assert place(story, said[0]) < place(story, asked)
    started = [event for event in story.of(ToolStarted) if event.kind == "execute"]
    assert all(place(story, event) < place(story, asked) for event in started)


@pytest.mark.feature("diffs")
def test_a_new_file_is_a_whole_file_without_one_before(
    session: SessionSync, workspace: Path
) -> None:
    (workspace / "made.txt").unlink(missing_ok=True)

    story = play(session, f"SCENARIO:write-file FILE<<{workspace}/made.txt>>")

    (tool,) = [event for event in story.of(ToolCompleted) if event.kind == "edit"]
    (asked,) = story.of(PermissionRequested)
    assert asked.tool_call is not None
    for diffs in (tool.diffs, asked.tool_call.diffs):
        (diff,) = diffs
        assert Path(diff.path) == workspace / "made.txt"
        assert diff.old_text is None
        assert diff.is_whole_file is True
        (hunk,) = diff.hunks
        assert (hunk.old_start, hunk.new_start) == (0, 1)
        assert hunk.lines[0] == "+hello scripted file"


@pytest.mark.feature("diffs")
def test_a_change_says_at_which_line_it_is(session: SessionSync, workspace: Path) -> None:
    file = workspace / "long.txt"
    lines = [f"line {number}\n" for number in range(1, 61)]
    lines[39] = "hello scripted file\n"
    file.write_text("".join(lines), encoding="utf-8")
    play(session, f"SCENARIO:read-file FILE<<{file}>>")  # some want to have read what they edit

    story = play(session, f"SCENARIO:edit-file FILE<<{file}>>")

    (tool,) = [event for event in story.of(ToolCompleted) if event.kind == "edit"]
    assert tool.diffs
    for diff in tool.diffs:
        assert Path(diff.path) == file
        assert diff.is_whole_file in (True, False)
        (hunk,) = diff.hunks
        assert hunk.old_start is not None
        before = hunk.old_start + [line[:1] for line in hunk.lines].index("-")
        assert before == 40
        assert "-hello scripted file" in hunk.lines
        assert "+goodbye scripted file" in hunk.lines


@pytest.mark.feature("usage")
def test_the_tokens_of_a_turn_are_its_own(fresh_session: SessionSync) -> None:
    first, second, third = (play(fresh_session, "SCENARIO:text").ended.usage for _ in range(3))

    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.input_tokens or 0) > 0
    assert (first.output_tokens or 0) > 0
    # The model says the same of each of its answers, so what grows is the session's.
    assert second.output_tokens == third.output_tokens
    assert second.total_tokens == third.total_tokens


@pytest.mark.feature("structured")
def test_an_answer_has_the_type_that_was_asked_for(session: SessionSync) -> None:
    result = session.prompt('SCENARIO:structured ARGS<<{"n": 7}>>', output_type=Counted)

    assert result.output == Counted(n=7)
    assert result.repairs == 0


@pytest.mark.feature("text")
def test_no_piece_of_a_message_is_empty(session: SessionSync) -> None:
    story = play(session, "SCENARIO:tool SHELL<<echo pieces>>")

    pieces: list[MessageDelta | MessageCompleted | ReasoningDelta | ReasoningCompleted]
    pieces = [
        *story.of(MessageDelta), *story.of(MessageCompleted),
        *story.of(ReasoningDelta), *story.of(ReasoningCompleted),
    ]  # fmt: skip
    assert all(piece.text for piece in pieces)


@pytest.mark.feature("text")
def test_modes_have_names_that_a_person_can_read(session: SessionSync) -> None:
    assert all(READABLE_ID.fullmatch(mode["id"]) for mode in session.info.modes), session.info.modes
