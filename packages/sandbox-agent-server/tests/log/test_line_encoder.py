"""A line of the log is the entry, whatever its neighbours are, and has the frame as it was written."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from frame_strategies import json_values
from hypothesis import given, settings
from hypothesis import strategies as st
from log_lines import draft, encoded, just_written, read
from sandbox_agent_core.frames import LogEntry
from sandbox_agent_core.frames.entry import rfc3339

NOON_MS = 1_795_435_200_000

_names = st.none() | st.sampled_from(["a", "b", "", '"', "\\", "é🦊", "\n", "\u2028", "x" * 300])
# Without numbers that JSON does not have: bodies with them are refused, and agents' are kept as bytes. Nor with
# those over 64 bit, which are read as floats.
_json = json_values.filter(lambda value: not re.search(r"nan|inf|\d{19}", repr(value)))
_frames = st.dictionaries(st.sampled_from(["id", "method", "params", "result", "é"]), _json)
_entries = st.builds(
    dict,
    sender=st.sampled_from(["agent", "client", "server"]),
    frame=_frames,
    turn_id=_names,
    item_id=_names,
    method=_names,
    annotations=st.none() | st.dictionaries(st.text(max_size=3), _json, max_size=2),
)


def log_entry(seq: int, fields: dict[str, Any]) -> LogEntry:
    stamps = {name: value for name, value in fields.items() if name != "frame"}
    return LogEntry(
        session_id="ses_1", seq=seq, time_ms=NOON_MS + seq, payload=fields["frame"], **stamps
    )


def lines_of(entries: list[dict[str, Any]]) -> list[bytes]:
    """Of one log, so by one encoder."""
    drafts = [draft(**fields) for fields in entries]
    return encoded(drafts, [rfc3339(NOON_MS + seq) for seq in range(1, len(drafts) + 1)])


@settings(max_examples=150, deadline=None)
@given(st.lists(_entries, max_size=6))
def test_a_line_is_the_wire_form_of_its_entry_as_json(entries: list[dict[str, Any]]) -> None:
    for seq, (line, fields) in enumerate(zip(lines_of(entries), entries, strict=True), start=1):
        expected = log_entry(seq, fields).to_wire()
        assert json.loads(line) == expected
        assert list(json.loads(line)) == list(expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(_entries, max_size=6))
def test_a_line_reads_back_as_its_entry_and_is_one_line(entries: list[dict[str, Any]]) -> None:
    for seq, (line, fields) in enumerate(zip(lines_of(entries), entries, strict=True), start=1):
        whole = {**fields, "annotations": fields["annotations"] or None}
        assert read(seq, line) == log_entry(seq, whole)
        assert b"\n" not in line
        assert b"\r" not in line


@settings(max_examples=100, deadline=None)
@given(_entries)
def test_an_entry_that_was_just_written_is_shown_like_one_that_is_read(
    fields: dict[str, Any],
) -> None:
    (line,) = lines_of([fields])
    assert just_written(draft(**fields), 1, NOON_MS + 1).to_wire() == read(1, line).to_wire()


_STAMPS = st.fixed_dictionaries(
    {
        "sender": st.sampled_from(["agent", "server"]),
        "turn_id": st.sampled_from([None, "t", "u"]),
        "item_id": st.sampled_from([None, "t", "u"]),
        "method": st.sampled_from([None, "t", "u"]),
        "annotations": st.sampled_from([None, {"late": True}, {"replay": True}]),
    }
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_STAMPS, min_size=2, max_size=8))
def test_nothing_of_a_neighbour_is_in_a_line(stamps: list[dict[str, Any]]) -> None:
    together = lines_of([{**one, "frame": {"a": 1}} for one in stamps])
    for seq, (line, one) in enumerate(zip(together, stamps, strict=True), start=1):
        (alone,) = encoded([draft(**one, frame={"a": 1})], [rfc3339(NOON_MS + seq)], first_seq=seq)
        assert line == alone


@pytest.mark.parametrize(
    "raw",
    [b'{"jsonrpc": "2.0",  "method" : "x"}', b'{"n": 1.0, "big": 123456789012345678901234567890, "e": 1E5}',
     b'{"a": 1, "a": 2}', rb'{"half": "\ud83d", "escaped": "\u00e9\/"}', b'{"z": 1, "a": 2}'],
)  # fmt: skip
def test_a_frame_is_kept_byte_by_byte_as_the_agent_wrote_it(raw: bytes) -> None:
    (line,) = encoded([draft("agent", json.loads(raw), raw=raw)], [rfc3339(NOON_MS)])
    assert line.endswith(b',"payload":' + raw + b"}")


def test_a_line_begins_with_its_seq_and_time() -> None:
    (line,) = encoded([draft("agent", {})], [rfc3339(NOON_MS)], first_seq=2**40)
    start = b'{"seq":1099511627776,"time":"2026-11-23T12:00:00.000Z","sender":"agent",'
    assert line == start + b'"payload":{}}'
