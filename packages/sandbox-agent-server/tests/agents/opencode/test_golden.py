"""Recorded transcripts of OpenCode 1.18.33 become the frames in `golden/`, one file for each.

After a wanted change: `UPDATE_GOLDEN=1 pytest …/test_golden.py`, then read the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from opencode_replay import play

HERE = Path(__file__).parent
TRANSCRIPTS = sorted((HERE / "transcripts").glob("*.jsonl"))
each_transcript = pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)


def items_of(transcript: Path) -> list[dict]:
    return [json.loads(line) for line in transcript.read_text(encoding="utf-8").splitlines()]


@each_transcript
def test_transcript_becomes_its_golden_frames(transcript: Path) -> None:
    golden = HERE / "golden" / transcript.name

    lines = [json.dumps(item, ensure_ascii=False) for item in play(transcript).out]

    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lines == golden.read_text(encoding="utf-8").splitlines()


@each_transcript
def test_every_prompt_is_answered_exactly_once(transcript: Path) -> None:
    prompts = [
        item["client"]["id"]
        for item in items_of(transcript)
        if item.get("client", {}).get("method") == "session/prompt"
    ]

    assert [answer["id"] for answer in play(transcript).answers] == prompts


@each_transcript
def test_no_text_of_the_model_is_lost_or_repeated(transcript: Path) -> None:
    deltas = [
        item["event"]["properties"]["delta"]
        for item in items_of(transcript)
        if item.get("event", {}).get("type") == "message.part.delta"
    ]

    told = [
        update["content"]["text"]
        for update in play(transcript).updates
        if update["sessionUpdate"] in ("agent_message_chunk", "agent_thought_chunk")
    ]

    assert "".join(told) == "".join(deltas)


@each_transcript
def test_every_tool_call_is_told_before_it_ends_and_ends_once(transcript: Path) -> None:
    open_calls: set[str] = set()
    for update in play(transcript).updates:
        if update["sessionUpdate"] == "tool_call":
            open_calls.add(update["toolCallId"])
        elif update["sessionUpdate"] == "tool_call_update":
            assert update["toolCallId"] in open_calls
            if update["status"] in ("completed", "failed"):
                open_calls.remove(update["toolCallId"])

    assert open_calls == set()


def test_there_is_a_golden_file_for_every_transcript_and_no_other() -> None:
    golden = {path.name for path in (HERE / "golden").glob("*")}

    assert golden == {path.name for path in TRANSCRIPTS}
