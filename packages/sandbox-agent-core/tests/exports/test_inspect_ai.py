"""Transcripts as a log of Inspect."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from sandbox_agent_core.content import text_block
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.events.tokens import TokenUsage
from sandbox_agent_core.events.usage import Cost
from sandbox_agent_core.exports import Sample, Score, to_inspect
from sandbox_agent_core.exports.inspect_archive import inspect_archive
from sandbox_agent_core.view import MessageItem, ToolItem, Transcript, Turn

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def session(*items: object, **more: Any) -> Transcript:
    given = {"started_at": NOON, "ended_at": NOON.replace(minute=1), "stop_reason": "end_turn"}
    turn = Turn.model_validate(
        {"id": "trn_1", "prompt": [text_block("Fix it")], "items": list(items), **given, **more}
    )
    return Transcript(session_id="ses_1", agent="claude", model="opus", turns=[turn])


def log(*samples: Sample) -> dict[str, Any]:
    return to_inspect(samples, task="fixes", created=NOON)


def tool(call: str, **more: Any) -> ToolItem:
    given = {"seq": 2, "time": NOON, "status": "completed", "name": "Bash"}
    return ToolItem.model_validate({**given, "tool_call_id": call, **more})


def test_repeats_are_epochs_and_grades_are_scores() -> None:
    one = Sample(
        id="a",
        transcript=session(usage=TokenUsage(total_tokens=3), cost=Cost(amount=0.5)),
        scores={"check": Score(value="C", explanation="fine"), "speed": Score(value=2)},
        metadata={"diff": "--- a"},
    )
    two = Sample(
        id="a",
        epoch=2,
        transcript=session(usage=TokenUsage(total_tokens=4)),
        scores={"check": Score(value="I")},
    )
    told = log(one, two)
    assert [(sample["id"], sample["epoch"]) for sample in told["samples"]] == [("a", 1), ("a", 2)]
    assert told["samples"][0]["scores"]["check"] == {"value": "C", "explanation": "fine"}
    assert told["samples"][0]["metadata"]["diff"] == "--- a"
    assert told["stats"]["model_usage"]["claude/opus"] == {"total_tokens": 7, "total_cost": 0.5}
    check, speed = told["results"]["scores"]
    assert check["metrics"]["accuracy"]["value"] == 0.5
    assert (speed["metrics"]["mean"]["value"], speed["unscored_samples"]) == (2.0, 1)
    assert (told["status"], told["eval"]["config"]) == ("success", {"epochs": 2})
    with pytest.raises(ValueError, match="epoch"):
        log(one, one)


def test_a_conversation_has_calls_and_their_results() -> None:
    said = MessageItem(seq=1, time=NOON, text="I look.")
    bad = tool("b", status="failed", terminal_output="no such file", exit_code=2)
    (sample,) = log(Sample(id="a", transcript=session(said, tool("a", output="x"), bad)))["samples"]
    roles = [message["role"] for message in sample["messages"]]
    assert roles == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in sample["messages"][1]["tool_calls"]] == ["a", "b"]
    assert sample["messages"][2]["content"] == "x"
    assert sample["messages"][3]["error"] == {"type": "unknown", "message": "no such file"}
    assert (sample["input"], sample["total_time"], sample["working_time"]) == ("Fix it", 60.0, 60.0)
    assert sample["output"]["choices"][0]["stop_reason"] == "stop"


def test_a_sub_agent_is_a_span_of_events() -> None:
    inner = MessageItem(seq=3, time=NOON, text="It is 4.", parent_tool_call_id="task")
    (sample,) = log(Sample(id="a", transcript=session(tool("task", name="Task"), inner)))["samples"]
    assert "It is 4." not in json.dumps(sample["messages"])
    kinds = [event["event"] for event in sample["events"]]
    assert kinds == ["model", "tool", "span_begin", "model", "span_end"]
    spans = {event.get("span_id") for event in sample["events"][2:]}
    assert spans == {sample["events"][1]["agent_span_id"]}


def test_what_failed_is_an_error_and_what_runs_has_only_started() -> None:
    failed = session(stop_reason="error", error=Fault(code="agent_error", message="no key"))
    told = log(Sample(id="a", transcript=failed))
    assert (told["status"], told["error"]["message"]) == ("error", "agent_error: no key")
    assert log(Sample(id="a", transcript=session(stop_reason=None)))["status"] == "started"
    assert log(Sample(id="a", transcript=session(stop_reason="cancelled")))["status"] == "cancelled"
    never = Sample(id="a", transcript=Transcript(), error=Fault(code="x", message="no sandbox"))
    assert log(never)["samples"][0]["error"]["message"] == "x: no sandbox"


def test_an_archive_has_a_file_for_each_sample_and_is_always_the_same() -> None:
    told = log(Sample(id="a/b c", transcript=session()), Sample(id="z", transcript=session()))
    packed = inspect_archive(told)
    assert packed == inspect_archive(told)
    names = zipfile.ZipFile(io.BytesIO(packed)).namelist()
    assert "samples/a/b c_epoch_1.json" in names
    assert {"header.json", "summaries.json", "_journal/start.json"} <= set(names)
