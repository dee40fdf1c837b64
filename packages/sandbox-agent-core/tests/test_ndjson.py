from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_core.errors import PayloadTooLarge
from sandbox_agent_core.wire.ndjson import LineSplitter, encode


def test_lines_are_cut_at_lf_only_and_blank_ones_are_left_out() -> None:
    splitter = LineSplitter()
    separator = "\u2028".encode()
    assert splitter.feed(b'{"a":"' + separator + b'"}\r\n\n  \n{"b"') == [
        b'{"a":"' + separator + b'"}'
    ]
    assert splitter.feed(b":1}\n") == [b'{"b":1}']
    assert splitter.finish() is None


def test_a_last_line_without_an_end_is_given_at_the_end() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"{}\n[]") == [b"{}"]
    assert splitter.finish() == b"[]"
    assert splitter.finish() is None


@pytest.mark.parametrize("too_long", [b"0123456789a", b"0123456789a\nx"])
def test_a_line_beyond_the_limit_is_an_error_after_the_lines_before_it(too_long: bytes) -> None:
    splitter = LineSplitter(max_line_bytes=10)
    assert splitter.feed(b"0123456789\n" + too_long) == [b"0123456789"]
    with pytest.raises(PayloadTooLarge):
        splitter.feed(b"\n")
    with pytest.raises(PayloadTooLarge):
        splitter.finish()


def test_a_line_that_never_ends_is_an_error_at_once() -> None:
    with pytest.raises(PayloadTooLarge):
        LineSplitter(max_line_bytes=10).feed(b"0123456789a")


@given(st.lists(st.binary(max_size=5)))
def test_any_way_to_cut_a_stream_gives_the_same_lines(chunks: list[bytes]) -> None:
    stream = b"".join(chunks)
    splitter = LineSplitter()
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    last = splitter.finish()
    if last is not None:
        lines.append(last)
    assert lines == [line.strip() for line in stream.split(b"\n") if line.strip()]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(_json)
def test_what_is_encoded_is_one_line_that_reads_back(value: object) -> None:
    line = encode(value)
    assert line.count(b"\n") == 1
    assert json.loads(line) == value
