"""Answers to requests that may come again: found again for a while, and never more than may be kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_agent_server.store.index import SessionIndex
from sandbox_agent_server.store.replies import KeptReplies, Reply


class Clock:
    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SessionIndex]:
    index = SessionIndex(tmp_path)
    yield index
    index.close()


def replies(
    index: SessionIndex,
    clock: Clock | None = None,
    *,
    max_replies: int = 100,
    max_bytes: int = 1000,
) -> KeptReplies:
    return KeptReplies(
        index._read, index._write, keep_s=60, max_replies=max_replies, max_bytes=max_bytes,
        now_ms=clock or Clock(),
    )  # fmt: skip


def test_an_answer_is_found_by_what_it_was_given_for(index: SessionIndex) -> None:
    kept = replies(index)
    assert kept.get("POST /a", "k") is None
    kept.begin("POST /a", "k", b"digest")
    assert kept.get("POST /a", "k") == Reply(b"digest", None, b"")
    kept.finish("POST /a", "k", 201, b"{}")
    assert kept.get("POST /a", "k") == Reply(b"digest", 201, b"{}")
    assert kept.get("POST /b", "k") is None
    assert replies(index).get("POST /a", "k") == Reply(b"digest", 201, b"{}")
    kept.forget("POST /a", "k")
    assert kept.get("POST /a", "k") is None


def test_what_was_answered_of_a_session_goes_with_it(index: SessionIndex) -> None:
    kept = index.replies(keep_s=60, max_replies=9, max_bytes=1000)
    for number, session_id in enumerate(("ses_a", "ses_b", None)):
        kept.begin("s", str(number), b"")
        kept.finish("s", str(number), 200, b"{}", session_id=session_id)
    index.delete("ses_a")
    assert [kept.get("s", str(number)) is None for number in range(3)] == [True, False, False]


def test_an_answer_is_forgotten_when_its_time_is_over(index: SessionIndex) -> None:
    clock = Clock()
    kept = replies(index, clock)
    kept.begin("POST /a", "k", b"1")
    clock.now_ms += 59_000
    assert kept.get("POST /a", "k") is not None
    clock.now_ms += 1_000
    assert kept.get("POST /a", "k") is None
    kept.begin("POST /a", "k", b"2")
    clock.now_ms += 61_000
    kept.begin("POST /b", "k", b"3")
    assert index._read("SELECT scope FROM replies") == [("POST /b",)]


def test_no_more_are_kept_than_may_and_the_oldest_go_first(index: SessionIndex) -> None:
    clock = Clock()
    kept = replies(index, clock, max_replies=3)
    for number in range(5):
        clock.now_ms += 1
        kept.begin("s", str(number), b"")
    assert [kept.get("s", str(number)) is None for number in range(5)] == [True, True, False, False, False]  # fmt: skip

    kept = replies(index, clock, max_replies=100, max_bytes=1000)
    for number in range(5, 9):
        clock.now_ms += 1
        kept.begin("s", str(number), b"")
        kept.finish("s", str(number), 200, b"x" * 600)
    ((size,),) = index._read("SELECT sum(length(body)) FROM replies")
    assert size <= 1000 + 600
    assert kept.get("s", "8") is not None
