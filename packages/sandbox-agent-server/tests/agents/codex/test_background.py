"""What Codex goes on with when a turn is over, and the turns that it begins by itself."""

from __future__ import annotations

from typing import Any

import pytest
from codex_replay import Replay, item

COMMAND = item("commandExecution", "c1", command="/bin/bash -lc 'make'", status="inProgress")


def said(replay: Replay) -> list[dict[str, Any]]:
    """Of tasks and own turns, without the session."""
    prefix = "_sandbox_agent/"
    return [
        {"method": frame["method"].removeprefix(prefix), **frame["params"], "sessionId": None}
        for frame in replay.to_client
        if str(frame.get("method")).startswith((f"{prefix}task", f"{prefix}turn"))
    ]


def a_command_is_left(replay: Replay) -> None:
    replay.client({"id": 1, "method": "session/prompt"})
    replay.translator.prompt_taken({"turn": {"id": "t1"}})
    replay.codex("turn/started", turn={"id": "t1"})
    replay.codex("item/started", item=COMMAND)
    replay.codex("turn/completed", turn={"id": "t1", "status": "completed"})


@pytest.mark.parametrize(
    ("status", "exit_code", "how"),
    [("completed", 0, "completed"), ("failed", 2, "failed"), ("odd", None, "failed")],
)
def test_a_command_that_outlives_its_turn_is_a_task(
    status: str, exit_code: int | None, how: str
) -> None:
    replay = Replay()
    a_command_is_left(replay)
    started, answer = replay.to_client[-2:]
    assert "result" in answer
    assert started["method"] == "_sandbox_agent/task.started"
    assert started["params"].items() >= {"taskId": "c1", "kind": "shell", "title": "make"}.items()
    replay.completed({**COMMAND, "status": status, "exitCode": exit_code})
    assert [one.get("status") for one in said(replay)] == [None, how]
    assert replay.to_client[-1]["method"] == "_sandbox_agent/task.ended"


def test_a_command_that_was_to_be_stopped_is_stopped_whatever_its_end() -> None:
    replay = Replay()
    a_command_is_left(replay)
    assert replay.translator.stop_task("c1") is not None
    assert replay.translator.stop_task("c9") is None
    replay.completed({**COMMAND, "status": "failed", "exitCode": -1})
    assert said(replay)[-1]["status"] == "stopped"


def test_a_command_of_a_cancelled_turn_is_no_task() -> None:
    replay = Replay()
    replay.client({"id": 1, "method": "session/prompt"})
    replay.translator.prompt_taken({"turn": {"id": "t1"}})
    replay.codex("turn/started", turn={"id": "t1"})
    replay.codex("item/started", item=COMMAND)
    replay.codex("turn/completed", turn={"id": "t1", "status": "interrupted"})
    assert said(replay) == []


def test_a_sub_agent_that_outlives_the_turn_is_a_task() -> None:
    replay = Replay()
    replay.client({"id": 1, "method": "session/prompt"})
    replay.translator.prompt_taken({"turn": {"id": "t1"}})
    replay.codex("turn/started", turn={"id": "t1"})
    replay.codex("turn/started", threadId="sub", turn={"id": "t2"})
    replay.codex("turn/completed", turn={"id": "t1", "status": "completed"})
    assert [(one["method"], one["taskId"]) for one in said(replay)] == [("task.started", "sub")]
    replay.translator.stop_task("sub")
    assert replay.translator.take_due().interrupts == [("sub", "t2")]
    replay.codex("turn/completed", threadId="sub", turn={"id": "t2", "status": "interrupted"})
    assert said(replay)[-1]["status"] == "stopped"


def test_a_turn_that_nobody_asked_for_is_codexs_own() -> None:
    replay = Replay()
    replay.codex("turn/started", turn={"id": "g1"})
    replay.codex("turn/completed", turn={"id": "g1", "status": "completed"})
    replay.codex("turn/started", turn={"id": "g2"})
    replay.codex("turn/completed", turn={"id": "g2", "status": "budget_limited"})
    assert [(one["method"], one.get("stopReason")) for one in said(replay)] == [
        ("turn.started", None), ("turn.ended", "end_turn"),
        ("turn.started", None), ("turn.ended", "budget_limited"),
    ]  # fmt: skip


def test_the_turn_of_a_prompt_is_not() -> None:
    replay = Replay()
    replay.client({"id": 1, "method": "session/prompt"})
    replay.codex("turn/started", turn={"id": "t1"})  # before `turn/start` is answered
    replay.translator.prompt_taken({"turn": {"id": "t1"}})
    replay.codex("turn/completed", turn={"id": "t1", "status": "completed"})
    assert said(replay) == []
    assert replay.to_client[-1]["result"]["stopReason"] == "end_turn"
