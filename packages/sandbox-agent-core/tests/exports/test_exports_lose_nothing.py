"""Whatever is in a session: an export of it is plain JSON, and has every message and every call."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from frame_strategies import entries, json_values
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import Log, logs
from sandbox_agent_core.exports import Sample, to_atif, to_inspect
from sandbox_agent_core.exports.plain_json import MAX_NESTING, plain_json
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project
from sandbox_agent_core.view import Transcript, TranscriptFolder, fold
from told import calls_in, calls_of, said_in, texts_in

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def check(transcript: Transcript) -> None:
    trajectory = to_atif(transcript, media="media").trajectory
    log = to_inspect([Sample(id="a", transcript=transcript)], task="t", created=NOON)
    for told in (trajectory, log):
        assert json.loads(json.dumps(told, allow_nan=False).encode()) == told
        texts = texts_in(told)
        assert all(said in texts for said in said_in(transcript))
    assert sorted(calls_of(trajectory)) == calls_in(transcript)
    (sample,) = log["samples"]
    called = sorted(event["id"] for event in sample["events"] if event["event"] == "tool")
    assert called == calls_in(transcript)
    for step in trajectory["steps"]:
        calls = {call["tool_call_id"] for call in step.get("tool_calls", [])}
        results = step.get("observation", {}).get("results", [])
        assert {result["source_call_id"] for result in results} <= calls


@settings(max_examples=60)
@given(logs())
def test_sessions_as_they_should_be(log: Log) -> None:
    check(fold(log.events()))


@settings(max_examples=60)
@given(st.lists(entries(), max_size=8))
def test_sessions_as_they_should_not_be(found: list[LogEntry]) -> None:
    folder = TranscriptFolder()
    for seq, entry in enumerate(found, start=1):
        if (event := project(entry)) is not None:
            folder.apply(event.model_copy(update={"seq": seq}))
    check(folder.transcript)


@given(json_values)
def test_what_is_exported_is_plain_json(value: Any) -> None:
    told = plain_json(value)
    json.dumps(told, allow_nan=False, ensure_ascii=False).encode()


def test_credentials_are_masked_and_nesting_has_an_end() -> None:
    deep: Any = "x"
    for _ in range(10 * MAX_NESTING):
        deep = [deep]
    told = plain_json(
        {"text": "key sk-ant-abcdefghijkl", "api_key": "hunter2", "n": 10**30, "x": float("inf"), "deep": deep, "picture": "data:image/png;base64,eyJabcdefgh.abcdefgh.x"}
    )  # fmt: skip
    assert told["text"] == "key sk-ant-***"
    assert (told["api_key"], told["n"], told["x"]) == ("***", str(10**30), "inf")
    assert json.dumps(told["deep"]).count("[") < MAX_NESTING + 1
    assert told["picture"].endswith(".x")
