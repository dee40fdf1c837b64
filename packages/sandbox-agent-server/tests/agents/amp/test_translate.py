"""What the stand-in does not show: sub-agents, limits, messages of odd shapes."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_server.agents.amp.content import prompt_text
from sandbox_agent_server.agents.amp.tools import call_fields
from sandbox_agent_server.agents.amp.translate import Translator
from sandbox_agent_server.agents.native.refusals import InvalidParams

USAGE = {"input_tokens": 1, "output_tokens": 2, "max_tokens": 100}


def translator() -> Translator:
    ids = count(1)
    made = Translator(
        session_id="s", thread=None, cwd="/repo", new_id=lambda: f"message-{next(ids)}"
    )
    made.begin(1)
    return made


def said(*content: Any, parent: str | None = None, usage: Any = USAGE) -> dict[str, Any]:
    message = {"role": "assistant", "content": list(content), "usage": usage}
    return {"type": "assistant", "message": message, "parent_tool_use_id": parent}


def updates(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [frame["params"]["update"] for frame in frames if frame["method"] == acp.SESSION_UPDATE]


def test_what_a_sub_agent_says_names_the_call_that_started_it() -> None:
    made = translator()

    frames = made.feed(said({"type": "text", "text": "hi"}, parent="task-1")).frames

    [update] = updates(frames)
    assert update["_meta"] == {"parentToolCallId": "task-1"}


def test_tokens_of_sub_agents_count_and_their_context_does_not() -> None:
    made = translator()

    frames = made.feed(said(parent="task-1")).frames + made.feed(said()).frames
    [answer] = made.feed({"type": "result", "subtype": "success", "is_error": False}).frames

    assert len(updates(frames)) == 1
    responded = [one["params"] for one in frames if one["method"] == extensions.MODEL_RESPONDED]
    assert [one.get("parentToolCallId") for one in responded] == ["task-1", None]
    assert {one["usage"]["totalTokens"] for one in responded} == {3}
    assert answer["result"]["usage"]["totalTokens"] == 6


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"subtype": "success", "is_error": False}, "end_turn"),
        ({"subtype": "error_max_turns", "is_error": True, "error": "limit"}, "max_turn_requests"),
    ],
)
def test_how_a_turn_ends(result: dict[str, Any], expected: str) -> None:
    [answer] = translator().feed({"type": "result", **result}).frames

    assert answer["result"]["stopReason"] == expected


def test_a_result_that_answers_nothing_is_passed_on() -> None:
    made = translator()
    made.cancelled()

    [frame] = made.feed({"type": "result", "subtype": "success"}).frames

    assert frame["method"] == "_amp/result"


def test_the_thread_is_told_once_and_the_same_init_too() -> None:
    made = translator()
    init = {"type": "system", "subtype": "init", "session_id": "T-1", "tools": []}

    first, again = made.feed(init).frames, made.feed(init).frames

    assert [frame["method"] for frame in first] == ["session/update", "_amp/system"]
    assert again == []
    assert made.thread == "T-1"


def test_what_is_unknown_is_passed_on_whole() -> None:
    [frame] = translator().feed({"type": "news", "x": 1}).frames

    assert frame["method"] == "_amp/news"
    assert frame["params"]["message"] == {"type": "news", "x": 1}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": None},
        {"type": "assistant"},
        {"type": "assistant", "message": {"content": None, "usage": {"input_tokens": "x"}}},
        said("text", {"type": "text"}, {"type": "tool_use"}, usage=7),
        {"type": "user", "message": {"content": "a text"}},
        {"type": "user", "message": {"content": [{"type": "tool_result", "content": [1]}]}},
        {"type": "system", "subtype": "init", "session_id": 7},
    ],
)
def test_messages_of_odd_shapes_break_nothing(message: dict[str, Any]) -> None:
    made = translator()

    made.feed(message)

    [answer] = made.feed({"type": "result", "subtype": "success", "is_error": False}).frames
    assert answer["result"]["stopReason"] == "end_turn"


@pytest.mark.parametrize(
    ("name", "given", "title", "kind"),
    [
        ("Bash", {"cmd": "make\ntest"}, "make …", "execute"),
        ("shell_command", {"command": "ls"}, "ls", "execute"),
        ("Read", {"path": "/repo/a"}, "Read a", "read"),
        ("Grep", {"pattern": "x", "path": "src"}, "Grep x", "search"),
        ("web_search", {"query": "x"}, "web_search x", "search"),
        ("mcp__files__read", {"path": "a"}, "mcp__files__read a", "other"),
        ("", 7, "Tool", "other"),
    ],
)
def test_a_call_says_what_it_is(name: str, given: Any, title: str, kind: str) -> None:
    fields = call_fields(name, given, cwd="/repo")

    assert (fields["title"], fields["kind"]) == (title, kind)


def test_a_prompt_is_one_text() -> None:
    blocks = [
        {"type": "text", "text": "look at"},
        {"type": "resource_link", "uri": "file:///repo/a%20b", "name": "a"},
        {"type": "resource", "resource": {"uri": "file:///c", "text": "C"}},
    ]

    assert prompt_text(blocks) == (
        'look at\n\n@/repo/a b\n\n<context uri="file:///c">\nC\n</context>'
    )
    with pytest.raises(InvalidParams):
        prompt_text([])
