"""Several servers' logs become one stored log without gaps and without repetition."""

from __future__ import annotations

from sandbox_agent_core.stores.segments import (
    Segment,
    current_segment,
    read_segments,
    write_segments,
)

FIRST = Segment(created_at="t1", base=0)


def test_the_first_log_is_stored_as_it_is() -> None:
    segment = current_segment([], created_at="t1", last_stored=0)
    assert segment == FIRST
    assert segment.stored_seq(1) == 1


def test_the_same_log_goes_on() -> None:
    assert current_segment([FIRST], created_at="t1", last_stored=40) == FIRST


def test_a_new_log_follows_what_is_stored() -> None:
    segment = current_segment([FIRST], created_at="t2", last_stored=40)
    assert segment.stored_seq(1) == 41
    assert segment.server_seq(41) == 1


def test_an_old_sandbox_that_comes_back_adds_only_what_is_new() -> None:
    second = current_segment([FIRST], created_at="t2", last_stored=40)
    again = current_segment([FIRST, second], created_at="t1", last_stored=45)
    assert again.skip == 40
    assert again.stored_seq(41) == 46
    assert again.server_seq(45) == 40
    # And once more: 45 entries of the first log are stored by now, 40 and then 5.
    third = current_segment([FIRST, second, again], created_at="t2", last_stored=50)
    assert (third.base, third.skip) == (50, 5)
    fourth = current_segment([FIRST, second, again, third], created_at="t1", last_stored=53)
    assert (fourth.base, fourth.skip) == (53, 45)


def test_segments_survive_their_record() -> None:
    segments = [FIRST, Segment(created_at="t2", base=40, skip=3)]
    assert read_segments({"segments": write_segments(segments)}) == segments
    assert read_segments({}) == []
