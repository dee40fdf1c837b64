"""What is found of a log, and what is shown of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_core.frames import LogEntry, extensions
from sandbox_agent_core.frames.jsonrpc import notification, request
from sandbox_agent_core.stores.searchable import (
    SEARCH_TEXT_CHARS,
    excerpt,
    searchable_text,
    words_of,
)


def text_of(sender: Any, payload: dict[str, Any], **stamped: Any) -> str | None:
    entry = LogEntry(
        session_id="s", seq=1, time_ms=1, sender=sender, payload=payload,
        method=payload.get("method"), **stamped,
    )  # fmt: skip
    return searchable_text(entry)


def text(value: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": value}]


def update(kind: str, /, **members: Any) -> dict[str, Any]:
    return notification("session/update", {"update": {"sessionUpdate": kind, **members}})


def said(value: str) -> dict[str, Any]:
    content = {"role": "assistant", "content": text(value)}
    return notification(extensions.MESSAGE_COMPLETED, content)


def test_prompts_messages_and_titles_are_found() -> None:
    assert text_of("client", request(1, "session/prompt", {"prompt": text("hello")})) == "hello"
    assert text_of("server", said("an answer")) == "an answer"
    titled = notification(f"{extensions.PREFIX}session.updated", {"title": "A name"})
    assert text_of("server", titled) == "A name"
    assert text_of("agent", update("session_info_update", title="Its name")) == "Its name"


def test_a_tool_call_is_found_when_it_has_ended() -> None:
    call = {"toolCallId": "t", "title": "make test", "kind": "execute"}
    assert text_of("agent", update("tool_call", **call, status="in_progress")) is None
    ended = update(
        "tool_call_update",
        **call,
        status="completed",
        content=[{"type": "content", "content": text("shown")[0]}],
        rawOutput={"stdout": "42 passed", "stderr": "a warning"},
    )
    found = text_of("agent", ended)
    assert found == "make test\nshown\n42 passed\na warning"


def test_pieces_and_thoughts_are_not() -> None:
    chunk = {"type": "text", "text": "hi"}
    for kind in ("agent_message_chunk", "agent_thought_chunk", "user_message_chunk"):
        assert text_of("agent", update(kind, content=chunk)) is None
    thought = notification(extensions.REASONING_COMPLETED, {"content": text("hm")})
    assert text_of("server", thought) is None
    assert text_of("server", said(" \0 ")) is None


def test_it_is_bounded_and_can_be_stored_anywhere() -> None:
    assert text_of("server", said("x" * (SEARCH_TEXT_CHARS + 5))) == "x" * SEARCH_TEXT_CHARS
    assert text_of("server", said("a\0b \ud83d c")) == "a b \ufffd c"


@pytest.mark.parametrize(
    ("words", "found"),
    [("Fix foo_bar.py!", ["fix", "foo", "bar", "py"]), ("", []), ("«Ça» 東京 x2", ["ça", "東京", "x2"])],
)  # fmt: skip
def test_words_are_runs_of_letters_and_digits(words: str, found: list[str]) -> None:
    assert words_of(words) == found


def test_an_excerpt_is_a_line_around_the_first_word() -> None:
    assert excerpt("short\n text", ["text"]) == "short text"
    long = excerpt(f"{'aaa ' * 100}Needle\n{'bbb ' * 100}", ["needle"])
    assert long.startswith("…aaa ")
    assert "Needle bbb" in long
    assert long.endswith("…")


@given(st.text(), st.lists(st.text(min_size=1)))
def test_an_excerpt_is_of_the_text(whole: str, words: list[str]) -> None:
    shown = excerpt(whole, words).strip("…")
    assert set(shown) <= set(whole) | {" "}
    assert len(shown) <= 160
