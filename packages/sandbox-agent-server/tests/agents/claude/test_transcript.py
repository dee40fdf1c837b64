"""Which prompts a conversation of Claude has, by the marks in its transcript."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sandbox_agent_server.agents.claude.marks import Marks
from sandbox_agent_server.agents.claude.transcript import (
    MAX_TRANSCRIPT_BYTES,
    Transcript,
    read_transcript,
)

SESSION = "11111111-1111-4111-8111-111111111111"


def new_id() -> str:
    return str(uuid4())


class Recorded:
    """A transcript that is being written."""

    def __init__(self, home: Path, session_id: str = SESSION) -> None:
        self.path = home / ".claude" / "projects" / "-work" / f"{session_id}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._env = {"HOME": str(home)}
        self._session_id = session_id
        self._last: str | None = None

    def add(self, kind: str, uuid: str | None = None, **fields: Any) -> str:
        uuid = uuid or new_id()
        record = {"type": kind, "uuid": uuid, "parentUuid": self._last, **fields}
        self._last = uuid
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        return uuid

    def read(self) -> Transcript:
        read = read_transcript(self._session_id, self._env)
        assert read is not None
        return read


def indices(transcript: Transcript) -> list[int]:
    return [mark.prompt for mark in transcript.marks() or ()]


def test_prompts_are_counted_and_what_was_rewound_is_not_there(tmp_path: Path) -> None:
    recorded, marks = Recorded(tmp_path), Marks(new_id=new_id)
    recorded.add("user", marks.prompt())
    first = recorded.add("assistant")
    recorded.add("user", marks.prompt())
    recorded.add("assistant")
    marks.rewind(1)
    recorded.add("user", marks.prompt(), parentUuid=first)

    read = recorded.read()

    assert indices(read) == [0, 1]
    assert read.before(1) == first
    assert read.before(0) is None
    assert [mark.prompt for mark in Marks(new_id=new_id, known=read.marks()).since(0)] == [0, 1]  # fmt: skip


def test_only_messages_are_gone_on_from(tmp_path: Path) -> None:
    recorded, marks = Recorded(tmp_path), Marks(new_id=new_id)
    recorded.add("user", marks.prompt())
    answered = recorded.add("assistant")
    recorded.add("attachment")
    recorded.add("user", marks.prompt())
    assert recorded.read().before(1) == answered


def test_what_was_compacted_cannot_be_cut(tmp_path: Path) -> None:
    recorded, marks = Recorded(tmp_path), Marks(new_id=new_id)
    recorded.add("user", marks.prompt())
    recorded.add("user", marks.prompt())
    last = recorded.add("assistant")
    boundary = {"subtype": "compact_boundary", "parentUuid": None, "logicalParentUuid": last}
    recorded.add("system", **boundary)
    summary = recorded.add("user")
    recorded.add("user", marks.prompt())

    read = recorded.read()

    assert indices(read) == [0, 1, 2], "they are still counted"
    assert read.before(2) == summary
    with pytest.raises(LookupError, match="compacted"):
        read.before(1)
    with pytest.raises(LookupError, match="not in the conversation"):
        read.before(3)


def test_a_fork_goes_on_counting(tmp_path: Path) -> None:
    recorded, origin = Recorded(tmp_path), Marks(new_id=new_id)
    recorded.add("user", origin.prompt())
    recorded.add("user", origin.prompt())
    fork = Marks(new_id=new_id, known=recorded.read().marks())
    recorded.add("user", fork.prompt())
    assert indices(recorded.read()) == [0, 1, 2]


def test_what_belongs_to_a_prompt_has_its_number() -> None:
    marks = Marks(new_id=new_id)
    marks.prompt()
    marks.aside()
    dropped = marks.prompt()
    marks.drop(dropped)
    marks.prompt()
    assert [mark.prompt for mark in marks.since(0)] == [0, 0, 2]
    assert marks.has(1), "one that was not taken is counted"


def test_what_is_not_ours_is_not_counted(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.add("user")
    assert recorded.read().marks() is None
    marks = Marks(new_id=new_id, known=None)
    marks.prompt()
    assert not marks.has(0)


def test_broken_lines_and_circles_end_nothing(tmp_path: Path) -> None:
    recorded, marks = Recorded(tmp_path), Marks(new_id=new_id)
    first = marks.prompt()
    recorded.add("user", first, parentUuid=first)
    with recorded.path.open("a", encoding="utf-8") as file:
        file.write('{"type": "user", "uuid": 7}\n[1]\n{"type": "us')
    assert indices(recorded.read()) == [0]


def test_a_transcript_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.add("user")
    with recorded.path.open("r+b") as file:
        file.truncate(MAX_TRANSCRIPT_BYTES + 1)
    assert read_transcript(SESSION, {"HOME": str(tmp_path)}) is None


def test_there_may_be_none(tmp_path: Path) -> None:
    assert read_transcript(SESSION, {"CLAUDE_CONFIG_DIR": str(tmp_path)}) is None
    assert read_transcript(SESSION, {}) is None
