"""The tool calls that agents were recorded with, as the tests of the TypeScript parts read them: still what core makes of
the recordings. After a wanted change: `UPDATE_GOLDEN=1 pytest …/test_recorded_calls.py`, then read the diff."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_PACKAGES = Path(__file__).parents[3]
sys.path.insert(0, str(_PACKAGES / "sandbox-agent-core" / "tests" / "support"))

from entries import entry  # noqa: E402
from sandbox_agent_core.frames.entry import LogEntry  # noqa: E402
from sandbox_agent_core.projection import project  # noqa: E402
from sandbox_agent_core.view import fold  # noqa: E402
from transcripts import acp_transcripts, read_transcript  # noqa: E402

_FIXTURE = _PACKAGES / "sandbox-agent-inspector/web/react/tests/tools/recorded-calls.json"
_NATIVE = ("claude", "codex", "opencode", "pi")
_SENDERS = {"to_client": "agent", "from_client": "client"}


def _entries(frames: Iterable[tuple[Any, Any]]) -> list[LogEntry]:
    asked: dict[tuple[str, Any], str] = {}
    found: list[LogEntry] = []
    for sender, frame in frames:
        method = frame.get("method")
        if method is None:
            method = asked.pop(("agent" if sender == "client" else "client", frame["id"]), None)
        elif "id" in frame:
            asked[sender, frame["id"]] = method
        found.append(entry(frame, sender, seq=len(found) + 1, method=method))
    return found


def _golden(path: Path) -> Iterator[tuple[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        yield from ((sender, told[key]) for key, sender in _SENDERS.items() if key in told)


def _recordings() -> Iterator[tuple[str, list[LogEntry]]]:
    for name, path in acp_transcripts().items():
        yield name, _entries((one.sender, one.frame) for one in read_transcript(path))
    for agent in _NATIVE:
        folder = _PACKAGES / "sandbox-agent-server" / "tests" / "agents" / agent / "golden"
        for path in sorted(folder.glob("*.jsonl")):
            yield f"native-{agent}/{path.stem}", _entries(_golden(path))


def _calls(entries: list[LogEntry]) -> list[Any]:
    transcript = fold(event for one in entries if (event := project(one)) is not None)
    told = json.loads(transcript.model_dump_json(by_alias=True, exclude_none=True))
    items = [item for turn in told["turns"] for item in turn.get("items", ())]
    return [item for item in items if item["type"] in {"tool", "plan"}]


def test_the_recorded_calls_are_what_core_makes_of_the_recordings() -> None:
    calls = {name: found for name, entries in _recordings() if (found := _calls(entries))}
    lines = [f"{json.dumps(name)}: {json.dumps(found)}" for name, found in calls.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    if os.environ.get("UPDATE_GOLDEN"):
        _FIXTURE.write_text(text, encoding="utf-8")
    assert json.loads(_FIXTURE.read_text(encoding="utf-8")) == json.loads(text)
