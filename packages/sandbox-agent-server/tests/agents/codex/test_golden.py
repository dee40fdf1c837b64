"""Recorded transcripts of Codex 0.169.0 become the frames in `golden/`, one file for each.

After a wanted change: `UPDATE_GOLDEN=1 pytest …/test_golden.py`, then read the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from codex_replay import play, read

HERE = Path(__file__).parent
TRANSCRIPTS = sorted((HERE / "transcripts").glob("*.jsonl"))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript_becomes_its_golden_frames(transcript: Path) -> None:
    golden = HERE / "golden" / transcript.name

    lines = [json.dumps(entry, ensure_ascii=False) for entry in play(transcript).out]

    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lines == golden.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_every_prompt_is_answered_exactly_once(transcript: Path) -> None:
    prompts = [
        entry["client"]["id"]
        for entry in read(transcript)
        if entry.get("client", {}).get("method") == "session/prompt"
    ]

    assert [answer["id"] for answer in play(transcript).answers] == prompts


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_no_text_of_the_model_is_lost_or_repeated(transcript: Path) -> None:
    messages = [entry["codex"] for entry in read(transcript) if "codex" in entry]
    whole = {
        message["params"]["item"]["id"]: message["params"]["item"]["text"]
        for message in messages
        if message["method"] == "item/completed"
        and message["params"]["item"]["type"] == "agentMessage"
    }

    told: dict[str, str] = {}
    for update in play(transcript).updates:
        if update["sessionUpdate"] == "agent_message_chunk" and update["messageId"] in whole:
            id = update["messageId"]
            told[id] = told.get(id, "") + update["content"]["text"]

    assert told == whole


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_every_tool_call_is_told_before_it_ends_and_ends_once(transcript: Path) -> None:
    open_calls: set[str] = set()
    for update in play(transcript).updates:
        if update["sessionUpdate"] == "tool_call":
            open_calls.add(update["toolCallId"])
        elif update["sessionUpdate"] == "tool_call_update":
            assert update["toolCallId"] in open_calls
            if update.get("status") in ("completed", "failed"):
                open_calls.remove(update["toolCallId"])

    assert open_calls == set()


def test_there_is_a_golden_file_for_every_transcript_and_no_other() -> None:
    golden = {path.name for path in (HERE / "golden").glob("*")}

    assert golden == {path.name for path in TRANSCRIPTS}
