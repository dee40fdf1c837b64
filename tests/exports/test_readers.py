"""What is exported of recorded sessions of real agents, read by those whose formats they are."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.content import parse_prompt
from sandbox_agent_core.exports import Sample, Score, to_atif, to_inspect
from sandbox_agent_core.exports.inspect_archive import inspect_archive
from sandbox_agent_core.view import MessageItem, ToolItem, Transcript, Turn, fold
from support.format_readers import read_all
from support.recordings import recorded_sessions

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
AGENTS = 13
"""Nine that speak ACP, four with a protocol of their own."""


def write(directory: Path, name: str, *samples: Sample) -> None:
    """A trajectory of each, and all in one log."""
    for number, sample in enumerate(samples):
        told = to_atif(sample.transcript, agent_version="1", media=f"{name}.{number}")
        (directory / f"{name}.{number}.atif.json").write_text(json.dumps(told.trajectory))
        for path, data in told.files.items():
            (directory / path).parent.mkdir(exist_ok=True)
            (directory / path).write_bytes(data)
    log = to_inspect(samples, task=name, created=NOON)
    (directory / f"{name}.inspect.json").write_text(json.dumps(log))
    (directory / f"{name}.eval").write_bytes(inspect_archive(log))


def hard_to_read() -> Transcript:
    """What the recordings have not."""
    picture = {"type": "image", "mimeType": "image/png", "data": base64.b64encode(b"png").decode()}
    sound = {"type": "audio", "mimeType": "audio/wav", "data": picture["data"]}
    link = {"type": "resource_link", "uri": "file:///a", "name": "a"}
    resource = {"type": "resource", "resource": {"uri": "file:///b", "text": "b"}}
    given: dict[str, Any] = {"seq": 1, "time": NOON, "status": "completed"}
    items = [
        ToolItem.model_validate({**given, "tool_call_id": "a", "content": [picture, link]}),
        ToolItem.model_validate({**given, "tool_call_id": "b", "input": [float("nan"), 10**40]}),
        ToolItem.model_validate({**given, "tool_call_id": "c", "parent_tool_call_id": "b"}),
        MessageItem(seq=2, time=NOON, text="half \ud83e", parent_tool_call_id="c"),
        MessageItem.model_validate({**given, "attachments": [picture, sound, link, resource]}),
    ]
    prompt = parse_prompt(["Look", picture, sound, link, resource])
    return Transcript(session_id="ses_1", turns=[Turn(id="t", prompt=prompt, items=items)])


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("exports")
    by_agent = defaultdict(list)
    for name, events in recorded_sessions().items():
        by_agent[name.partition("/")[0]].append(Sample(id=name, transcript=fold(events)))
    assert len(by_agent) == AGENTS
    for agent, samples in by_agent.items():
        write(directory, agent, *samples)
    write(
        directory,
        "hard",
        Sample(id="x/y ü", transcript=hard_to_read(), scores={"check": Score(value="C")}),
        Sample(id="x/y ü", epoch=2, transcript=Transcript(), scores={"check": Score(value=0.5)}),
    )
    return read_all(directory)


def test_every_reader_takes_every_export(read: dict[str, Any]) -> None:
    assert {name: one["problems"] for name, one in read.items() if one["problems"]} == {}
    assert sum(name.endswith(".atif.json") for name in read) == len(recorded_sessions()) + 2


def test_inspect_finds_what_was_said_and_done(read: dict[str, Any]) -> None:
    log = read["claude-native.eval"]
    same = read["claude-native.inspect.json"]
    for found in ("text", "calls", "events"):  # of samples in another order
        assert sorted(log[found]) == sorted(same[found])
    assert {"assistant", "tool"} <= set(log["roles"])
    assert {"user", "assistant", "tool"} <= set(read["opencode.eval"]["roles"])
    assert "span_begin" in log["events"]
    hard = read["hard.eval"]
    assert hard["samples"] == [["x/y ü", 1], ["x/y ü", 2]]
    assert hard["scores"] == [{"check": "C"}, {"check": 0.5}]
    assert hard["calls"] == ["a", "b"]
