from __future__ import annotations

import pytest
from sandbox_agent_client import errors
from sandbox_agent_client._resume import (
    BACKOFF_BASE_S,
    BACKOFF_MAX_S,
    Cursor,
    Reconnection,
    is_fatal,
)

DOWN = errors.ServerUnreachable("down")


def test_a_cursor_takes_each_entry_once_and_in_order() -> None:
    cursor = Cursor(2)
    assert [cursor.accept(seq) for seq in (1, 2, 3, 3, 4)] == [False, False, True, False, True]
    assert cursor.after == 4


def test_a_gap_is_an_error_and_leaves_the_cursor_where_it_was() -> None:
    cursor = Cursor(2)
    with pytest.raises(errors.StreamGap) as caught:
        cursor.accept(5)
    assert caught.value.details == {"expected": 3, "got": 5}
    assert cursor.accept(3)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def reconnection(
    clock: Clock, *, timeout_s: float | None = 10.0, jitter: float = 1.0
) -> Reconnection:
    return Reconnection(timeout_s=timeout_s, clock=clock, jitter=lambda: jitter)


def test_delays_double_up_to_a_bound() -> None:
    waits = reconnection(Clock(), timeout_s=None)
    delays = [waits.delay_after(DOWN) for _ in range(12)]
    assert delays[:3] == [BACKOFF_BASE_S, BACKOFF_BASE_S * 2, BACKOFF_BASE_S * 4]
    assert delays[-1] == BACKOFF_MAX_S


def test_chance_takes_up_to_half_of_a_delay() -> None:
    assert reconnection(Clock(), jitter=0.0).delay_after(DOWN) == BACKOFF_BASE_S / 2


def test_the_deadline_counts_from_the_first_failure_in_a_row() -> None:
    clock = Clock()
    waits = reconnection(clock)
    waits.delay_after(DOWN)
    clock.now = 9.99
    assert waits.delay_after(DOWN) == pytest.approx(0.01)
    waits.alive()
    clock.now = 15
    waits.delay_after(DOWN)
    clock.now = 25
    with pytest.raises(errors.ServerUnreachable) as caught:
        waits.delay_after(DOWN)
    assert caught.value.__cause__ is DOWN


def test_without_a_deadline_it_never_gives_up() -> None:
    clock = Clock()
    waits = reconnection(clock, timeout_s=None)
    for clock.now in (0, 1e3, 1e6, 1e9):
        waits.delay_after(DOWN)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.TokenInvalid("no"), True),
        (errors.SessionNotFound("no"), True),
        (errors.PayloadTooLarge("no"), True),
        (errors.LimitReached("later"), False),
        (errors.InternalError("bug"), False),
        (errors.Unavailable("later"), False),
        (errors.StorageError("later"), False),
        (errors.ServerUnreachable("later"), False),
    ],
)
def test_a_refusal_is_final_and_a_failure_is_not(
    error: errors.SandboxAgentError, expected: bool
) -> None:
    assert is_fatal(error) is expected


def test_a_fatal_error_is_raised_at_once() -> None:
    with pytest.raises(errors.SessionNotFound):
        reconnection(Clock()).delay_after(errors.SessionNotFound("gone"))


def test_a_gap_is_tried_once_more_and_then_raised() -> None:
    waits = reconnection(Clock())
    gap = errors.StreamGap("gap", expected=3, got=5)
    waits.delay_after(gap)
    waits.alive()
    waits.delay_after(errors.StreamGap("another", expected=9, got=12))
    with pytest.raises(errors.StreamGap):
        waits.delay_after(errors.StreamGap("again", expected=9, got=12))


def test_a_connection_that_lasts_starts_a_new_count_and_one_that_is_dropped_does_not() -> None:
    clock = Clock()
    waits = reconnection(clock)
    waits.delay_after(DOWN)
    clock.now = 9.5
    waits.connected()
    clock.now = 9.9
    assert waits.delay_after(DOWN) <= 0.1
    waits.connected()
    clock.now = 12
    assert waits.delay_after(DOWN) == BACKOFF_BASE_S
    assert waits.is_down
