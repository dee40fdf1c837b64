"""Ids: of one length, of one alphabet, in the order of their time."""

from __future__ import annotations

import time

import pytest
from sandbox_agent_core.ids import is_session_id, new_id


def test_an_id_says_when_it_was_made_and_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for milliseconds in (0, 31, 32, 1023, 1024, 1 << 30, 1 << 40, 1_764_000_000_000):
        monkeypatch.setattr(time, "time_ns", lambda at=milliseconds: at * 1_000_000)
        made += sorted({new_id("x") for _ in range(20)})
    assert made == sorted(made)
    assert len(set(made)) == 8 * 20
    assert {len(one) for one in made} == {2 + 9 + 9}
    assert all(is_session_id(one) for one in made)
    assert made[0].startswith("x_000000000")
    assert made[21].startswith("x_00000000z")
