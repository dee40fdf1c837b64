"""What is an event and what is not; the shapes themselves are in `golden/events`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from entries import agent, answer, client, entry, server, update
from sandbox_agent_core.content import TextBlock
from sandbox_agent_core.events import (
    EVENT_CLASSES,
    AgentUnparsed,
    AgentUpdate,
    Event,
    MessageDelta,
    PermissionRequested,
    ToolCompleted,
    ToolUpdated,
    TurnEnded,
)
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import closed_tool_call, is_delta, project, project_wire

_TEXT = {"type": "text", "text": "hi"}


def _projected(log_entry: LogEntry) -> Event:
    event = project(log_entry)
    assert event is not None
    return event


def test_events_match_by_their_attributes() -> None:
    event = _projected(update("agent_message_chunk", content=_TEXT, stamps={"item_id": "m"}))
    match event:
        case MessageDelta(text=text, message_id="m", turn_id="turn_1", sender="agent"):
            assert text == "hi"
        case _:
            pytest.fail(f"not matched: {event!r}")
    assert event.id == "ses_1:1"
    assert event.time == datetime(2026, 11, 23, 12, 0, 0, 1000, UTC)


@pytest.mark.parametrize(
    "silent",
    [
        answer("initialize", {"protocolVersion": 1}),
        answer("session/new", {"sessionId": "native"}),
        answer("session/load", None),
        answer("session/set_mode", {}),
        answer("_vendor/method", {"anything": 1}),
        agent("$/cancel_request", {"requestId": 1}),
        client("initialize", {}),
        client("session/cancel", {}),
        client("session/set_mode", {"modeId": "plan"}),
        answer("fs/read_text_file", {"content": ""}, sender="client"),
        update("agent_message_chunk", content=_TEXT, stamps={"annotations": {"replay": True}}),
    ],
)
def test_frames_that_tell_nothing_new_are_no_events(silent: LogEntry) -> None:
    assert project_wire(silent) is None
    assert project(silent) is None


@pytest.mark.parametrize(
    ("sender", "is_event"), [("server", True), ("agent", False), ("client", False)]
)
def test_only_the_server_ends_a_turn_by_an_entry_of_its_own(sender: str, is_event: bool) -> None:
    event = project(server("turn.ended", {"stopReason": "cancelled"}, sender=sender))
    assert isinstance(event, TurnEnded) is is_event


def test_an_adapter_may_say_that_its_agent_wrote_nonsense() -> None:
    event = _projected(server("agent.unparsed", {"text": "\x1b[1m", "reason": "x"}, sender="agent"))
    assert isinstance(event, AgentUnparsed)
    assert event.text == "\x1b[1m"


@pytest.mark.parametrize("frame", [{}, {"id": 1}, {"result": {}}, {"method": 5}, {"method": None}])
def test_what_is_no_frame_is_unparsed(frame: dict[str, object]) -> None:
    assert isinstance(_projected(entry(frame)), AgentUnparsed)


def test_an_update_of_a_tool_call_that_nobody_announced_projects() -> None:
    event = _projected(update("tool_call_update", toolCallId="x", status="in_progress"))
    assert isinstance(event, ToolUpdated)


def test_fields_that_an_update_leaves_out_come_from_its_stamp_and_null_is_left_out() -> None:
    tool = {"title": "Read", "kind": "read", "rawInput": {"path": "a"}}
    stamps = {"annotations": {"tool": tool}}
    event = _projected(
        update("tool_call_update", toolCallId="x", status="completed", title=None, stamps=stamps)
    )
    assert isinstance(event, ToolCompleted)
    assert (event.title, event.kind, event.input) == ("Read", "read", {"path": "a"})


def test_an_empty_list_is_told_and_an_absent_one_is_not() -> None:
    emptied = _projected(update("tool_call_update", toolCallId="x", content=[]))
    untouched = _projected(update("tool_call_update", toolCallId="x"))
    assert {"content", "diffs"} <= emptied.model_fields_set
    assert not {"content", "diffs"} & untouched.model_fields_set


def test_a_permission_that_is_malformed_is_still_asked() -> None:
    malformed: list[Any] = [None, [], {"options": 5}, {"toolCall": {"title": "no id"}}]
    for params in malformed:
        event = _projected(agent("session/request_permission", params, id=3, item_id="req"))
        assert isinstance(event, PermissionRequested)
        assert event.request_id == "req"


def test_a_refused_answer_to_a_permission_cancels_it() -> None:
    refused = answer(
        "session/request_permission",
        error={"code": -32601, "message": "?"},
        sender="client",
        item_id="req",
    )
    wire = project_wire(refused)
    assert wire is not None
    assert wire["data"] == {"requestId": "req", "outcome": "cancelled"}


def test_a_block_that_is_not_what_its_type_says_is_kept_as_it_is() -> None:
    event = _projected(update("agent_message_chunk", content={"type": "image", "url": "x"}))
    assert isinstance(event, MessageDelta)
    assert event.content is not None
    assert not isinstance(event.content, TextBlock)
    assert event.content.to_wire() == {"type": "image", "url": "x"}


def test_an_unknown_response_is_passed_through() -> None:
    event = _projected(entry({"jsonrpc": "2.0", "id": 9, "result": {"x": 1}}))
    assert isinstance(event, AgentUpdate)
    assert (event.update_type, event.update) == ("response", {"x": 1})


def test_only_streamed_pieces_are_deltas() -> None:
    assert is_delta("message.delta")
    assert is_delta("reasoning.delta")
    assert not is_delta("message.completed")
    assert not is_delta("tool.updated")


def test_every_entry_of_the_server_is_named_as_its_event() -> None:
    methods = [value for value in vars(extensions).values() if isinstance(value, str)]
    types = {
        method.removeprefix(extensions.PREFIX)
        for method in methods
        if method.startswith(extensions.PREFIX)
    } - {"", "hook", "host_tool", "model.responded"}  # of the agent's, and events of other names
    assert len(types) > 10
    assert types <= set(EVENT_CLASSES)


def test_what_an_entry_of_the_server_has_too_much_is_left_out() -> None:
    wire = project_wire(server("turn.dropped", {"reason": "cancelled", "turnId": "x", "mood": 1}))
    assert wire is not None
    assert (wire["turnId"], wire["data"]) == ("turn_1", {"reason": "cancelled"})


def test_a_closed_tool_call_tells_what_was_known_of_it_but_not_its_terminal_again() -> None:
    earlier = {
        "title": "make",
        "rawInput": {"command": "make"},
        "_meta": {"terminal_output": {"data": "cc"}, "claudeCode": {"toolName": "Bash"}},
    }
    assert closed_tool_call("t", earlier) == {
        "toolCallId": "t",
        "title": "make",
        "name": "Bash",
        "input": {"command": "make"},
        "status": "failed",
        "reason": "turn_ended",
    }
