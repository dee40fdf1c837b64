"""Whatever a frame holds, it projects; and nothing of an agent disappears."""

from __future__ import annotations

from typing import Any

from entries import update
from frame_strategies import entries, json_values
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_agent_core.events import EVENT_CLASSES, parse_event
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project, project_wire


@settings(max_examples=1500, deadline=None)
@given(entries())
def test_any_entry_projects_and_reads_back_the_same(entry: LogEntry) -> None:
    wire, event = project_wire(entry), project(entry)
    if wire is None or event is None:
        assert (wire is None) == (event is None)
        return
    # What the projection makes always fits the model that it is made for.
    assert event.type == wire["type"]
    assert (event.seq, event.session_id, event.sender) == (entry.seq, "ses_1", entry.sender)
    assert event.payload is entry.payload
    again = event.to_wire()
    assert _comparable(parse_event(again).to_wire()) == _comparable(again)
    assert _comparable(again) == _comparable(wire)


@settings(max_examples=1000, deadline=None)
@given(entries())
def test_no_entry_of_an_agent_is_dropped_but_the_ones_that_say_nothing(entry: LogEntry) -> None:
    if entry.sender != "agent" or project_wire(entry) is not None:
        return
    frame = entry.payload
    assert (
        (isinstance(entry.annotations, dict) and entry.annotations.get("replay") is True)
        or frame.get("method") == acp.CANCEL_REQUEST
        or ("result" in frame and "error" not in frame and entry.method != acp.SESSION_PROMPT)
    )


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(["seq", "time", "type", "data", "sender"]), json_values))
def test_anything_can_be_read_as_an_event(wire: dict[str, Any]) -> None:
    assert parse_event(wire).type in EVENT_CLASSES


def test_very_deep_values_pass_through() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    event = project(update("tool_call", toolCallId="a", rawInput=deep))
    assert event is not None
    assert event.to_wire()["data"]["input"] is deep


def _comparable(value: Any) -> Any:
    """Equality that does not stumble over NaN."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    return [_comparable(item) for item in value] if isinstance(value, list) else value
