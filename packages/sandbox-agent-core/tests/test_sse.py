"""Server-sent events: the examples of the WHATWG standard, and any way to cut a stream."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_core.errors import PayloadTooLarge
from sandbox_agent_core.wire.sse import SseDecoder, SseEvent, comment, encode


def _decode(*chunks: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def test_the_examples_of_the_standard() -> None:
    stocks = b"data: YHOO\ndata: +2\ndata: 10\n\n"
    assert _decode(stocks) == [SseEvent("", "message", "YHOO\n+2\n10")]
    ids = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert _decode(ids) == [
        SseEvent("1", "message", "first event"),
        SseEvent("", "message", "second event"),
        SseEvent("", "message", " third event"),
    ]
    assert _decode(b"data\n\ndata\ndata\n\ndata:") == [
        SseEvent("", "message", ""),
        SseEvent("", "message", "\n"),
    ]
    assert [event.data for event in _decode(b"data:test\n\ndata: test\n\n")] == ["test", "test"]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_end_in_three_ways(end: bytes) -> None:
    stream = end.join([b"event: x", b"data: a", b"data: b", b"", b"data: c", b"", b""])
    assert _decode(stream) == [SseEvent("", "x", "a\nb"), SseEvent("", "message", "c")]


def test_a_byte_order_mark_is_passed_over_even_in_pieces() -> None:
    assert _decode(b"\xef", b"\xbb", b"\xbfdata: a\n\n") == [SseEvent("", "message", "a")]


def test_an_event_is_given_as_soon_as_its_last_byte_is_there() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\r\n\r") == [SseEvent("", "message", "a")]
    assert decoder.feed(b"\ndata: b\n\n") == [SseEvent("", "message", "b")]


def test_fields_without_data_are_no_event_but_move_the_id_and_the_retry_time() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"id: 7\nevent: x\nretry: 250\n\n") == []
    assert (decoder.last_event_id, decoder.retry_ms) == ("7", 250)
    assert decoder.feed(b"retry: soon\nid: a\0b\nfoo: bar\ndata: y\n\n") == [
        SseEvent("7", "message", "y")
    ]
    assert decoder.retry_ms == 250


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert _decode(b"data: \xff\n\n") == [SseEvent("", "message", "\ufffd")]


def test_an_event_beyond_the_limit_is_an_error_after_the_events_before_it() -> None:
    decoder = SseDecoder(max_event_bytes=10)
    assert decoder.feed(b"data: a\n\ndata: 0123456789") == [SseEvent("", "message", "a")]
    with pytest.raises(PayloadTooLarge):
        decoder.feed(b"0")


def test_many_small_lines_count_towards_the_limit() -> None:
    decoder = SseDecoder(max_event_bytes=100)
    for _ in range(50):
        assert decoder.feed(b"data: 01\n") == []
    with pytest.raises(PayloadTooLarge):
        decoder.feed(b"data: 01\n")


_streams = st.lists(
    st.sampled_from(
        [b"data: a", b"data:", b"data: \xc3\xa9\xf0\x9f\x98\x80", b"id: 1", b"id", b"event: e", b": c",
         b"retry: 5", b"\n", b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf", b"x"]
    ),
    max_size=30,
).map(b"".join)  # fmt: skip


@given(_streams, st.lists(st.integers(0, 200), max_size=20))
def test_any_way_to_cut_a_stream_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[a:b] for a, b in itertools.pairwise(places)]
    whole = _decode(stream)
    assert _decode(*chunks) == whole
    assert _decode(*(stream[i : i + 1] for i in range(len(stream)))) == whole


_line = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), min_size=1)


@given(st.text(st.characters(codec="utf-8")), st.integers(0), st.none() | _line)
def test_what_is_encoded_is_decoded(data: str, id: int, event: str | None) -> None:
    stream = comment("hello") + encode(data.encode(), id=id, event=event)
    lines = data.replace("\r\n", "\n").replace("\r", "\n")
    assert _decode(stream) == [SseEvent(str(id), event or "message", lines)]


def test_an_id_of_two_lines_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="one line"):
        encode(b"", id="1\ndata: injected")
