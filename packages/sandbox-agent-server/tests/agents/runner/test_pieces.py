"""A secret that comes in pieces is masked in what they make together, and nothing else is changed or lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import notification, request, response
from sandbox_agent_core.spi.agent import AgentExit, WireFrame
from sandbox_agent_server.agents.runner import connection as connection_module
from sandbox_agent_server.agents.runner import pieces as pieces_module
from sandbox_agent_server.agents.runner.connection import AgentConnection
from sandbox_agent_server.agents.runner.redaction import Redaction
from support.scripted_adapter import ScriptedAdapter, update, wire

KEY = "sk-marker-0123456789"
OTHER = "another-key-that-is-longer"


def said(text: str, kind: str = acp.AGENT_MESSAGE_CHUNK, **fields: Any) -> WireFrame:
    return wire(update(kind, content={"type": "text", "text": text}, **fields))


def printed(text: str, tool: str = "t", *, status: str = "in_progress", form: str = "terminal_output") -> WireFrame:  # fmt: skip
    return wire(update(acp.TOOL_CALL_UPDATE, toolCallId=tool, status=status, _meta={form: {"data": text}}))  # fmt: skip


def texts(frames: list[WireFrame]) -> dict[Any, str]:
    """What each message and terminal says, put together."""
    found: dict[Any, str] = {}
    for raw, frame in frames:
        assert json.loads(raw) == frame
        members = frame.get("params", {}).get("update", {})
        meta = members.get("_meta", {})
        if "content" in members:
            key = (members["sessionUpdate"], members.get("messageId"), meta.get("parentToolCallId"))
            found[key] = found.get(key, "") + members["content"]["text"]
        for form in ("terminal_output", "terminal_output_delta"):
            if form in meta:
                key = members["toolCallId"]
                found[key] = found.get(key, "") + meta[form]["data"]
    return found


def shown(*frames: WireFrame, redaction: Redaction | None = None) -> list[WireFrame]:
    redaction = redaction or Redaction({"API_KEY": KEY, "OTHER_KEY": OTHER}, [])
    seen = [frame for each in frames for frame in redaction.batch([each])]
    return [*seen, *redaction.let_go()]


MESSAGE = (acp.AGENT_MESSAGE_CHUNK, None, None)


@pytest.mark.fault(
    "an agent writes a key letter by letter, as escapes, or into a terminal",
    "it is `***` in deltas, messages, transcripts and tool output",
)
def test_a_key_written_letter_by_letter_is_masked() -> None:
    assert texts(shown(*map(said, f"the key is {KEY}!"))) == {MESSAGE: "the key is ***!"}
    for form in ("terminal_output", "terminal_output_delta"):
        frames = [printed(letter, form=form) for letter in f"KEY={KEY}\n"]
        assert texts(shown(*frames)) == {"t": "KEY=***\n"}


letters = st.sampled_from(["a", "sk", "sk-", "sk-m", "-", KEY, KEY[:-1], KEY[1:], KEY + KEY, OTHER, OTHER[:20], "é", "\n"])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_however_a_text_is_cut_the_pieces_make_it_without_the_secrets(data: st.DataObject) -> None:
    text = "".join(data.draw(st.lists(letters, max_size=12)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=30)))
    frames: list[WireFrame] = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        frames.append(said(text[start:end]))
        if data.draw(st.booleans()):
            frames.append(data.draw(st.sampled_from(BETWEEN)))
    result = texts(shown(*frames))
    assert result.get(MESSAGE, "") == text.replace(OTHER, "***").replace(KEY, "***")


BETWEEN = [
    wire(update("usage_update", used=1, size=2)),
    wire(notification("_acme/note", {"a": 1})),
    said("of a sub-agent: sk-mark", _meta={"parentToolCallId": "sub"}),
    printed("of a terminal: sk-mark"),
]


def test_what_is_no_secret_after_all_is_shown_whole_and_in_order() -> None:
    frames = [said("a sk-mar"), said("ket"), said("; sk-marker-0123"), wire(update(acp.TOOL_CALL, toolCallId="t"))]  # fmt: skip
    result = shown(*frames)
    assert [frame["params"]["update"].get("content", {}).get("text") for _, frame in result] == ["a ", "sk-market", "; ", "sk-marker-0123", None]  # fmt: skip


@pytest.mark.parametrize(
    "end",
    [
        update(acp.TOOL_CALL, toolCallId="t"),
        update(acp.TOOL_CALL_UPDATE, toolCallId="t", status="completed"),
        update(acp.PLAN, entries=[]),
        update(acp.AGENT_MESSAGE_CHUNK, content={"type": "image", "data": ""}),
        request(7, acp.SESSION_REQUEST_PERMISSION, {}),
        response(3, {"stopReason": "end_turn"}),
    ],
)
def test_what_ends_a_text_comes_after_all_of_it(end: Frame) -> None:
    frames = shown(said("ends with sk-ma"), wire(end))
    assert [one.frame for one in frames][-1] == end
    assert "".join(texts(frames[:-1]).values()) == "ends with sk-ma"


def test_texts_beside_each_other_are_not_mixed() -> None:
    of_sub = {"_meta": {"parentToolCallId": "sub"}}
    frames = [
        said("sk-marker-"), said("sk-marker-", **of_sub), said("0123456789"), said("9876", **of_sub),
        printed("sk-marker-", "t1"), printed("0123456789", "t2"), printed("0123456789", "t1"),
        said("sk-marker-", messageId="a"), said("0123456789", messageId="b"),
        said("sk-marker-", acp.AGENT_THOUGHT_CHUNK), said("0123456789", acp.AGENT_THOUGHT_CHUNK),
    ]  # fmt: skip
    assert texts(shown(*frames)) == {
        MESSAGE: "***",
        (acp.AGENT_MESSAGE_CHUNK, None, "sub"): "sk-marker-9876",
        "t1": "***",
        "t2": "0123456789",
        (acp.AGENT_MESSAGE_CHUNK, "a", None): "sk-marker-",
        (acp.AGENT_MESSAGE_CHUNK, "b", None): "0123456789",
        (acp.AGENT_THOUGHT_CHUNK, None, None): "***",
    }


def test_the_last_output_of_a_terminal_comes_with_its_end() -> None:
    frames = shown(
        said("sk-"), printed("sk-marker-"), printed("0123456789 sk-", status="completed")
    )
    assert texts(frames) == {MESSAGE: "sk-", "t": "*** sk-"}
    assert [one.frame["params"]["update"].get("status") for one in frames] == ["in_progress", None, "completed"]  # fmt: skip
    frames = shown(printed("sk-marker-"), wire(update(acp.TOOL_CALL_UPDATE, toolCallId="t", status="failed")))  # fmt: skip
    assert texts(frames) == {"t": "sk-marker-"}
    assert frames[-1].frame["params"]["update"]["status"] == "failed"


def test_a_piece_without_anything_to_hold_is_the_very_same() -> None:
    frame = said("nothing of interest")
    assert Redaction({"API_KEY": KEY}, []).batch([frame])[0] is frame


def test_no_more_texts_are_held_back_than_may() -> None:
    redaction = Redaction({"API_KEY": KEY}, [])
    for number in range(3 * pieces_module.MAX_STREAMS):
        redaction.batch([printed("sk-m", f"t{number}")])
    assert len(redaction.let_go()) == pieces_module.MAX_STREAMS


@pytest.mark.parametrize(
    "frame",
    [
        {"method": acp.SESSION_UPDATE},
        {"method": acp.SESSION_UPDATE, "params": []},
        {"method": acp.SESSION_UPDATE, "params": {"update": 7}},
        {"method": acp.SESSION_UPDATE, "params": {"update": {"sessionUpdate": ["x"]}}},
        {"method": acp.SESSION_UPDATE, "params": {"update": {"sessionUpdate": acp.AGENT_MESSAGE_CHUNK}}},
        {"method": acp.SESSION_UPDATE, "params": {"update": {"sessionUpdate": acp.AGENT_MESSAGE_CHUNK, "content": "x", "_meta": 7}}},
        {"method": acp.SESSION_UPDATE, "params": {"update": {"sessionUpdate": acp.TOOL_CALL_UPDATE, "status": [], "_meta": {"terminal_output": 7}}}},
        {"id": [], "result": 7},
    ],
)  # fmt: skip
def test_a_frame_of_any_shape_passes(frame: Frame) -> None:
    assert [one.frame for one in shown(wire(frame))] == [frame]


class Owner:
    def __init__(self) -> None:
        self.seen: list[WireFrame] = []
        self.gone_after: int | None = None

    def receive(self, batch: list[WireFrame]) -> None:
        assert batch
        self.seen += batch

    async def gone(self, _connection: AgentConnection, _ended: AgentExit) -> None:
        self.gone_after = len(self.seen)


@pytest.mark.parametrize("how", ["the agent is silent", "the agent ends"])
async def test_what_is_held_back_is_shown_in_the_end(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(connection_module, "HELD_AT_MOST_S", 0 if "silent" in how else 60)
    adapter, owner = ScriptedAdapter(), Owner()
    connection = AgentConnection("ses_1", adapter, Redaction({"API_KEY": KEY}, []), owner)
    await connection.start()
    adapter.write(said("that is all, sk").frame)
    async with asyncio.timeout(30):
        if "ends" in how:
            adapter.die(0)
            while owner.gone_after is None:
                await asyncio.sleep(0)
        else:
            while "".join(texts(owner.seen).values()) != "that is all, sk":
                await asyncio.sleep(0)
    await connection.stop()
    assert texts(owner.seen) == {MESSAGE: "that is all, sk"}
    assert owner.gone_after == len(owner.seen)
