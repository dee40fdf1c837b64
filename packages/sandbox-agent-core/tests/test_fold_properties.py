"""A transcript does not depend on whether deltas were read, or on when it was looked at."""

from __future__ import annotations

from typing import Any

from frame_strategies import entries
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import Log, logs
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project
from sandbox_agent_core.view import LogFolder, ToolItem, Transcript, TranscriptFolder, fold


def _shown(transcript: Transcript) -> dict[str, Any]:
    return transcript.to_wire()


@settings(max_examples=500, deadline=None)
@given(logs())
def test_folding_with_deltas_and_without_gives_the_same_transcript(log: Log) -> None:
    with_deltas, without = fold(log.events()), fold(log.events(deltas=False))
    assert _shown(with_deltas) == _shown(without)


@settings(max_examples=300, deadline=None)
@given(logs(), st.data())
def test_a_log_folds_to_what_was_streamed_so_far_wherever_it_ends(
    log: Log, data: st.DataObject
) -> None:
    until = data.draw(st.integers(0, len(log.entries)))
    folder, events = LogFolder(), []
    for entry in log.entries[:until]:
        folder.apply(entry)
        events += [event for event in [project(entry)] if event is not None]
    assert _shown(folder.transcript()) == _shown(fold(events))


def test_a_message_that_goes_on_between_turns_makes_no_turn() -> None:
    log = Log()
    log.say("x", item="a")
    log.begin()
    log.end()
    log.delta("message", "a", {"type": "text", "text": "y"})
    folder = LogFolder()
    for entry in log.entries:
        folder.apply(entry)
    assert _shown(folder.transcript()) == _shown(fold(log.events()))


@settings(max_examples=300, deadline=None)
@given(logs(), st.data())
def test_looking_at_a_transcript_on_the_way_changes_nothing(log: Log, data: st.DataObject) -> None:
    folder = TranscriptFolder()
    for event in log.events():
        folder.apply(event)
        if data.draw(st.booleans()):
            _ = folder.transcript
    assert _shown(folder.transcript) == _shown(fold(log.events()))


@settings(max_examples=300, deadline=None)
@given(st.lists(entries(), max_size=8))
def test_any_events_fold_and_are_written(found: list[LogEntry]) -> None:
    folder = TranscriptFolder()
    for seq, entry in enumerate(found, start=1):
        event = project(entry)
        if event is not None:
            folder.apply(event.model_copy(update={"seq": seq}))
    assert folder.transcript.to_wire()["turns"] is not None


_fields = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["a", "b"]),
        "kind": st.sampled_from(["read", "edit"]),
        "status": st.sampled_from(["pending", "in_progress", "completed", "failed"]),
        "rawOutput": st.integers(),
    },
)
_tool_updates = st.lists(
    st.tuples(st.sampled_from(["tool_call", "tool_call_update"]), _fields), min_size=1, max_size=8
)


@given(_tool_updates)
def test_a_tool_call_is_the_last_of_each_field_and_the_first_of_its_ends(
    updates: list[tuple[str, dict[str, Any]]],
) -> None:
    log = Log()
    log.begin()
    for kind, fields in updates:
        log.tool(kind, "t", **fields)
    (item,) = fold(log.events()).items()
    assert isinstance(item, ToolItem)
    last = {name: value for _, fields in updates for name, value in fields.items()}
    assert (item.title, item.kind) == (last.get("title", ""), last.get("kind", "other"))
    assert item.output == last.get("rawOutput")
    statuses = [fields["status"] for _, fields in updates if "status" in fields]
    ends = [status for status in statuses if status in {"completed", "failed"}]
    if ends:
        assert item.status == ends[0]
    else:
        assert item.status == ("in_progress" if "in_progress" in statuses else "pending")


@settings(max_examples=200, deadline=None)
@given(logs())
def test_a_transcript_reads_back_from_its_wire_form(log: Log) -> None:
    wire = fold(log.events()).to_wire()
    assert Transcript.model_validate(wire).to_wire() == wire
