"""What subscribers see of a batch: each view of it, with its deltas or without, made once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent_stories import play, stories
from frame_strategies import entries as odd_entries
from hypothesis import given, settings
from hypothesis import strategies as st
from log_lines import draft, encoded
from sandbox_agent_core.frames import LogEntry, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.projection import is_delta, project_wire
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Entry
from sandbox_agent_server.log.views import Batch, Shown, encode
from stamped_log import SESSION_ID

CHUNK = notification(
    acp.SESSION_UPDATE,
    {
        "update": {
            "sessionUpdate": acp.AGENT_MESSAGE_CHUNK,
            "content": {"type": "text", "text": "hi"},
        }
    },
)
COMPLETED = notification(
    extensions.MESSAGE_COMPLETED,
    {"messageId": "m", "role": "assistant", "content": [{"type": "text", "text": "hi"}]},
)
UNSHOWN = {"id": 1, "result": {}}


def batch() -> Batch:
    drafts = [
        draft("agent", CHUNK, method=acp.SESSION_UPDATE, item_id="m", turn_id="turn_1"),
        draft("server", COMPLETED, method=extensions.MESSAGE_COMPLETED, item_id="m"),
        draft("client", UNSHOWN),
    ]
    lines = encoded(drafts, ["2026-11-23T06:15:52.123Z"] * 3, first_seq=5)
    return Batch(SESSION_ID, [Entry(seq, line) for seq, line in enumerate(lines, start=5)])


def kept(shown: Shown, last_seq: int) -> tuple[Shown, int]:
    return shown, last_seq


def types(shown: Shown) -> list[tuple[int, str]]:
    return [(seq, json.loads(line)["type"]) for seq, line in shown]


def test_the_view_of_frames_has_the_lines_as_they_are_on_the_disk() -> None:
    one = batch()
    shown, last_seq = one.body("frames", kept, deltas=True)
    assert shown == [(entry.seq, entry.line) for entry in one.entries]
    assert last_seq == 7


def test_the_universal_view_has_events_and_leaves_out_what_is_none() -> None:
    shown, last_seq = batch().body("universal", kept, deltas=True)
    assert types(shown) == [(5, "message.delta"), (6, "message.completed")]
    assert last_seq == 7


def test_without_deltas_only_what_is_whole_is_shown() -> None:
    one = batch()
    assert types(one.body("universal", kept, deltas=False)[0]) == [(6, "message.completed")]
    assert [seq for seq, _ in one.body("frames", kept, deltas=False)[0]] == [6, 7]


def test_what_was_made_of_a_batch_is_made_once_for_each_view() -> None:
    asked: list[object] = []

    def write(shown: Shown, last_seq: int) -> object:
        asked.append((len(shown), last_seq))
        return None if len(asked) > 2 else object()

    one = batch()
    views: Any = [("universal", True), ("universal", False), ("frames", True), ("frames", False)]
    first = [one.body(view, write, deltas=deltas) for view, deltas in views]
    again = [one.body(view, write, deltas=deltas) for view, deltas in views]
    assert first == again
    assert len(asked) == len(views)
    assert one.body("frames", kept, deltas=True) != first[2]


@settings(max_examples=80, deadline=None)
@given(story=stories, deltas=st.booleans())
def test_a_story_is_shown_as_the_projection_tells_it(story: Any, deltas: bool) -> None:
    told = play(story).entries
    events = [(one.seq, project_wire(one)) for one in told]
    expected = [
        (seq, wire) for seq, wire in events if wire and (deltas or not is_delta(wire["type"]))
    ]
    entries = [Entry(one.seq, dumps(one.to_wire())) for one in told]
    shown = encode(entries, SESSION_ID, "universal", deltas=deltas)
    assert [(seq, json.loads(line)) for seq, line in shown] == expected
    without = {seq for seq, wire in events if wire is not None and is_delta(wire["type"])}
    assert [seq for seq, _ in encode(entries, SESSION_ID, "frames", deltas=deltas)] == [
        one.seq for one in told if deltas or one.seq not in without
    ]


@settings(max_examples=150, deadline=None)
@given(entry=odd_entries())
@pytest.mark.parametrize("deltas", [True, False])
def test_an_entry_of_any_shape_can_be_shown(entry: LogEntry, deltas: bool) -> None:
    line = dumps(entry.to_wire())
    for view in ("universal", "frames"):
        for seq, shown in encode([Entry(entry.seq, line)], "ses_1", view, deltas=deltas):
            assert seq == entry.seq
            json.loads(shown)
