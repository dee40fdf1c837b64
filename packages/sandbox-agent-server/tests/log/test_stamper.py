"""What the stamper says of frames, whatever they are: the log tells the whole story, once, in any batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest
from agent_stories import Chapter, between_turns, chunk, play, stories, tool, turns, update
from frame_strategies import entries
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_agent_core.events import (
    Event,
    MessageCompleted,
    MessageDelta,
    ReasoningCompleted,
    ReasoningDelta,
)
from sandbox_agent_core.frames import LogEntry, acp, extensions
from sandbox_agent_core.frames.jsonrpc import request
from sandbox_agent_core.projection import is_delta, project
from sandbox_agent_core.projection.messages import parent_of
from sandbox_agent_core.view import ToolItem, Transcript, TranscriptFolder
from stamped_log import COMPLETION_BYTES, StampedLog

CHUNKS = {
    acp.AGENT_MESSAGE_CHUNK: "", acp.USER_MESSAGE_CHUNK: "", acp.AGENT_THOUGHT_CHUNK: "/thought",
}  # fmt: skip
COMPLETED_AS = {
    acp.AGENT_MESSAGE_CHUNK: (extensions.MESSAGE_COMPLETED, "assistant"),
    acp.USER_MESSAGE_CHUNK: (extensions.MESSAGE_COMPLETED, "user"),
    acp.AGENT_THOUGHT_CHUNK: (extensions.REASONING_COMPLETED, None),
}
STREAMED = (MessageDelta, MessageCompleted, ReasoningDelta, ReasoningCompleted)
COMPLETIONS = {method for method, _ in COMPLETED_AS.values()}
Block = dict[str, Any]
Key = tuple[str | None, str | None]
"""An item, and the tool call of the sub-agent that it is from."""

thoroughly = settings(max_examples=120, deadline=None)


def update_of(entry: LogEntry) -> Any:
    params = entry.payload.get("params")
    found = params.get("update") if isinstance(params, dict) else None
    return found if isinstance(found, dict) else {}


def kind_of(entry: LogEntry) -> str | None:
    """Of an update that was not told before."""
    if (
        entry.sender != "agent"
        or entry.method != acp.SESSION_UPDATE
        or "replay" in annotations_of(entry)
    ):
        return None
    kind = update_of(entry).get("sessionUpdate")
    return kind if isinstance(kind, str) else None


def annotations_of(entry: LogEntry) -> dict[str, Any]:
    return dict(entry.annotations or {})


def is_late(entry: LogEntry) -> bool:
    told = annotations_of(entry) | (entry.payload["params"] if is_completion(entry) else {})
    return told.get("late") is True


def is_completion(entry: LogEntry) -> bool:
    return entry.sender == "server" and entry.method in COMPLETIONS


def key_of(entry: LogEntry) -> Key:
    if is_completion(entry):
        return entry.item_id, entry.payload["params"].get("parentToolCallId")
    return entry.item_id, parent_of(update_of(entry))


def joined(blocks: Iterable[Block]) -> list[Block]:
    """Text that stands side by side as one."""
    whole: list[Block] = []
    for block in blocks:
        is_text = block.get("type") == "text" and isinstance(block.get("text"), str)
        if is_text and whole and isinstance(whole[-1].get("text"), str):
            whole[-1] = {"type": "text", "text": whole[-1]["text"] + block["text"]}
        else:
            whole.append(block)
    return whole


def events_of(entries: Iterable[LogEntry]) -> list[Event]:
    return [event for entry in entries if (event := project(entry)) is not None]


def transcript_of(entries: Iterable[LogEntry], *, deltas: bool = True) -> Transcript:
    folder = TranscriptFolder()
    for event in events_of(entries):
        if deltas or not is_delta(event.type):
            folder.apply(event)
    return folder.transcript


def streamed(log: StampedLog) -> dict[Key, list[Block]]:
    found = defaultdict[Key, list[Block]](list)
    for entry in log.entries:
        content = update_of(entry).get("content")
        if kind_of(entry) in CHUNKS and isinstance(content, dict):
            found[key_of(entry)].append(content)
    return {key: joined(blocks) for key, blocks in found.items()}


def completed(log: StampedLog) -> dict[Key, list[Block]]:
    found = defaultdict[Key, list[Block]](list)
    for entry in log.entries:
        if is_completion(entry):
            found[key_of(entry)] += entry.payload["params"]["content"]
    return {key: joined(blocks) for key, blocks in found.items()}


# Stamps


@thoroughly
@given(stories)
def test_every_frame_is_in_the_log_once_in_order_and_as_it_was_written(
    story: list[Chapter],
) -> None:
    log = play(story)
    assert [entry.seq for entry in log.entries] == list(range(1, len(log.entries) + 1))
    written = [frame for chapter in story for frame in chapter.frames]
    answers = [entry for entry in log.entries if entry.method == acp.SESSION_PROMPT]
    logged = [entry for entry in log.entries if entry.sender == "agent" and entry not in answers]
    assert [entry.payload for entry in logged] == written


@thoroughly
@given(stories)
def test_a_chunk_belongs_to_the_message_that_it_names_or_to_the_one_that_began_with_it(
    story: list[Chapter],
) -> None:
    kinds: dict[str | None, str | None] = {}
    for entry in play(story).entries:
        kind = kind_of(entry)
        if kind in CHUNKS:
            native = update_of(entry).get("messageId")
            if isinstance(native, str):
                assert entry.item_id == native + CHUNKS[kind]
            elif entry.item_id not in kinds:
                assert entry.item_id == f"msg_{entry.seq}{CHUNKS[kind]}"
            assert kinds.setdefault(entry.item_id, kind) == kind
        elif is_completion(entry):
            role = entry.payload["params"].get("role")
            assert (entry.method, role) == COMPLETED_AS[kinds[entry.item_id] or ""]


@thoroughly
@given(stories)
def test_an_entry_has_the_turn_that_runs_or_the_last_one_and_says_that_it_is_late(
    story: list[Chapter],
) -> None:
    running: str | None = None
    last: str | None = None
    for entry in play(story).entries:
        if entry.sender == "client":
            running = entry.turn_id
        if is_late(entry):
            # What is of a call is of its turn, which may be over.
            assert entry.turn_id is not None
            assert entry.turn_id != running
        elif entry.turn_id is not None:
            assert entry.turn_id == running or is_of_a_call(entry)
        elif running is not None:
            assert is_of_a_call(entry)  # which was told of before there was a turn
        else:
            assert last is None or kind_of(entry) is None or entry.item_id is None
        ends = entry.method == extensions.TURN_ENDED
        if ends or (entry.sender == "agent" and entry.method == acp.SESSION_PROMPT):
            running, last = None, running


def is_of_a_call(entry: LogEntry) -> bool:
    if entry.method == extensions.TOOL_COMPLETED:
        return True
    params = entry.payload.get("params")
    call = params.get("toolCall") if isinstance(params, dict) else None
    told = call if isinstance(call, dict) else update_of(entry)
    return isinstance(told.get("toolCallId"), str) or parent_of(told) is not None


@thoroughly
@given(stories)
def test_a_completion_has_the_turn_of_its_chunks_and_is_as_late(story: list[Chapter]) -> None:
    of_chunks = defaultdict[Key, set[Any]](set)
    for entry in play(story).entries:
        mark = entry.turn_id, is_late(entry)
        if kind_of(entry) in CHUNKS and isinstance(update_of(entry).get("content"), dict):
            of_chunks[key_of(entry)].add(mark)
        elif is_completion(entry):
            assert of_chunks.pop(key_of(entry)) == {mark}
            event: Any = project(entry)
            assert event.late == is_late(entry)


def test_history_that_is_loaded_again_is_marked_and_makes_nothing() -> None:
    frames = [chunk("again"), tool("t", is_new=True), update(acp.PLAN, entries=[]), chunk("so")]
    entries = play([Chapter(frames, None, is_history=True), Chapter([], "answered")]).entries
    assert [annotations_of(entry) for entry in entries] == [{"replay": True}] * 4 + [{}, {}]
    assert events_of(entries[:4]) == []


def test_an_answer_counts_once_and_only_from_the_agent_that_was_asked() -> None:
    log = StampedLog()
    log.begin_turn("turn_1")
    answer = log.end_of_the_prompt()
    log.agent_writes([answer, answer])
    assert [entry.method for entry in log.entries[1:]] == [acp.SESSION_PROMPT, None]
    log.begin_turn("turn_2")
    log.lose_the_agent()
    log.agent_writes([log.end_of_the_prompt()])
    assert (log.turn_id, log.entries[-1].method) == ("turn_2", None)


# Items


@thoroughly
@given(stories)
def test_the_completions_of_an_item_are_what_was_streamed_of_it(story: list[Chapter]) -> None:
    log = play(story)
    assert completed(log) == streamed(log)


@thoroughly
@given(stories)
def test_a_completion_comes_after_its_chunks_and_before_anything_follows_them(
    story: list[Chapter],
) -> None:
    """Of one speaker: sub-agents speak at the same time."""
    open_items: dict[str | None, Key] = {}
    for entry in play(story).entries:
        if kind_of(entry) in CHUNKS:
            key = key_of(entry)
            assert open_items.get(key[1], key) == key
            if isinstance(update_of(entry).get("content"), dict):
                open_items[key[1]] = key
        elif is_completion(entry):
            assert open_items.pop(key_of(entry)[1]) == key_of(entry)
        elif interrupts(entry):
            assert open_items == {}
    assert open_items == {}


def interrupts(entry: LogEntry) -> bool:
    """Whoever speaks has finished, or stops for this."""
    if entry.sender != "agent" or "replay" in annotations_of(entry):
        return False
    kind, id = kind_of(entry), update_of(entry).get("toolCallId")
    if kind in (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE):
        is_end = update_of(entry).get("status") in ("completed", "failed")
        return isinstance(id, str) and (kind == acp.TOOL_CALL or is_end)
    is_request = (
        isinstance(entry.payload.get("method"), str) and entry.payload.get("id") is not None
    )
    return kind == acp.PLAN or is_request or entry.method == acp.SESSION_PROMPT


@thoroughly
@given(stories)
def test_a_transcript_is_the_same_without_the_deltas(story: list[Chapter]) -> None:
    entries = play(story).entries
    with_deltas, without = transcript_of(entries), transcript_of(entries, deltas=False)
    assert with_deltas.to_wire() == without.to_wire()


@settings(max_examples=40, deadline=None)
@given(st.lists(entries().filter(lambda entry: entry.sender == "agent"), max_size=10))
def test_whatever_an_agent_writes_is_logged_and_its_transcript_needs_no_deltas(
    found: list[LogEntry],
) -> None:
    frames = [entry.payload for entry in found]
    log = play([Chapter(frames, "answered"), Chapter(frames, None)], sizes=[3])
    written = [entry for entry in log.entries if entry.sender == "agent"]
    assert len(written) == 2 * len(frames) + 1
    assert completed(log) == streamed(log)
    with_deltas, without = transcript_of(log.entries), transcript_of(log.entries, deltas=False)
    assert with_deltas.to_wire() == without.to_wire()


big_chunks = st.lists(
    st.tuples(
        st.sampled_from([10, 60_000, 130_000, COMPLETION_BYTES - 120, COMPLETION_BYTES, 300_000]),
        st.sampled_from([{}, {"_meta": {"parentToolCallId": "t1"}}, {"messageId": "m"}]),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(big_chunks, st.integers(1, 3))
def test_never_more_than_a_part_of_an_item_is_held_back(
    sizes: list[tuple[int, dict[str, Any]]], batch: int
) -> None:
    frames = [chunk("x" * size, **fields) for size, fields in sizes]
    log = play([Chapter(frames, "answered")], sizes=[batch])
    assert completed(log) == streamed(log)
    held = defaultdict[Key, int](int)
    for entry, following in zip(log.entries, log.entries[1:], strict=False):
        if kind_of(entry) in CHUNKS:
            held[key_of(entry)] += len(update_of(entry)["content"]["text"])
            if held[key_of(entry)] >= COMPLETION_BYTES:
                assert is_completion(following)
        elif is_completion(entry):
            text = entry.payload["params"]["content"][0]["text"]
            assert held.pop(key_of(entry)) == len(text)
            assert len(text) < COMPLETION_BYTES + 300_000


def test_what_follows_a_part_is_held_until_it_is_a_part_again() -> None:
    sizes = [300_000, 100_000, 100_000, 100_000, 1]
    entries = play([Chapter([chunk("x" * size) for size in sizes], "answered")]).entries
    parts = [entry for entry in entries if is_completion(entry)]
    assert [len(part.payload["params"]["content"][0]["text"]) for part in parts] == [
        300_000,
        300_000,
        1,
    ]


HIGH, LOW = "\ud83e", "\udd8a"
_halves = st.lists(
    st.tuples(
        st.sampled_from(["", "a", HIGH, LOW, HIGH + LOW, f"a{HIGH}", f"{LOW}a", f"a{HIGH}{HIGH}"]),
        st.sampled_from([{}, {"messageId": "m"}, {"_meta": {"parentToolCallId": "t1"}}]),
        st.sampled_from(sorted(CHUNKS)),
    ),
    max_size=10,
)


def shown(events: Iterable[Event], suffix: str) -> dict[Key, str]:
    """The text of each item, as its events of one kind tell it."""
    found = defaultdict[Key, str](str)
    for event in events:
        if isinstance(event, STREAMED) and event.type.endswith(suffix):
            found[event.message_id, event.parent_tool_call_id] += event.text
    return {key: text for key, text in found.items() if text}


@thoroughly
@given(_halves, st.integers(1, 4))
def test_deltas_are_what_their_completions_are_whatever_characters_are_cut(
    pieces: list[tuple[str, dict[str, Any], str]], batch: int
) -> None:
    frames = [chunk(text, kind, **fields) for text, fields, kind in pieces]
    frames.insert(len(frames) // 2, tool("t", is_new=True))
    log = play([Chapter(frames, "answered"), Chapter(frames, "interrupted")], sizes=[batch])
    events = events_of(log.entries)
    assert shown(events, ".delta") == shown(events, ".completed")
    with_deltas, without = transcript_of(log.entries), transcript_of(log.entries, deltas=False)
    assert with_deltas.to_wire() == without.to_wire()


@pytest.mark.parametrize("text", [f"{'x' * COMPLETION_BYTES}{HIGH}", HIGH])
def test_a_character_that_is_cut_between_parts_is_joined(text: str) -> None:
    frames = [chunk(text), chunk("x" * COMPLETION_BYTES if text == HIGH else LOW), chunk("end")]
    log = play([Chapter(frames, "answered")])
    events = events_of(log.entries)
    assert shown(events, ".delta") == shown(events, ".completed")
    log = StampedLog()
    log.begin_turn("turn_1")
    log.agent_writes(frames[:1])
    twin = log.restored()
    for either in (log, twin):
        either.agent_writes(frames[1:])
        either.interrupt()
    assert twin.entries == log.entries


# Batches


@thoroughly
@given(stories, st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_batches_of_a_turn_do_not_matter(story: list[Chapter], sizes: list[int]) -> None:
    assert play(story, sizes).entries == play(story).entries


# Tool calls


class Calls:
    """Which tool calls were told of without their end, in the order in which they were told of."""

    def __init__(self) -> None:
        self.open: dict[str, None] = {}
        self.over: dict[str, str | None] = {}

    def take(self, entry: LogEntry, running: str | None) -> None:
        is_permission = entry.method == acp.SESSION_REQUEST_PERMISSION
        told = entry.payload["params"].get("toolCall") if is_permission else update_of(entry)
        id = told.get("toolCallId") if isinstance(told, dict) else None
        if not isinstance(id, str) or not (is_permission or "tool" in str(kind_of(entry))):
            return
        is_announced = is_permission or kind_of(entry) == acp.TOOL_CALL
        if id in self.over:
            if not is_announced or running in (None, self.over[id]):
                return
            del self.over[id]
        self.open.setdefault(id)
        if not is_permission and told.get("status") in ("completed", "failed"):
            del self.open[id]
            self.over[id] = entry.turn_id


@thoroughly
@given(turns, between_turns, turns)
def test_the_end_of_a_turn_closes_every_tool_call_that_is_open_exactly_once(
    first: Chapter, between: Chapter, second: Chapter
) -> None:
    calls, running, closings = Calls(), None, []
    for entry in play([first, between, second]).entries:
        if entry.sender == "client":
            running = entry.turn_id
        elif entry.method == extensions.TOOL_COMPLETED:
            closings.append(entry.item_id)
            end = {"toolCallId": entry.item_id, "status": "failed", "reason": "turn_ended"}
            assert end.items() <= entry.payload["params"].items()
            calls.over[entry.item_id or ""] = entry.turn_id
        elif entry.method in (acp.SESSION_PROMPT, extensions.TURN_ENDED):
            assert closings == list(calls.open)
            calls.open, running, closings = {}, None, []
        else:
            assert closings == []
            calls.take(entry, running)


@thoroughly
@given(st.lists(turns, max_size=3))
def test_no_tool_call_of_an_ended_turn_runs_for_ever(story: list[Chapter]) -> None:
    for item in transcript_of(play(story).entries).items():
        if isinstance(item, ToolItem):
            assert item.status in ("completed", "failed")


def test_an_end_repeats_what_was_told_before_and_it_leaves_out() -> None:
    frames = [
        tool("t", is_new=True, title="ls", rawInput={"a": 1}, status="pending"),
        tool("t", title="ls -l", rawOutput="x", kind=None, status="in_progress"),
        tool("t", title=None, rawOutput="xy", status="completed"),
        tool("t", status="completed"),
    ]
    *_, end, again, _answer = play([Chapter(frames, "answered")]).entries
    assert annotations_of(end) == {"tool": {"title": "ls -l", "rawInput": {"a": 1}}}
    assert annotations_of(again) == {"duplicate": True}
    assert project(again) is None


def test_what_only_a_permission_told_of_a_call_is_told_at_its_end() -> None:
    params = {"toolCall": {"toolCallId": "t", "title": "rm", "status": "pending"}, "options": []}
    asked = request(0, acp.SESSION_REQUEST_PERMISSION, params)
    log = play([Chapter([asked, tool("t", status="completed")], "answered")])
    assert annotations_of(log.entries[-2]) == {"tool": {"title": "rm"}}


# Bounds


def test_no_more_than_512_open_tool_calls_of_a_turn_are_remembered() -> None:
    story = [Chapter([tool(f"t{number}") for number in range(600)], "interrupted")]
    entries = play(story).entries
    closings = [entry for entry in entries if entry.method == extensions.TOOL_COMPLETED]
    assert [entry.item_id for entry in closings] == [f"t{number}" for number in range(512)]


def test_an_ended_tool_call_makes_room_for_another() -> None:
    frames = [tool(f"t{number}") for number in range(512)]
    frames += [tool("t0", status="failed"), tool("one"), tool("two"), tool("t1", title="x")]
    entries = play([Chapter(frames, "interrupted")]).entries
    closings = [entry.item_id for entry in entries if entry.method == extensions.TOOL_COMPLETED]
    assert closings == [*(f"t{number}" for number in range(1, 512)), "one"]


@pytest.mark.parametrize("field", ["content", "rawInput", "rawOutput"])
@pytest.mark.parametrize("end", ["answered", "failed"])
def test_bulk_of_a_tool_call_is_not_remembered_and_neither_is_what_it_replaced(
    field: str, end: str
) -> None:
    bulk = tool("t", title="new", **{field: ["x" * 70_000]})
    frames = [tool("t", title="old", is_new=True, **{field: ["small"]}), bulk]
    frames += [tool("t", status="failed")] if end == "failed" else []
    closing = play([Chapter(frames, "answered")]).entries[-2]
    told = annotations_of(closing)["tool"] if end == "failed" else closing.payload["params"]
    assert told["title"] == "new"
    assert told.keys().isdisjoint({"content", "rawInput", "rawOutput", "input", "output"})


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["t1", "t2"]),
            st.sampled_from(["content", "rawInput", "rawOutput"]),
            st.sampled_from([1, 30_000, 65_000, 66_000, 100_000]),
        ),
        max_size=8,
    ),
    st.booleans(),
)
def test_what_is_remembered_of_a_tool_call_is_bounded(
    updates: list[tuple[str, str, int]], is_restored: bool
) -> None:
    log = StampedLog()
    log.begin_turn("turn_1")
    for id, field, size in updates:
        log.agent_writes([tool(id, **{field: "x" * size})])
    if is_restored:
        log = log.restored()
    log.interrupt()
    for entry in log.entries:
        if entry.method == extensions.TOOL_COMPLETED:
            for value in entry.payload["params"].values():
                assert len(value) <= 64 * 1024


# Restoring


@thoroughly
@given(st.lists(turns, max_size=1), turns, st.data())
def test_a_stamper_that_was_restored_goes_on_as_one_that_never_stopped(
    before: list[Chapter], last: Chapter, data: st.DataObject
) -> None:
    log = play(before)
    log.begin_turn("turn_last")
    cut = data.draw(st.integers(0, len(last.frames)), label="cut")
    for frame in last.frames[:cut]:
        log.agent_writes([frame])
    twin = log.restored()
    log.lose_the_agent()
    for one in (log, twin):
        one.agent_writes(last.frames[cut:])
        one.interrupt()
        one.agent_writes([chunk("late"), tool("t1"), update(acp.PLAN)])
    assert twin.entries == log.entries


@settings(max_examples=40, deadline=None)
@given(big_chunks, st.data())
def test_nothing_that_was_streamed_is_lost_or_repeated_by_a_restart(
    sizes: list[tuple[int, dict[str, Any]]], data: st.DataObject
) -> None:
    log = StampedLog()
    log.begin_turn("turn_1")
    for size, fields in sizes:
        log.agent_writes([chunk("x" * size, **fields)])
        if data.draw(st.booleans()):
            log = log.restored()
    log.interrupt()
    assert completed(log) == streamed(log)
