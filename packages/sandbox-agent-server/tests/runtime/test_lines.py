from __future__ import annotations

import pytest
from sandbox_agent_server.runtime.lines import LineSplitter, OversizeLine

TEXT = b"one\ntwo\n\nthree with \r and \xe2\x80\xa8 in it\n" + b"x" * 50 + b"\nlast"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_are_the_same_however_the_bytes_arrive(size: int) -> None:
    splitter = LineSplitter(1000)
    lines = [
        line
        for start in range(0, len(TEXT), size)
        for line in splitter.feed(TEXT[start : start + size])
    ]
    assert lines + splitter.flush() == TEXT.split(b"\n")


@pytest.mark.parametrize("size", [1, 3, 64, 1000])
def test_a_line_that_is_too_long_is_replaced_where_it_stood(size: int) -> None:
    text = b"before\n" + b"x" * 200 + b"\nafter\n"
    splitter = LineSplitter(100)
    lines = [
        line
        for start in range(0, len(text), size)
        for line in splitter.feed(text[start : start + size])
    ]
    assert lines == [b"before", b"", b"after"]
    assert isinstance(lines[1], OversizeLine)
    assert lines[1].size_bytes == 200


def test_a_line_of_just_the_limit_is_kept() -> None:
    splitter = LineSplitter(4)
    assert splitter.feed(b"1234\n123") == [b"1234"]
    assert splitter.feed(b"4\n12345\n") == [b"1234", b""]


def test_nothing_of_an_endless_line_is_kept() -> None:
    splitter = LineSplitter(10)
    for _ in range(100):
        assert splitter.feed(b"x" * 9) == []
    (line,) = splitter.flush()
    assert isinstance(line, OversizeLine)
    assert line.size_bytes == 900
    assert splitter.flush() == []


def test_text_that_ends_with_a_newline_leaves_nothing() -> None:
    splitter = LineSplitter(10)
    assert splitter.feed(b"a\n") == [b"a"]
    assert splitter.flush() == []
