from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.snapshot import take_snapshot


def test_who_asks_while_it_is_read_gets_one_that_was_begun_later(monkeypatch: Any) -> None:
    is_reading, may_go_on = threading.Event(), threading.Event()
    reads: list[int] = []

    def read_all() -> list[Any]:
        reads.append(1)
        is_reading.set()
        may_go_on.wait(10)
        return []

    monkeypatch.setattr(proc_table, "read_all", read_all)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(take_snapshot)
        assert is_reading.wait(10)
        later = [threads.submit(take_snapshot) for _ in range(8)]
        may_go_on.set()
        taken = {future.result().number for future in later}
        assert first.result().number < min(taken)
    # Those that had all asked before the second was begun share it; on a busy machine one may ask later.
    assert len(reads) == 1 + len(taken) <= 9


def test_a_later_question_gets_a_later_one() -> None:
    assert take_snapshot().number < take_snapshot().number
