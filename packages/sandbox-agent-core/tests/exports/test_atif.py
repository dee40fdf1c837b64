"""A transcript as an ATIF trajectory."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox_agent_core.content import text_block
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.events.tokens import TokenUsage
from sandbox_agent_core.events.usage import Cost
from sandbox_agent_core.exports import AtifExport, to_atif
from sandbox_agent_core.exports.conversation import MAX_DEPTH
from sandbox_agent_core.view import (
    MessageItem,
    NoticeItem,
    PermissionItem,
    ReasoningItem,
    SteeredPrompt,
    ToolItem,
    Transcript,
    Turn,
)
from told import calls_of

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PICTURE = {"type": "image", "mimeType": "image/png", "data": base64.b64encode(b"png").decode()}


def exported(*items: object, media: str | None = None, **more: Any) -> AtifExport:
    turn = Turn(
        id="trn_1", prompt=[text_block("Fix it")], items=list(items), started_at=NOON, **more
    )
    transcript = Transcript(session_id="ses_1", agent="claude", model="opus", turns=[turn])
    return to_atif(transcript, agent_version="2.1", media=media)


def said(text: str, second: int = 1, **more: Any) -> MessageItem:
    return MessageItem(seq=second, time=NOON + timedelta(seconds=second), text=text, **more)


def tool(call: str, second: int = 2, **more: Any) -> ToolItem:
    given = {"seq": second, "time": NOON + timedelta(seconds=second), "status": "completed"}
    return ToolItem.model_validate({**given, "tool_call_id": call, **more})


def test_calls_and_their_results_are_in_the_step_in_which_they_were_made() -> None:
    steps = exported(
        ReasoningItem(seq=1, time=NOON, text="Hm."),
        said("I look."),
        tool("a", name="Bash", input={"command": "ls"}, terminal_output="x\n", exit_code=0),
        tool("b", kind="edit", title="Edit", status="failed", reason="denied"),
        tool("c", status="in_progress"),
        said("Done.", 3),
    ).trajectory["steps"]
    assert [step["step_id"] for step in steps] == [1, 2, 3]
    assert [step["source"] for step in steps] == ["user", "agent", "agent"]
    _, work, end = steps
    assert (work["reasoning_content"], work["message"], end["message"]) == (
        "Hm.",
        "I look.",
        "Done.",
    )
    assert [call["function_name"] for call in work["tool_calls"]] == ["Bash", "edit", "tool"]
    assert work["tool_calls"][0]["arguments"] == {"command": "ls"}
    results = {one["source_call_id"]: one["content"] for one in work["observation"]["results"]}
    assert results == {"a": "x\n", "b": "denied"}


def test_use_and_end_of_a_turn_are_told_of_its_last_step_and_summed() -> None:
    usage = TokenUsage(
        input_tokens=10, cached_read_tokens=5, cached_write_tokens=1, output_tokens=7
    )
    told = exported(
        said("One."), tool("a"), said("Two.", 3),
        usage=usage, cost=Cost(amount=0.5), model_calls=2, stop_reason="end_turn",
    ).trajectory  # fmt: skip
    counts = {"prompt_tokens": 16, "completion_tokens": 7, "cached_tokens": 5, "cost_usd": 0.5}
    last = told["steps"][-1]
    assert last["metrics"] == {**counts, "extra": {"of": "turn"}}
    assert (last["llm_call_count"], last["extra"]["turn"]["stopReason"]) == (2, "end_turn")
    assert told["final_metrics"] == {
        **{f"total_{name}": count for name, count in counts.items()}, "total_steps": 3
    }  # fmt: skip


def test_use_of_a_turn_without_a_step_of_the_agent_is_in_the_whole_alone() -> None:
    told = exported(usage=TokenUsage(output_tokens=7), error=Fault(code="x", message="y"))
    assert all("metrics" not in step for step in told.trajectory["steps"])
    assert told.trajectory["steps"][-1]["message"] == "x: y"
    assert told.trajectory["final_metrics"]["total_completion_tokens"] == 7


def test_a_sub_agent_is_a_trajectory_inside_of_the_one_that_called_it() -> None:
    told = exported(
        tool("task", 1, name="Task", terminal_output="It is 4."),
        said("Which is it?", 2, role="user", parent_tool_call_id="task"),
        tool("inner", 3, name="Read", parent_tool_call_id="task"),
        said("It is 4.", 4, parent_tool_call_id="task"),
        said("Four.", 5),
    ).trajectory
    (inner,) = told["subagent_trajectories"]
    assert [step["source"] for step in inner["steps"]] == ["user", "agent", "agent"]
    (result,) = told["steps"][1]["observation"]["results"]
    assert result["subagent_trajectory_ref"] == [{"trajectory_id": inner["trajectory_id"]}]
    assert [step["message"] for step in told["steps"]] == ["Fix it", "", "Four."]


def test_calls_inside_of_each_other_have_an_end() -> None:
    depth = 3 * MAX_DEPTH
    deep = [tool(f"t{n}", n, parent_tool_call_id=f"t{n - 1}" if n else None) for n in range(depth)]
    astray = [tool("self", 90, parent_tool_call_id="self"), tool("x", 91, parent_tool_call_id="y")]
    told = exported(*deep, *astray, tool("y", 92, parent_tool_call_id="x")).trajectory
    assert len([*calls_of(told)]) == depth + 3
    levels, inner = 0, told
    while "subagent_trajectories" in inner:
        levels, inner = levels + 1, inner["subagent_trajectories"][0]
    assert levels == MAX_DEPTH


def test_decisions_and_mishaps_are_kept() -> None:
    permission = PermissionItem(
        seq=2, time=NOON, request_id="r", option_name="No", outcome="selected", actor="ann"
    )
    notice = NoticeItem(seq=3, time=NOON, notice="agent_exited", text="It died.", detail="stderr")
    steps = exported(said("Hm."), permission, notice).trajectory["steps"]
    assert steps[1]["extra"]["requests"][0]["actor"] == "ann"
    assert (steps[2]["source"], steps[2]["message"]) == ("system", "It died.\nstderr")


def test_what_was_said_meanwhile_is_where_it_was_said() -> None:
    steered = SteeredPrompt(content=[text_block("Stop")], time=NOON + timedelta(seconds=2))
    steps = exported(said("One.", 1), said("Two.", 3), steered=[steered]).trajectory["steps"]
    assert [step["message"] for step in steps] == ["Fix it", "One.", "Stop", "Two."]


def test_an_echo_of_the_prompt_is_not_said_twice() -> None:
    steps = exported(said("Fix it", role="user"), said("Yes.", 2)).trajectory["steps"]
    assert [step["message"] for step in steps] == ["Fix it", "Yes."]


def test_pictures_are_files_or_stay_where_they_are() -> None:
    shown = {"content": [{"type": "text", "text": "Look"}, PICTURE]}
    told = exported(tool("a", **shown), media="files")
    (path,) = told.files
    assert told.files[path] == b"png"
    assert path.startswith("files/")
    text, picture = told.trajectory["steps"][1]["observation"]["results"][0]["content"]
    assert text == {"type": "text", "text": "Look"}
    assert picture["source"] == {"media_type": "image/png", "path": path}
    (alone,) = exported(tool("a", **shown)).trajectory["steps"][1]["observation"]["results"]
    assert alone["content"] == "Look\n[image/png]"
    assert alone["extra"]["content"] == [PICTURE]
    broken = exported(tool("a", content=[{**PICTURE, "data": "?"}]), media="files")
    assert broken.files == {}


def test_a_session_in_which_nothing_was_said_has_a_step() -> None:
    trajectory = to_atif(Transcript()).trajectory
    assert [step["source"] for step in trajectory["steps"]] == ["system"]
    assert trajectory["agent"] == {"name": "unknown", "version": "unknown"}
