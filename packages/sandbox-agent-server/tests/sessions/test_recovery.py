"""A server that dies anywhere leaves a log that says how everything ended, exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.events import MessageCompleted, MessageDelta
from sandbox_agent_core.frames import LogEntry, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification, response
from sandbox_agent_core.projection import project
from sandbox_agent_core.view import ToolItem, TranscriptFolder
from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.file import LOG_NAME, Quota
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.sessions.recovery import end_left_over, entries_after, state_of_log
from sandbox_agent_server.sessions.state import SessionState
from support.scripted_adapter import silence, update
from talk import Talk, permission, question, shapes


def opened(directory: Path) -> SessionLog:
    return SessionLog("ses_1", directory, quota=Quota(), syncer=Syncer("process"))


def read(log: SessionLog) -> SessionState:
    return state_of_log(log, lambda _agent: {})[0]


def recovered(log: SessionLog) -> list[LogEntry]:
    """What a server that starts makes of it."""
    step = end_left_over(log, read(log))
    if step is not None:
        log.append(step)
    return list(entries_after(log, 0))


def message(text: str, **fields: Any) -> Any:
    return update(acp.AGENT_MESSAGE_CHUNK, content={"type": "text", "text": text}, **fields)


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[bytes]:
    """The log of a session with three turns, of which one waited, and everything that can be open."""
    talk = Talk(tmp_path / "whole")
    await talk.connect()
    talk.adapter.answers[acp.SESSION_PROMPT] = silence
    conversation = talk.conversation
    await conversation.ask(acp.INITIALIZE, {"protocolVersion": 1})
    await conversation.ask(acp.SESSION_NEW, {"cwd": "/tmp"})
    conversation.state_entries((extensions.AGENT_STARTED, {}))

    id = talk.prompt("turn_1")
    conversation.state_entries((extensions.TURN_QUEUED, {"turnId": "turn_2", "position": 1}))
    conversation.state_entries((extensions.TURN_QUEUED, {"turnId": "turn_3", "position": 2}))
    await talk.agent_writes(message("I "), message("will "))
    await talk.agent_writes(
        message("look"),
        update(acp.TOOL_CALL, toolCallId="t1", title="ls", rawInput={"command": "ls"}),
        update(acp.TOOL_CALL, toolCallId="t2", title="cat"),
    )
    await talk.agent_writes(message("sub", _meta={"parentToolCallId": "t1"}))
    await talk.agent_writes(permission(1, toolCallId="t1"), question("q"))
    conversation.requests.answer_frame(response(1, {"outcome": {"outcome": "cancelled"}}))
    await talk.agent_writes(
        update(acp.TOOL_CALL_UPDATE, toolCallId="t1", status="completed"),
        update(acp.AGENT_THOUGHT_CHUNK, content={"type": "text", "text": "hm"}),
        message("done"),
    )
    await talk.agent_answers(id, {"stopReason": "end_turn"})
    await talk.agent_writes(message("late"), permission(2))
    id = talk.prompt("turn_2")
    await talk.agent_writes(message("two"), permission(3))
    await talk.agent_writes(notification(acp.CANCEL_REQUEST, {"requestId": 3}))
    await talk.agent_answers(id, {"stopReason": "refusal"})
    talk.prompt("turn_3")
    await talk.agent_writes(message("three"))
    yield (tmp_path / "whole" / "ses_1" / LOG_NAME).read_bytes()
    await talk.close()


def ends_of_turns(entries: list[LogEntry]) -> Counter[str]:
    ends: Counter[str] = Counter()
    for entry in entries:
        is_answer = entry.sender == "agent" and entry.method == acp.SESSION_PROMPT
        if is_answer or entry.method in (extensions.TURN_ENDED, extensions.TURN_DROPPED):
            ends[entry.turn_id or ""] += 1
    return ends


@pytest.mark.fault(
    "the server is killed after any entry of a session",
    "every turn, request, message and tool call that began has one end",
)
async def test_killed_at_any_entry_everything_that_began_has_one_end(
    whole: bytes, tmp_path: Path
) -> None:
    lines = whole.splitlines(keepends=True)
    assert len(lines) > 30
    for count in range(1, len(lines) + 1):
        directory = tmp_path / f"cut-{count}"
        directory.mkdir()
        (directory / LOG_NAME).write_bytes(b"".join(lines[:count]))
        log = opened(directory)
        before = list(entries_after(log, 0))
        entries = recovered(log)

        began = {
            entry.turn_id
            for entry in before
            if entry.method in (extensions.TURN_QUEUED, acp.SESSION_PROMPT)
        }
        assert ends_of_turns(entries) == Counter(began), shapes(entries)
        asked = [one.item_id for one in entries if "kind" in (one.annotations or {}) and one.sender == "agent"]  # fmt: skip
        decided = [one.item_id for one in entries if "decidedBy" in (one.annotations or {})]
        assert sorted(asked) == sorted(decided)
        started = sum(one.method == acp.INITIALIZE and one.sender == "client" for one in entries)
        assert started == sum(one.method == extensions.AGENT_EXITED for one in entries)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))

        # Everything that was streamed is whole, and no tool call is left running.
        folder = TranscriptFolder()
        streamed: dict[str, str] = {}
        for entry in entries:
            event = project(entry)
            # What is late is written with its end, in one step.
            if isinstance(event, MessageDelta) and not event.late:
                streamed[event.message_id] = streamed.get(event.message_id, "") + (event.text or "")
            elif isinstance(event, MessageCompleted) and not event.late:
                assert streamed.pop(event.message_id) == event.text
            if event is not None:
                folder.apply(event)
        assert streamed == {}
        tools = [one for one in folder.transcript.items() if isinstance(one, ToolItem)]
        assert {one.status for one in tools} <= {"completed", "failed"}

        again = opened(directory)
        state = read(again)
        assert (state.is_open, state.turn_id, state.pending, state.queued) == (False, None, {}, ())
        assert end_left_over(again, state) is None
        again.close()
        log.close()


async def test_a_death_in_the_middle_of_a_write_is_one_before_it(
    whole: bytes, tmp_path: Path
) -> None:
    lines = whole.splitlines(keepends=True)
    (tmp_path / LOG_NAME).write_bytes(b"".join(lines[:12]) + lines[12][:40])
    log = opened(tmp_path)
    entries = recovered(log)
    assert entries[12].method == extensions.LOG_REPAIRED
    assert set(ends_of_turns(entries).values()) == {1}
    log.close()


@pytest.mark.fault(
    "the server is killed while it recovers", "the next one finishes it; nothing is ended twice"
)
async def test_a_recovery_that_is_cut_itself_is_finished_by_the_next(
    whole: bytes, tmp_path: Path
) -> None:
    lines = whole.splitlines(keepends=True)[:20]
    (tmp_path / LOG_NAME).write_bytes(b"".join(lines))
    log = opened(tmp_path)
    recovered(log)
    log.close()
    after = (tmp_path / LOG_NAME).read_bytes().splitlines(keepends=True)
    assert len(after) > 23
    for count in range(20, len(after) + 1):
        (tmp_path / LOG_NAME).write_bytes(b"".join(after[:count]))
        log = opened(tmp_path)
        entries = recovered(log)
        assert set(ends_of_turns(entries).values()) == {1}, shapes(entries)
        decided = [one.item_id for one in entries if "decidedBy" in (one.annotations or {})]
        assert len(decided) == len(set(decided))
        assert sum(one.method == extensions.AGENT_EXITED for one in entries) == 1
        completed = [one.item_id for one in entries if one.method == extensions.TOOL_COMPLETED]
        assert len(completed) == len(set(completed))
        log.close()


async def test_a_session_at_rest_is_left_alone(talk: Talk) -> None:
    assert end_left_over(talk.log, talk.conversation.state) is None


@pytest.mark.parametrize(
    "content", [b"", b'{"seq":1,"time":"2026-01-01T00:00:00Z","sender":"server","payload":{}}\n']
)
def test_what_is_no_log_of_a_session_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOG_NAME).write_bytes(content)
    log = opened(tmp_path)
    with pytest.raises(ValueError, match="log"):
        state_of_log(log, lambda _agent: {})
    log.close()


async def test_a_log_that_cannot_be_read_is_a_storage_error(talk: Talk) -> None:
    talk.prompt()
    path = talk.log.file.path
    path.rename(path.with_suffix(".away"))
    with pytest.raises(StorageError):
        state_of_log(talk.log, lambda _agent: {})
    path.with_suffix(".away").rename(path)


async def test_entries_are_read_from_anywhere_over_many_slices(talk: Talk) -> None:
    talk.prompt()
    for number in range(8):
        await talk.agent_writes(message(f"{number}" + "x" * 300_000))
    everything = list(entries_after(talk.log, 0))
    assert [one.seq for one in everything] == list(range(1, talk.log.last_seq + 1))
    for after in (0, 1, 5, talk.log.last_seq, 99):
        assert list(entries_after(talk.log, after)) == everything[after:]
