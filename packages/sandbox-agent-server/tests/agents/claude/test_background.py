"""Claude's background tasks, and the turns that it begins by itself, where the recording does not show them."""

from __future__ import annotations

from typing import Any

import pytest
from replay import Replay


def system(subtype: str, **fields: Any) -> dict[str, Any]:
    return {"type": "system", "subtype": subtype, **fields}


def started(task_id: str = "a1", **fields: Any) -> dict[str, Any]:
    told = {"task_id": task_id, "tool_use_id": "t1", "task_type": "local_agent", "description": "x"}
    return system("task_started", **told | fields)


def listed(*task_ids: str) -> dict[str, Any]:
    return system("background_tasks_changed", tasks=[{"task_id": id} for id in task_ids])


def lifecycle(state: str) -> dict[str, Any]:
    return {"type": "command_lifecycle", "command_uuid": "u1", "state": state}


def result(**fields: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False} | fields


INIT = system("init", session_id="s")
REQUESTING = system("status", status="requesting")
TEXT = {
    "type": "assistant",
    "parent_tool_use_id": None,
    "message": {"id": "m1", "content": [{"type": "text", "text": "hm"}]},
}


def said(replay: Replay) -> list[str]:
    """Of tasks and own turns, and answers to prompts."""
    told = []
    for frame in replay.to_client:
        method = str(frame.get("method", "answer"))
        if method == "answer":
            told.append("answer")
        elif method.startswith("_sandbox_agent/t"):
            params = frame["params"]
            detail = params.get("status") or params.get("stopReason") or params.get("taskId")
            told.append(f"{method.removeprefix('_sandbox_agent/')} {detail}")
    return told


def played(*messages: dict[str, Any], is_prompted: bool = False) -> Replay:
    replay = Replay()
    if is_prompted:
        replay.prompt()
    for message in messages:
        replay.claude(message)
    return replay


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([listed("a1"), started()], ["task.started a1"]),
        ([started(is_backgrounded=True), listed("a1")], ["task.started a1"]),
        ([started(is_backgrounded=False)], []),
        ([started(), system("task_updated", task_id="a1", patch={"is_backgrounded": True})], ["task.started a1"]),
        ([started(), listed("a1"), listed()], ["task.started a1", "task.ended stopped"]),
        ([started(), system("task_notification", task_id="a1", status="completed")], []),
        ([system("task_notification", task_id="a9", status="completed")], []),
    ],
)  # fmt: skip
def test_only_what_goes_on_in_the_background_is_a_task(
    messages: list[dict[str, Any]], expected: list[str]
) -> None:
    assert said(played(*messages)) == expected


@pytest.mark.parametrize(
    ("native", "status"),
    [("completed", "completed"), ("failed", "failed"), ("killed", "stopped"), ("stopped", "stopped")],
)  # fmt: skip
def test_a_task_ends_once_and_says_how(native: str, status: str) -> None:
    replay = played(
        started(is_backgrounded=True),
        system("task_updated", task_id="a1", patch={"status": native}),
        system("task_notification", task_id="a1", status=native, summary="s"),
        listed(),
    )
    assert said(replay) == ["task.started a1", f"task.ended {status}"]
    assert not replay.translator.has_task("a1")


def test_what_follows_a_task_is_a_turn_of_its_own() -> None:
    replay = played(
        started(is_backgrounded=True),
        system("task_notification", task_id="a1", status="completed"),
        INIT, REQUESTING, TEXT, result(total_cost_usd=0.5),
    )  # fmt: skip
    assert said(replay)[2:] == ["turn.started a1", "turn.ended end_turn"]


def test_an_announcement_alone_begins_nothing() -> None:
    assert said(played(INIT)) == []
    assert said(played(TEXT, REQUESTING)) == []


def test_the_turn_of_a_prompt_is_not_its_own() -> None:
    replay = played(
        lifecycle("queued"), lifecycle("started"), INIT, REQUESTING, TEXT,
        result(user_message_uuid="u1"), is_prompted=True,
    )  # fmt: skip
    assert said(replay) == ["answer"]


def test_an_old_claude_that_tells_no_lifecycle_is_at_its_prompt() -> None:
    assert said(played(INIT, REQUESTING, TEXT, result(), is_prompted=True)) == ["answer"]


def test_a_prompt_in_the_queue_is_not_answered_by_the_turn_before_it() -> None:
    replay = played(
        lifecycle("queued"), INIT, REQUESTING, TEXT, result(origin={"kind": "task-notification"}),
        lifecycle("started"), INIT, REQUESTING, result(user_message_uuid="u1"), is_prompted=True,
    )  # fmt: skip
    assert said(replay) == ["turn.started None", "turn.ended end_turn", "answer"]


def test_a_prompt_that_is_taken_into_its_own_turn_ends_that() -> None:
    replay = played(
        lifecycle("queued"), INIT, REQUESTING, TEXT, lifecycle("started"), TEXT,
        result(user_message_uuids=["u1"]), is_prompted=True,
    )  # fmt: skip
    assert said(replay) == ["turn.started None", "turn.ended end_turn", "answer"]


def test_its_own_turn_can_be_cancelled_and_can_fail() -> None:
    replay = played(INIT, REQUESTING)
    replay.cancel()
    replay.claude(result(subtype="error_during_execution", is_error=True))
    assert said(replay) == ["turn.started None", "turn.ended cancelled"]
    for message in (INIT, REQUESTING, result(is_error=True, result="overloaded")):
        replay.claude(message)
    assert replay.to_client[-1]["params"]["error"]["message"] == "overloaded"


def test_what_is_said_into_a_turn_and_dropped_leaves_the_turn_its_end() -> None:
    replay = Replay()
    replay.prompt()
    replay.claude(lifecycle("queued"))
    replay.claude(lifecycle("started"))
    replay.translator.steer("u2", 2)
    replay.claude(lifecycle("queued") | {"command_uuid": "u2"})
    replay.claude(result(user_message_uuids=["u1"], usage={"output_tokens": 7}))
    assert said(replay) == ["answer"], "only what was said is answered: the turn goes on"
    replay.cancel()
    replay.claude(lifecycle("cancelled") | {"command_uuid": "u2"})

    ends = [frame["result"] for frame in replay.to_client if frame.get("id") == 1]
    assert [(end["stopReason"], end["usage"]["outputTokens"]) for end in ends] == [("cancelled", 7)]


def test_a_turn_of_claudes_own_is_not_the_end_of_what_was_said_into_another() -> None:
    replay = Replay()
    replay.prompt()
    replay.claude(lifecycle("started"))
    replay.translator.steer("u2", 2)
    replay.claude(result(user_message_uuids=["u1"]))
    replay.claude(result(origin={"kind": "task-notification"}))
    assert said(replay) == []
    replay.claude(lifecycle("started") | {"command_uuid": "u2"})
    replay.claude(result(user_message_uuids=["u2"]))
    assert said(replay) == ["answer", "answer"]
