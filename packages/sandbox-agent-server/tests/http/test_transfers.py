"""How many files are transferred at a time, and how much of each is in memory; and which part of one is wanted."""

from __future__ import annotations

from contextlib import ExitStack, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_core.errors import LimitReached, RangeNotSatisfiable
from sandbox_agent_server.http.ranges import choose
from sandbox_agent_server.http.transfers import Transfers


def test_there_is_a_limit_of_transfers() -> None:
    transfers = Transfers(2)
    with transfers.hold(), transfers.hold():
        with pytest.raises(LimitReached) as refused, transfers.hold():
            pass
        assert refused.value.details == {"limit": "max_transfers", "value": 2}
    with transfers.hold():
        assert transfers.open == 1


def test_all_together_hold_no_more_when_there_are_many() -> None:
    transfers = Transfers(256)
    with ExitStack() as stack:
        most = 0
        for _ in range(256):
            stack.enter_context(transfers.hold())
            most = max(most, transfers.open * transfers.piece_bytes)
    assert most <= 32 * 1024 * 1024


@given(st.text("bytes=0123456789-, ", max_size=20), st.integers(0, 50))
def test_any_range_is_all_or_a_part_that_there_is_or_is_refused(text: str, size: int) -> None:
    for header in (text, f"bytes={text}"):
        with suppress(RangeNotSatisfiable):
            span = choose({"range": header}, etag='"a"', modified_s=0.0, size=size)
            assert span.status in (200, 206)
            assert 0 <= span.start <= span.stop <= size
            assert span.status == 206 or (span.start, span.stop) == (0, size)
