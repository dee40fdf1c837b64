"""Recorded conversations of real agents, with the few stamps that the projection cannot do without."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from entries import entry
from sandbox_agent_core.events import AgentUpdate, Event, ToolCompleted
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project
from transcripts import acp_transcripts, read_transcript

_PASSED_THROUGH = {"session_info_update", "_auth/status_update", "fs/write_text_file"}
_ALL = acp_transcripts()


def _entries(path: Path) -> list[LogEntry]:
    asked: dict[tuple[str, str | int], str] = {}
    found: list[LogEntry] = []
    for sender, frame, _ in read_transcript(path):
        method = frame.get("method")
        if method is None:
            method = asked.pop(("agent" if sender == "client" else "client", frame["id"]), None)
        elif "id" in frame:
            asked[sender, frame["id"]] = method
        found.append(entry(frame, sender, seq=len(found) + 1, method=method))
    return found


def _events(path: Path) -> list[Event]:
    return [event for one in _entries(path) if (event := project(one)) is not None]


@pytest.mark.parametrize("name", _ALL)
def test_what_real_agents_say_has_a_type(name: str) -> None:
    events = _events(_ALL[name])
    types = Counter(event.type for event in events)
    assert types["turn.started"] == types["turn.ended"] > 0
    assert types["permission.requested"] == types["permission.resolved"]
    assert types["agent.unparsed"] == types["error"] == 0
    passed = {event.update_type for event in events if isinstance(event, AgentUpdate)}
    assert passed <= _PASSED_THROUGH


# Gemini tells nothing, qwen only in prose, and Claude's adapters leave the code out.
@pytest.mark.parametrize("agent", ["codex-new", "codex-zed", "copilot", "opencode", "pi"])
def test_exit_codes_are_found_where_each_agent_puts_them(agent: str) -> None:
    ended = [
        event for event in _events(_ALL[f"{agent}/tool-allow"]) if isinstance(event, ToolCompleted)
    ]
    assert [event.exit_code for event in ended] == [0]
