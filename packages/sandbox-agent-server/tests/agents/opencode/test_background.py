"""Sub-agents that run beside OpenCode's turn, and what it does by itself when they end."""

from __future__ import annotations

from typing import Any

import pytest
from opencode_replay import make_translator
from sandbox_agent_server.agents.opencode.translate import ASK_STATUS, Translator

MAIN, CHILD = "ses_1", "ses_2"


def feed(translator: Translator, kind: str, **properties: Any) -> list[str]:
    """What is said of tasks and own turns because of an event."""
    output = translator.feed({"type": kind, "properties": properties})
    return _said(output.frames)


def _said(frames: list[dict[str, Any]]) -> list[str]:
    told = []
    for frame in frames:
        method = str(frame.get("method", ""))
        if method.startswith("_sandbox_agent/"):
            params = frame["params"]
            detail = params.get("status") or params.get("stopReason") or params.get("taskId")
            told.append(f"{method.removeprefix('_sandbox_agent/')} {detail}")
    return told


def task(status: str = "running", *, is_background: bool = True) -> dict[str, Any]:
    metadata = {"sessionId": CHILD, "background": is_background}
    state = {"status": status, "input": {"description": "look"}, "metadata": metadata}
    part = {"id": "p1", "sessionID": MAIN, "messageID": "m1", "type": "tool", "tool": "task"}
    return {**part, "callID": "c1", "state": state}


def status(kind: str) -> dict[str, Any]:
    return {"sessionID": MAIN, "status": {"type": kind}}


@pytest.fixture
def working() -> Translator:
    """A sub-agent runs, the turn that started it is over."""
    translator = make_translator({"id": MAIN})
    translator.begin_turn(1)
    assert feed(translator, "message.part.updated", part=task()) == [f"task.started {CHILD}"]
    assert feed(translator, "message.part.updated", part=task("completed")) == []
    assert len(translator.end_turn()) == 1
    return translator


def test_one_within_the_turn_is_no_task() -> None:
    translator = make_translator({"id": MAIN})
    translator.begin_turn(1)
    assert feed(translator, "message.part.updated", part=task(is_background=False)) == []


def test_it_ends_once_and_the_agent_goes_on_in_a_turn_of_its_own(working: Translator) -> None:
    assert feed(working, "session.idle", sessionID=CHILD) == ["task.ended completed"]
    assert feed(working, "session.status", sessionID=CHILD, status={"type": "idle"}) == []
    assert feed(working, "session.status", **status("busy")) == [f"turn.started {CHILD}"]
    assert not working.is_prompted
    output = working.feed({"type": "session.idle", "properties": {"sessionID": MAIN}})
    if output.replies == [ASK_STATUS]:
        assert _said(working.end_turn()) == ["turn.ended end_turn"]
    else:
        assert _said(output.frames) == ["turn.ended end_turn"]
    assert feed(working, "session.status", **status("busy")) == []


def test_one_that_is_stopped_wakes_nobody(working: Translator) -> None:
    assert [reply["path"] for reply in working.stop_task(CHILD)] == [f"/session/{CHILD}/abort"]
    assert working.stop_task("ses_9") == []
    assert feed(working, "session.idle", sessionID=CHILD) == ["task.ended stopped"]
    assert feed(working, "session.status", **status("busy")) == []


@pytest.mark.parametrize(
    ("error", "how"), [("MessageAbortedError", "stopped"), ("APIError", "failed")]
)
def test_one_that_fails_says_so(working: Translator, error: str, how: str) -> None:
    feed(working, "session.error", sessionID=CHILD, error={"name": error})
    assert feed(working, "session.idle", sessionID=CHILD) == [f"task.ended {how}"]


def test_a_prompt_ends_the_turn_that_it_is_taken_into(working: Translator) -> None:
    feed(working, "session.idle", sessionID=CHILD)
    feed(working, "session.status", **status("busy"))
    assert _said(working.end_own_turn()) == ["turn.ended end_turn"]
    working.begin_turn(2)
    assert working.is_prompted
    assert working.end_own_turn() == []
