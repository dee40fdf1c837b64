"""A transcript as Markdown: what was said can be read, and is no markup of the document around it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_core.content import text_block
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.events.tool import Diff, Hunk
from sandbox_agent_core.view import (
    MessageItem,
    NoticeItem,
    PermissionItem,
    ToolItem,
    Transcript,
    Turn,
    render_markdown,
)
from sandbox_agent_core.view.markdown_text import code_span, embedded, fenced, inline

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def told(*items: object, prompt: str = "Fix it", **more: object) -> str:
    turn = Turn(id="trn_1", prompt=[text_block(prompt)], items=list(items), started_at=NOW, **more)
    return render_markdown(Transcript(session_id="ses_1", agent="mock", turns=[turn]))


def tool(tool_call_id: str = "t", **more: object) -> ToolItem:
    return ToolItem.model_validate(
        {"seq": 1, "time": NOW, "tool_call_id": tool_call_id, "status": "completed", **more}
    )


def test_a_session_reads_from_its_prompt_to_what_came_of_it() -> None:
    change = Diff(
        path="a.py", old_text="a\n", new_text="b\n",
        hunks=[Hunk(old_start=1, new_start=1, lines=["-a", "+b"])],
    )  # fmt: skip
    text = told(
        MessageItem(seq=1, time=NOW, text="I *look*."),
        tool("t1", title="make test", name="Bash", kind="execute", terminal_output="\x1b[31m1 failed\x1b[0m\n", exit_code=2, status="failed"),
        PermissionItem(seq=2, time=NOW, request_id="r", command="git push", option_name="Allow once", outcome="selected", decided_by="user", actor="ann"),
        tool("t2", title="Edit a.py", name="Edit", diffs=[change]),
        ended_at=NOW.replace(second=3), stop_reason="end_turn",
    )  # fmt: skip
    assert text == (
        "# Fix it\n\n- Agent: `mock`\n- Session: `ses_1`\n- Began: 2026-05-04 12:00:00 UTC\n\n"
        "## Turn 1 · 2026-05-04 12:00:00 UTC\n\n**You**\n\n> Fix it\n\nI *look*.\n\n"
        "**Bash** `make test` · failed · exit code 2\n\n```text\n1 failed\n```\n\n"
        "**Permission** `git push`: Allow once (ann)\n\n"
        "**Edit** `Edit a.py`\n\n```diff\n--- a.py\n+++ a.py\n@@ -1 +1 @@\n-a\n+b\n```\n\n*3.0 s*\n"
    )


def test_what_a_sub_agent_does_is_inside_of_its_call() -> None:
    text = told(
        tool("outer", title="review", name="Task"),
        tool("inner", title="grep", name="Grep", parent_tool_call_id="outer"),
    )
    assert "**Task** `review`\n\n> **Grep** `grep`" in text


def test_a_long_output_has_its_beginning_and_its_end() -> None:
    text = told(tool(title="run", terminal_output="\n".join(f"line {n}" for n in range(1000))))
    assert "line 99\n… 800 lines left out …\nline 900" in text


def test_secrets_are_masked_wherever_they_are() -> None:
    secret = "sk-ant-" + "a" * 40
    text = told(
        MessageItem(seq=1, time=NOW, text=secret),
        tool(title=f"curl {secret}", terminal_output=secret),
        NoticeItem(seq=2, time=NOW, notice="error", text=secret),
        prompt=secret,
        error=Fault(code="x", message=secret),
    )
    assert secret not in text
    assert text.count("sk-ant-") >= 6


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("# Big", "### Big"), ("Title\n=====", "Title\n\\====="), ("<script>x", "\\<script>x"),
        ("![x](http://e/x.png)", "\\![x](http://e/x.png)"), ("`<b>` <b>", "`<b>` \\<b>"),
        ("<https://e.org>", "<https://e.org>"), ("```\n<b>\n# x", "```\n<b>\n# x\n```"),
        ("~~~\n```", "~~~\n```\n~~~"), ("a\u202eb", "a⟨U+202E⟩b"), ("- ```py\nx", "- ```py\nx\n```"),
    ],
)  # fmt: skip
def test_markdown_of_an_agent_stays_inside(given: str, seen: str) -> None:
    assert embedded(given) == seen


def test_words_and_names_are_no_markup() -> None:
    assert inline("# @all\n[x](y) <b>") == "\\# \\@all \\[x\\](y) \\<b\\>"
    assert code_span("a`b``c") == "```a`b``c```"
    assert code_span("`x`") == "`` `x` ``"
    assert code_span(" ") == ""


@given(st.text())
def test_no_text_ends_its_fence(text: str) -> None:
    lines = fenced(text, "text").split("\n")
    fence = lines[-1]
    assert re.fullmatch("`{3,}", fence)
    assert lines[0] == f"{fence}text"
    assert fence not in "\n".join(lines[1:-1])
