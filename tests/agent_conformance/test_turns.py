"""What an agent says and does in one turn, told in one consistent way."""

from __future__ import annotations

import base64
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.stories import Story, play
from agent_conformance.under_test import AgentUnderTest
from sandbox_agent_client import (
    Diff,
    McpStatus,
    MessageDelta,
    PermissionRequested,
    PermissionResolved,
    PlanUpdated,
    QuestionRequested,
    QuestionResolved,
    ReasoningCompleted,
    ReasoningDelta,
    SessionSync,
    ToolCompleted,
    ToolStarted,
    ToolUpdated,
)
from support.mcp_server import MARK
from support.scripted_llm.scenarios import HUGE_TEXT
from support.server import until

MCP_SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"
ENDS_OF_STARTS = {("dead", "failed"), ("live", "connected")}
TOUCH = "SCENARIO:tool SHELL<<touch {name} && echo made-{name}>>"


def the_tool(story: Story) -> ToolCompleted:
    """The one call that was asked for. Every call that began has ended."""
    completed = story.of(ToolCompleted)
    began = {event.tool_call_id for event in story.of(ToolStarted)}
    assert began <= {event.tool_call_id for event in completed}
    asked = {event.tool_call.tool_call_id for event in story.of(PermissionRequested)}
    (tool,) = [event for event in completed if not asked or event.tool_call_id in asked]
    return tool


def diffs(story: Story) -> list[Diff]:
    told: list[Diff] = []
    for event in story.events:
        if isinstance(event, ToolStarted | ToolUpdated | ToolCompleted):
            told += event.diffs
        elif isinstance(event, PermissionRequested):
            told += event.tool_call.diffs
    return told


@pytest.mark.feature("text")
def test_text_streams_and_is_repeated_whole(session: SessionSync) -> None:
    story = play(session, "SCENARIO:text")

    deltas = story.of(MessageDelta)
    assert len(deltas) >= 2
    assert "".join(event.text for event in deltas) == story.text
    assert "Hello from the scripted model." in story.text
    assert story.ended.stop_reason == "end_turn"


@pytest.mark.feature("reasoning")
def test_reasoning_is_told_apart_from_text(session: SessionSync) -> None:
    story = play(session, "SCENARIO:think")

    thought = "".join(event.text for event in story.of(ReasoningCompleted))
    # Gemini sets thoughts as headlines and paragraphs.
    assert "think about it" in " ".join(thought.replace("*", " ").split())
    assert "".join(event.text for event in story.of(ReasoningDelta)) == thought
    assert "Thought done." in story.text
    assert "think about it" not in story.text


@pytest.mark.feature("allow")
def test_a_tool_is_asked_for_and_run(session: SessionSync, workspace: Path) -> None:
    story = play(session, TOUCH.format(name="allowed"))

    (asked,) = story.of(PermissionRequested)
    (resolved,) = story.of(PermissionResolved)
    assert (resolved.request_id, resolved.decided_by) == (asked.request_id, "user")
    assert (workspace / "allowed").exists()
    tool = the_tool(story)
    assert (tool.kind, tool.status) == ("execute", "completed")
    assert "made-allowed" in str(story.events)
    assert story.ended.stop_reason == "end_turn"


@pytest.mark.feature("deny")
def test_a_denied_tool_is_not_run(session: SessionSync, workspace: Path) -> None:
    story = play(session, TOUCH.format(name="denied"), reply="reject")

    assert not (workspace / "denied").exists()
    assert the_tool(story).status == "failed"
    # By nature some go on with the turn and some end it; it is never an error.
    assert story.ended.stop_reason in ("end_turn", "cancelled")
    assert play(session, "SCENARIO:text").ended.stop_reason == "end_turn"


@pytest.mark.feature("always")
def test_a_tool_that_is_always_allowed_is_not_asked_for_again(fresh_session: SessionSync) -> None:
    first = play(fresh_session, TOUCH.format(name="always"), reply="always")
    again = play(fresh_session, TOUCH.format(name="always"), reply="reject")

    assert len(first.of(PermissionRequested)) == 1
    # Where the agent would have written it down, it asks again, and the session remembers.
    assert {event.rule for event in again.of(PermissionResolved)} <= {"always"}
    assert the_tool(again).status == "completed"


@pytest.mark.feature("write")
def test_a_file_is_written_and_the_change_can_be_seen(
    session: SessionSync, workspace: Path
) -> None:
    (workspace / "new.txt").unlink(missing_ok=True)

    story = play(session, f"SCENARIO:write-file FILE<<{workspace}/new.txt>>")

    assert "hello scripted file" in (workspace / "new.txt").read_text(encoding="utf-8")
    assert any("hello scripted file" in diff.new_text for diff in diffs(story)), story.events
    assert any(diff.path.endswith("new.txt") for diff in diffs(story))
    assert the_tool(story).kind == "edit"


@pytest.mark.feature("edit")
def test_a_file_is_edited_and_the_change_can_be_seen(session: SessionSync, workspace: Path) -> None:
    file = workspace / "old.txt"
    file.write_text("hello scripted file\n", encoding="utf-8")
    play(session, f"SCENARIO:read-file FILE<<{file}>>")  # some want to have read what they edit

    story = play(session, f"SCENARIO:edit-file FILE<<{file}>>")

    assert file.read_text(encoding="utf-8") == "goodbye scripted file\n"
    found = [(diff.old_text or "", diff.new_text) for diff in diffs(story)]
    assert any("hello" in old and "goodbye" in new for old, new in found), story.events


@pytest.mark.feature("question")
def test_a_question_reaches_a_person_and_the_answer_the_agent(session: SessionSync) -> None:
    story = play(session, "SCENARIO:ask", answer="Blue")

    (asked,) = story.of(QuestionRequested)
    (resolved,) = story.of(QuestionResolved)
    assert asked.questions[0].options
    assert resolved.request_id == asked.request_id
    assert "Blue" in story.text


@pytest.mark.feature("plan")
def test_a_plan_is_a_plan(session: SessionSync) -> None:
    story = play(session, "SCENARIO:plan")

    entries = story.of(PlanUpdated)[-1].entries
    assert len(entries) in (1, 2)
    assert entries[0].content


@pytest.mark.feature("huge")
def test_a_huge_answer_arrives_whole(session: SessionSync) -> None:
    story = play(session, "SCENARIO:huge")

    assert HUGE_TEXT in story.text
    assert "".join(event.text for event in story.of(MessageDelta)) == story.text


@pytest.mark.feature("image")
def test_an_image_reaches_the_model(session: SessionSync) -> None:
    image = {"type": "image", "mimeType": "image/png", "data": base64.b64encode(_png()).decode()}

    story = play(session, [{"type": "text", "text": "SCENARIO:image"}, image])

    assert "I see 1 image(s)" in story.text


@pytest.mark.feature("system-prompt")
def test_a_system_prompt_reaches_the_model(lab: Lab, agent: AgentUnderTest) -> None:
    session = lab.new_session(agent, system_prompt="Be kind to quokkas.")
    lab.llm.clear()

    story = play(session, "SCENARIO:text")

    asked = [request.body for request in lab.llm.requests if request.scenario == "text"]
    assert "Be kind to quokkas." in str(asked)
    assert "quokkas" not in story.text
    session.end()


@pytest.mark.feature("mcp")
def test_an_mcp_server_of_the_session_is_called(lab: Lab, agent: AgentUnderTest) -> None:
    server: dict[str, Any] = {
        "name": "stamper",
        "command": sys.executable,
        "args": [str(MCP_SERVER)],
        "env": [],
    }
    session = lab.new_session(agent, mcp_servers=[server])

    story = play(session, 'SCENARIO:mcp TOOL<<stamp>> ARGS<<{"text": "letter"}>>')

    assert f"{MARK}letter" in story.text
    session.end()


@pytest.mark.feature("mcp-status")
def test_an_mcp_server_that_does_not_start_is_told(lab: Lab, agent: AgentUnderTest) -> None:
    dead = {"name": "dead", "command": sys.executable, "args": ["-c", "exit(1)"], "env": []}
    live = {"name": "live", "command": sys.executable, "args": [str(MCP_SERVER)], "env": []}
    session = lab.new_session(agent, mcp_servers=[dead, live])

    def told() -> dict[str, McpStatus]:
        return {event.server: event for event in session.events() if isinstance(event, McpStatus)}

    until(lambda: {(one.server, one.status) for one in told().values()} == ENDS_OF_STARTS)
    assert told()["dead"].error
    assert play(session, "SCENARIO:text").ended.stop_reason == "end_turn"
    session.end()


def _png(size: int = 16) -> bytes:
    """A grey square: real enough for those that decode it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x80\x80\x80" * size) * size
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)
