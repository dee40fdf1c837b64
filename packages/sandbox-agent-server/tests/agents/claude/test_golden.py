"""Recorded transcripts of Claude Code 2.1.330 become the frames in `golden/`, one file for each.

After a wanted change: `UPDATE_GOLDEN=1 pytest …/test_golden.py`, then read the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from replay import play

HERE = Path(__file__).parent
TRANSCRIPTS = sorted((HERE / "transcripts").glob("*.jsonl"))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript_becomes_its_golden_frames(transcript: Path) -> None:
    golden = HERE / "golden" / transcript.name

    lines = [json.dumps(item, ensure_ascii=False) for item in play(transcript).out]

    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text("\n".join(lines) + "\n", encoding="utf-8")
    told = [json.loads(line) for line in golden.read_text(encoding="utf-8").splitlines()]
    assert [json.loads(line) for line in lines] == told


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_every_prompt_is_answered_exactly_once(transcript: Path) -> None:
    items = [json.loads(line) for line in transcript.read_text(encoding="utf-8").splitlines()]
    prompts = [item["client"]["id"] for item in items if "client" in item and "method" in item["client"]
               and "id" in item["client"]]  # fmt: skip

    answers = [
        frame["id"]
        for frame in play(transcript).to_client
        if "method" not in frame and "id" in frame
    ]

    assert answers == prompts


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_no_text_of_the_model_is_lost_or_repeated(transcript: Path) -> None:
    items = [json.loads(line) for line in transcript.read_text(encoding="utf-8").splitlines()]
    whole: dict[str, str] = {}
    seen: set[str] = set()
    for message in (item.get("claude", {}) for item in items):
        if message.get("type") == "assistant" and message["uuid"] not in seen:
            seen.add(message["uuid"])
            for block in message["message"]["content"]:
                if block["type"] == "text":
                    id = message["message"]["id"]
                    whole[id] = whole.get(id, "") + block["text"]

    told: dict[str, str] = {}
    for update in play(transcript).updates:
        if update["sessionUpdate"] == "agent_message_chunk" and update["messageId"] in whole:
            id = update["messageId"]
            told[id] = told.get(id, "") + update["content"]["text"]

    assert told == whole


def test_there_is_a_golden_file_for_every_transcript_and_no_other() -> None:
    golden = {path.name for path in (HERE / "golden").glob("*")}

    assert golden == {path.name for path in TRANSCRIPTS}
