"""The models: both spellings, forward compatibility, and what cannot be understood."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sandbox_agent_core.events import (
    EVENT_CLASSES,
    AgentUpdate,
    MessageDelta,
    ToolStarted,
    UniversalEvent,
    parse_event,
)

_WIRE = {
    "seq": 5,
    "id": "ses_1:5",
    "sessionId": "ses_1",
    "time": "2026-11-23T12:00:00.000Z",
    "type": "message.delta",
    "turnId": "turn_1",
    "sender": "agent",
    "data": {"role": "assistant", "text": "hi"},
}


def test_an_unknown_type_is_passed_through() -> None:
    event = parse_event(_WIRE | {"type": "message.sung"}, payload={"method": "x"})
    assert isinstance(event, AgentUpdate)
    assert (event.update_type, event.update) == ("message.sung", _WIRE["data"])
    assert (event.seq, event.turn_id, event.payload) == (5, "turn_1", {"method": "x"})


def test_data_that_does_not_fit_is_passed_through() -> None:
    event = parse_event(_WIRE | {"data": {"text": ["hi"]}})
    assert isinstance(event, AgentUpdate)
    assert event.update == {"text": ["hi"]}


def test_fields_of_a_newer_server_are_ignored() -> None:
    event = parse_event(_WIRE | {"data": {"text": "hi", "mood": "good"}, "shard": 3})
    assert isinstance(event, MessageDelta)
    assert event.text == "hi"


def test_data_cannot_pretend_to_be_the_envelope() -> None:
    data = {"text": "hi", "seq": 99, "turnId": "x", "turn_id": "x", "sender": "server"}
    event = parse_event({**_WIRE, "turnId": None, "data": data})
    assert (event.seq, event.turn_id, event.sender) == (5, None, "agent")


def test_a_tool_kind_of_a_newer_server_is_other() -> None:
    data = {"toolCallId": "x", "kind": "teleport"}
    event = parse_event(_WIRE | {"type": "tool.started", "data": data})
    assert isinstance(event, ToolStarted)
    assert event.kind == "other"


def test_events_do_not_change() -> None:
    event = parse_event(_WIRE)
    with pytest.raises(ValidationError):
        event.seq = 6


@pytest.mark.parametrize("cls", EVENT_CLASSES.values())
def test_no_field_of_a_type_hides_the_envelope(cls: type[UniversalEvent]) -> None:
    inherited = {*UniversalEvent.model_fields, "id"}
    assert not inherited & set(cls._data_fields())
