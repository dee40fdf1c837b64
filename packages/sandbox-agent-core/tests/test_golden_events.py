"""`golden/events/<type>.json`: entries of a log, and the wire form of the event that each one is.

The first case of every type is also its example in `docs/events.md`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.events import EVENT_CLASSES, AgentUpdate, parse_event
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project, project_wire

_GOLDEN = Path(__file__).parent / "golden" / "events"


def _cases() -> list[Any]:
    return [
        pytest.param(path.stem, case, id=f"{path.stem}: {case['case']}")
        for path in sorted(_GOLDEN.glob("*.json"))
        for case in json.loads(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("type", "case"), _cases())
def test_entry_projects_to_the_golden_event(type: str, case: dict[str, Any]) -> None:
    entry = LogEntry.from_wire("ses_1", case["entry"])
    assert project_wire(entry) == case["event"]
    assert case["event"]["type"] == type


@pytest.mark.parametrize(("type", "case"), _cases())
def test_golden_event_reads_and_writes_without_a_change(type: str, case: dict[str, Any]) -> None:
    event = parse_event(case["event"])
    assert isinstance(event, EVENT_CLASSES[type])
    assert event.to_wire() == case["event"]
    if type != "agent.update":
        assert not isinstance(event, AgentUpdate)


@pytest.mark.parametrize(("type", "case"), _cases())
def test_typed_event_carries_the_raw_frame_beside_the_wire_form(
    type: str, case: dict[str, Any]
) -> None:
    entry = LogEntry.from_wire("ses_1", case["entry"])
    event = project(entry)
    assert event is not None
    assert event.payload is entry.payload
    assert "payload" not in event.to_wire()
    assert "payload" not in event.to_wire()["data"]


def test_every_event_type_has_a_golden_file() -> None:
    assert {path.stem for path in _GOLDEN.glob("*.json")} == set(EVENT_CLASSES)
