"""How often a Pod that takes long is looked at."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
from sandbox_agent_kubernetes import waiting


@pytest.mark.parametrize(("passed_s", "most"), [(1, 10), (10, 30), (60, 55), (300, 175)])
async def test_the_longer_it_takes_the_less_often_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, passed_s: float, most: int
) -> None:
    now = 0.0

    async def sleep(duration_s: float) -> None:
        nonlocal now
        now += duration_s

    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(waiting, "asyncio", SimpleNamespace(sleep=sleep))
    looks = [now async for _ in waiting.looks(passed_s)]
    assert len(looks) <= most
    assert looks[0] == 0
    gaps = [after - before for before, after in pairwise(looks)]
    assert max(gaps) <= waiting.LAST_LOOK_S + 0.001
