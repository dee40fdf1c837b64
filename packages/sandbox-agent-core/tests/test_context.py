"""The earlier conversation as text: readable, honest about what it is, and bounded."""

from __future__ import annotations

from entries import server, update
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import Log, logs
from sandbox_agent_core.view import Transcript, fold, render_context


def _conversation(turns: int = 1) -> Transcript:
    log = Log()
    for number in range(1, turns + 1):
        log.begin(f"Question {number}")
        log.say("secret thought", kind="reasoning", item=f"thought {number}")
        log.tool("tool_call", f"t{number}", title="pytest -q", kind="execute", status="pending")
        content = [{"type": "content", "content": {"type": "text", "text": "1 passed"}}]
        exited = {"terminal_exit": {"exit_code": 0}}
        log.tool(
            "tool_call_update", f"t{number}", status="completed", content=content, _meta=exited
        )
        log.say(f"Answer {number}", item=f"answer {number}")
        log.end()
    return fold(log.events())


def test_it_reads_like_a_conversation_and_says_that_it_is_over() -> None:
    text = render_context(_conversation(), max_events=100, max_chars=10_000)
    head, _, body = text.partition("<earlier_conversation>\n")
    assert "earlier conversation" in head
    assert body == (
        "User: Question 1\n\n"
        "Tool (completed): pytest -q\n1 passed\nexit code 0\n\n"
        "Assistant: Answer 1\n"
        "</earlier_conversation>"
    )


def test_the_most_recent_entries_are_kept() -> None:
    text = render_context(_conversation(turns=5), max_events=2, max_chars=10_000)
    assert "Answer 5" in text
    assert "Question 5" not in text
    assert "older entries are left out" in text


def test_a_long_entry_is_cut_in_its_middle() -> None:
    log = Log()
    log.begin("Start" + "x" * 5000 + "End")
    text = render_context(fold(log.events()), max_events=10, max_chars=1500)
    assert len(text) <= 1500
    assert "User: Start" in text
    assert "xEnd" in text
    assert "cut" in text


def test_everything_that_decides_what_comes_next_is_told() -> None:
    log = Log()
    log.begin()
    log.ask("req_1")
    log.allow("req_1")
    diff = {"type": "diff", "path": "/workspace/a.py", "newText": "a"}
    log.tool("tool_call", "t", title="Edit", status="failed", content=[diff])
    log.add(
        update("plan", entries=[{"content": "Ship", "status": "completed"}], stamps=log.stamps())
    )
    log.add(server("agent.exited", {"exitCode": 137}, **log.stamps()))
    log.add(server("turn.ended", {"stopReason": "interrupted"}, **log.stamps()))
    text = render_context(fold(log.events()), max_events=100, max_chars=10_000)
    for part in (
        "[Permission asked: rm. Answer: Yes]",
        "Tool (failed): Edit\nchanged /workspace/a.py",
        "Plan:\n- [x] Ship",
        "[The agent's process ended unexpectedly (code 137).]",
        "[The turn ended early (interrupted)]",
    ):
        assert part in text


def test_nothing_to_tell_or_no_room_is_no_text() -> None:
    assert render_context(Transcript(), max_events=10, max_chars=10_000) == ""
    assert render_context(_conversation(), max_events=0, max_chars=10_000) == ""
    assert render_context(_conversation(), max_events=10, max_chars=100) == ""


@settings(max_examples=200, deadline=None)
@given(logs(), st.integers(0, 20), st.integers(0, 2000))
def test_it_never_exceeds_its_bounds(log: Log, max_events: int, max_chars: int) -> None:
    text = render_context(fold(log.events()), max_events=max_events, max_chars=max_chars)
    assert len(text) <= max_chars
