"""What a session is, is what its log says: step by step as it happens, or read again, or from the index."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from agent_stories import stories
from frame_strategies import entries as odd_entries
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_agent_core.frames import Frame, LogEntry, acp, extensions
from sandbox_agent_core.frames.jsonrpc import error_response, request, response
from sandbox_agent_core.spi.agent import WireFrame
from sandbox_agent_server.agents.runner.config_options import ConfigOptions
from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.sessions.fold import fold
from sandbox_agent_server.sessions.recovery import state_of_log
from sandbox_agent_server.sessions.state import SessionSettings, SessionState
from support.scripted_adapter import update
from talk import Talk, permission, question

NATIVE_MODES: Mapping[str, str] = {"ask": "careful", "plan": "plan"}
MODES = {
    "currentModeId": "careful",
    "availableModes": [{"id": "careful", "name": "C"}, {"id": "plan", "name": "P"}],
}
MODEL_OPTION = {
    "id": "model", "category": "model", "type": "select", "currentValue": "big",
    "options": [{"value": "big", "name": "Big"}, {"value": "small", "name": "Small"}],
}  # fmt: skip


def state(**given: Any) -> SessionState:
    made = SessionState(
        settings=SessionSettings(agent="acme", cwd="/tmp"),
        created_ms=1,
        options=ConfigOptions(native_modes=NATIVE_MODES),
    )
    for name in given:
        object.__setattr__(made, name, given[name])
    return made


def entry(sender: Any, payload: Frame, **stamps: Any) -> LogEntry:
    return LogEntry(
        session_id="ses_1", seq=9, time_ms=1000, sender=sender, payload=payload,
        **{"method": payload.get("method"), **stamps},
    )  # fmt: skip


def server(method: str, params: Any, **stamps: Any) -> LogEntry:
    return entry("server", {"method": method, "params": params}, **stamps)


# One kind of entry


def test_the_agent_runs_from_its_handshake_to_its_exit() -> None:
    running = fold(state(ended_ms=5), entry("client", request(1, acp.INITIALIZE, {})))
    assert (running.is_running, running.ended_ms, running.is_open) == (True, None, True)
    hello = {"agentInfo": {"name": "a"}, "agentCapabilities": {"loadSession": True}}
    answered = fold(running, entry("agent", response(1, hello), method=acp.INITIALIZE))
    assert answered.agent_info == {"name": "a"}
    assert answered.capabilities == {"loadSession": True}
    gone = fold(answered, server(extensions.AGENT_EXITED, {"expected": True}))
    assert (gone.is_running, gone.is_open, gone.agent_info) == (False, False, {"name": "a"})
    ended = fold(gone, server(extensions.SESSION_ENDED, {"reason": "deleted"}))
    assert ended.ended_ms == 1000


def test_the_agents_own_id_is_that_of_the_session_it_opened_last() -> None:
    opened = fold(state(), entry("agent", response(2, {"sessionId": "s1"}), method=acp.SESSION_NEW))
    assert opened.agent_session_id == "s1"
    loaded = fold(opened, entry("agent", response(3, {"modes": MODES}), method=acp.SESSION_LOAD))
    assert (loaded.agent_session_id, loaded.options.mode) == ("s1", "careful")
    refused = fold(loaded, entry("agent", error_response(4, -1, "no"), method=acp.SESSION_NEW))
    assert refused == loaded
    cleared = update(acp.SESSION_INFO_UPDATE, _meta={"agentSessionId": "s2"})
    assert fold(loaded, entry("agent", cleared)).agent_session_id == "s2"


def test_a_turn_waits_runs_and_ends() -> None:
    queued = state()
    for turn_id in ("turn_1", "turn_2", "turn_3"):
        queued = fold(queued, server(extensions.TURN_QUEUED, {}, turn_id=turn_id))
    assert (queued.queued, queued.is_open) == (("turn_1", "turn_2", "turn_3"), True)
    dropped = fold(queued, server(extensions.TURN_DROPPED, {}, turn_id="turn_2"))
    prompt = entry("client", request(9, acp.SESSION_PROMPT, {}), turn_id="turn_1")
    running = fold(dropped, prompt)
    assert (running.turn_id, running.turn_seq, running.queued) == ("turn_1", 9, ("turn_3",))
    assert not running.context_due
    for last in (
        entry("agent", response(9, {}), method=acp.SESSION_PROMPT),
        entry("agent", error_response(9, -1, "no"), method=acp.SESSION_PROMPT),
        server(extensions.TURN_ENDED, {"turnId": "turn_1", "stopReason": "error"}),
    ):
        assert fold(running, last).turn_id is None


def test_what_the_agent_does_not_know_by_itself_is_due() -> None:
    told = state(context_due=False, agent_session_id="s1")
    native = {"continuity": "native", "agentSessionId": "s1"}
    assert fold(told, server(extensions.SESSION_RESUMED, native)) == state(
        context_due=False, agent_session_id="s1", continuity="native"
    )
    assert fold(state(), server(extensions.SESSION_RESUMED, native)).context_due
    lost = fold(
        told, server(extensions.SESSION_RESUMED, {"continuity": "lost", "agentSessionId": "s2"})
    )
    assert (lost.context_due, lost.continuity, lost.agent_session_id) == (True, "lost", "s2")


def test_settings_are_those_of_its_creation_with_what_was_changed_since() -> None:
    changed = state()
    for changes in (
        {"configOptions": {"a": "1"}, "model": "big"},
        {"configOptions": {"b": True}},
        {"permissionPolicy": {"default": "deny"}, "metadata": {"x": 1}},
        {"metadata": {"y": 2}, "unknown": 1},
    ):
        changed = fold(changed, server(extensions.SESSION_UPDATED, changes))
    settings = changed.settings
    assert settings.config_options == {"a": "1", "b": True}
    assert (settings.model, settings.permission_policy.default) == ("big", "deny")
    assert settings.metadata == {"y": 2}


@pytest.mark.fault(
    "an agent writes what only the server may say (`session.ended`, a permission mode, an error of the disk)",
    "it is an `agent.update`; the session is what it was",
)
@pytest.mark.parametrize("sender", ["agent", "client"])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        (extensions.SESSION_ENDED, {"reason": "deleted"}),
        (extensions.SESSION_UPDATED, {"permissionPolicy": {"default": "allow"}, "mode": "bypass"}),
        (extensions.SESSION_RESUMED, {"continuity": "native", "agentSessionId": "other"}),
        (extensions.PERMISSION_MODE_CHANGED, {"permissionMode": "bypass"}),
        (extensions.TURN_ENDED, {"turnId": "turn_1", "stopReason": "end_turn"}),
        (extensions.TURN_QUEUED, {"turnId": "turn_2"}),
        (extensions.TURN_DROPPED, {"turnId": "turn_1"}),
        (extensions.AGENT_EXITED, {"expected": True}),
        (extensions.SESSION_CREATED, {"agent": "other", "cwd": "/"}),
    ],
)
def test_only_the_server_says_what_becomes_of_a_session(
    sender: str, method: str, params: Any
) -> None:
    before = state(is_running=True, turn_id="turn_1", queued=("turn_1",))
    assert fold(before, entry(sender, {"method": method, "params": params})) is before


@settings(max_examples=200, deadline=None)
@given(entry=odd_entries())
def test_an_entry_of_any_shape_passes(entry: LogEntry) -> None:
    before = state(turn_id="turn_1", queued=("turn_2",))
    wire = loads(dumps(fold(before, entry).to_wire()))
    read = SessionState.from_wire(wire, native_modes=NATIVE_MODES)
    assert read is not None
    assert loads(dumps(read.to_wire())) == wire


def test_a_state_of_another_version_is_none() -> None:
    wire = {**state().to_wire(), "version": 0}
    assert SessionState.from_wire(wire, native_modes={}) is None


# Whole sessions

Act = Callable[["Life"], None]


class Life:
    """Of a session, in which anything happens in any order."""

    def __init__(self, directory: Path) -> None:
        self.talk = Talk(directory, native_modes=NATIVE_MODES)
        self.conversation = self.talk.conversation
        self.prompt_id: Any = None
        self.turns = 0

    def writes(self, *frames: Frame) -> None:
        self.conversation.receive([WireFrame(dumps(frame), frame) for frame in frames])

    def asks(self, method: str, result: Any, annotations: dict[str, Any] | None = None) -> None:
        """The server asks and the agent answers."""
        step = self.conversation.step()
        frame = self.conversation.own_request(step, method, {})
        self.conversation.stamper.client_frame(step, frame, answer_annotations=annotations)
        self.conversation.log.append(step)
        self.writes(response(frame["id"], result))

    def prompts(self) -> None:
        if self.conversation.stamper.turn_id is not None:
            return
        self.turns += 1
        step = self.conversation.step()
        self.conversation.stamper.begin_turn(step, f"turn_{self.turns}")
        prompt = self.conversation.own_request(step, acp.SESSION_PROMPT, {})
        self.conversation.stamper.client_frame(step, prompt)
        self.conversation.log.append(step)
        self.prompt_id = prompt["id"]

    def answers_first(self) -> None:
        for asked in list(self.conversation.requests._open.values())[:1]:
            self.conversation.requests.answer_frame(response(asked.rpc_id, None))


def _says(method: str, params: dict[str, Any]) -> Act:
    return lambda life: life.conversation.state_entries((method, params))


def _writes(*frames: Frame) -> Act:
    return lambda life: life.writes(*frames)


_ACTS: list[Act] = [
    lambda life: life.prompts(),
    lambda life: life.prompts(),
    lambda life: life.writes(response(life.prompt_id, {"stopReason": "end_turn"})),
    lambda life: life.answers_first(),
    lambda life: life.asks(acp.INITIALIZE, {"agentInfo": {"version": "1"}}),
    lambda life: life.asks(acp.SESSION_NEW, {"sessionId": "s1", "modes": MODES}),
    lambda life: life.asks(acp.SESSION_LOAD, {"configOptions": [MODEL_OPTION]}),
    lambda life: life.asks(acp.SESSION_SET_MODE, {}, {"modeId": "plan"}),
    lambda life: life.asks(acp.SESSION_SET_MODEL, {}, {"modelId": "small"}),
    lambda life: life.asks(
        acp.SESSION_SET_CONFIG_OPTION, {}, {"configId": "model", "value": "small"}
    ),
    _writes(permission(1), permission(2)),
    _writes(question("q")),
    _writes(update(acp.CURRENT_MODE_UPDATE, currentModeId="plan")),
    _writes(update(acp.CONFIG_OPTION_UPDATE, configOptions=[MODEL_OPTION, {"id": 7}])),
    _writes(update(acp.SESSION_INFO_UPDATE, _meta={"agentSessionId": "s7"})),
    _writes({"method": extensions.AGENT_UNPARSED, "params": {"text": "?"}}),
    _says(extensions.SESSION_UPDATED, {"mode": "plan", "configOptions": {"model": "big"}}),
    _says(extensions.SESSION_UPDATED, {"metadata": {"a": [1]}, "permissionPolicy": {"default": "ask"}}),
    _says(extensions.PERMISSION_MODE_CHANGED, {"permissionMode": "read-only"}),
    _says(extensions.SESSION_RESUMED, {"continuity": "replayed", "agentSessionId": "s3"}),
    _says(extensions.TURN_QUEUED, {"turnId": "turn_9", "position": 0}),
    _says(extensions.TURN_DROPPED, {"turnId": "turn_9", "reason": "cancelled"}),
    _says(extensions.AGENT_EXITED, {"expected": True}),
    _says(extensions.SESSION_ENDED, {"reason": "deleted"}),
]  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(
    acts=st.lists(st.sampled_from(_ACTS), max_size=25),
    story=stories,
    seq=st.integers(1, 60),
)
async def test_as_it_happened_or_read_again_or_from_the_index_it_is_the_same(
    acts: list[Act], story: Any, seq: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        life = Life(Path(directory))
        seen = {life.talk.log.last_seq: life.talk.conversation.state}
        changes: list[Any] = []
        life.conversation.observers.append(lambda step: changes.extend(step.changes))
        chapters = [_writes(*chapter.frames) for chapter in story if chapter.frames]
        for number, act in enumerate(acts):
            act(life)
            if number < len(chapters):
                chapters[number](life)
            seen[life.talk.log.last_seq] = life.conversation.state

        log, happened = life.talk.log, life.conversation.state
        read, read_changes = state_of_log(log, lambda _agent: NATIVE_MODES)
        assert read == happened
        assert read_changes == changes
        wire = loads(dumps(happened.to_wire()))
        assert SessionState.from_wire(wire, native_modes=NATIVE_MODES) == happened

        # The index had it up to somewhere.
        at = max(one for one in seen if one <= max(seq, 1))
        known = SessionState.from_wire(loads(dumps(seen[at].to_wire())), native_modes=NATIVE_MODES)
        assert state_of_log(log, lambda _agent: {}, known=known, seq=at)[0] == happened
        life.conversation.requests.close()
        log.close()
        await asyncio.sleep(0)
