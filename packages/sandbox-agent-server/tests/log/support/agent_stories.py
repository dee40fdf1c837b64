"""Hypothesis strategies: what agents write in a session, turn after turn, well and badly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Literal

from hypothesis import strategies as st
from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import notification, request, response
from stamped_log import StampedLog

__all__ = ["Chapter", "between_turns", "chunk", "play", "stories", "tool", "turns", "update"]

End = Literal["answered", "interrupted"]


def update(kind: Any, /, **fields: Any) -> Frame:
    return notification(acp.SESSION_UPDATE, {"update": {"sessionUpdate": kind, **fields}})


def chunk(content: Any, kind: str = acp.AGENT_MESSAGE_CHUNK, **fields: Any) -> Frame:
    content = {"type": "text", "text": content} if isinstance(content, str) else content
    return update(kind, content=content, **fields)


def tool(id: Any, *, is_new: bool = False, **fields: Any) -> Frame:
    return update(acp.TOOL_CALL if is_new else acp.TOOL_CALL_UPDATE, toolCallId=id, **fields)


@dataclass(frozen=True)
class Chapter:
    frames: Sequence[Frame]
    turn: End | None
    """How its turn ends; None for what an agent writes between turns."""
    is_history: bool = False


def _in_batches(frames: Sequence[Frame], sizes: Iterable[int]) -> Iterable[Sequence[Frame]]:
    """Cut into batches of these sizes, which repeat."""
    remaining = iter(frames)
    for size in cycle(sizes):
        if not (batch := list(islice(remaining, size))):
            return
        yield batch


def play(story: Iterable[Chapter], sizes: Sequence[int] = (1,)) -> StampedLog:
    """The log of a story whose turns come in batches of these sizes."""
    log = StampedLog()
    for number, chapter in enumerate(story, start=1):
        if chapter.turn is None:
            # Each batch between turns completes what it streamed, so this one stays whole.
            log.agent_writes(chapter.frames, is_history=chapter.is_history)
            continue
        log.begin_turn(f"turn_{number}")
        frames = list(chapter.frames)
        if chapter.turn == "answered":
            frames.append(log.end_of_the_prompt())
        for batch in _in_batches(frames, sizes):
            log.agent_writes(batch)
        if chapter.turn == "interrupted":
            log.interrupt()
    return log


_TEXTS = ("", "a", "b\n", "é🦊", '"', "x" * 50)
_PICTURE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
_LINK = {"type": "resource_link", "uri": "file:///x", "name": "x", "annotations": {"a": 1}}
_contents: st.SearchStrategy[Any] = st.one_of(
    *[st.sampled_from(_TEXTS)] * 3,
    st.sampled_from(
        [_PICTURE, _LINK, {"type": "text", "text": 7}, {"type": 7}, {}, {"type": "new", "x": []}, None, [], 7]
    ),
)  # fmt: skip
_PARENTS: list[dict[str, Any]] = [
    {}, {}, {"_meta": {}}, {"_meta": {"parentToolCallId": "t1"}},
    {"_meta": {"claudeCode": {"parentToolUseId": "t2"}}}, {"_meta": 7},
]  # fmt: skip
_MESSAGE_IDS: list[dict[str, Any]] = [
    {}, {}, {"messageId": "a"}, {"messageId": "b"}, {"messageId": None}, {"messageId": 7},
    {"messageId": []}, {"messageId": ""},
]  # fmt: skip


def _chunk(content: Any, kind: str, message_id: dict[str, Any], parent: dict[str, Any]) -> Frame:
    # A message has one author.
    if isinstance(native := message_id.get("messageId"), str):
        author = "u" if kind == acp.USER_MESSAGE_CHUNK else "m"
        message_id = {"messageId": f"{author}{native}"}
    return chunk(content, kind, **message_id, **parent)


_chunks = st.builds(
    _chunk,
    _contents,
    st.sampled_from(
        [acp.AGENT_MESSAGE_CHUNK, acp.AGENT_MESSAGE_CHUNK, acp.AGENT_THOUGHT_CHUNK, acp.USER_MESSAGE_CHUNK]
    ),
    st.sampled_from(_MESSAGE_IDS),
    st.sampled_from(_PARENTS),
)  # fmt: skip
_FIELDS: list[dict[str, Any]] = [
    {}, {"title": "ls"}, {"title": None, "kind": "execute"}, {"rawInput": {"command": "ls"}},
    {"rawOutput": "x", "locations": []}, {"content": [{"type": "content", "content": _PICTURE}]},
    {"title": 7, "content": 7, "_meta": 7}, {"rawInput": {"nested": [[]]}, "custom": 1},
]  # fmt: skip
_STATUSES: list[dict[str, Any]] = [
    {}, {"status": "pending"}, {"status": "in_progress"}, {"status": "completed"}, {"status": "failed"},
    {"status": None}, {"status": 7}, {"status": []},
]  # fmt: skip


def _tool(is_new: bool, id: str, fields: dict[str, Any], status: dict[str, Any]) -> Frame:
    return tool(id, is_new=is_new, **fields, **status)


_tools = st.builds(
    _tool,
    st.booleans(),
    st.sampled_from(["t1", "t2", "t3"]),
    st.sampled_from(_FIELDS),
    st.sampled_from(_STATUSES),
)


def _permission(call: Any, rpc_id: Any) -> Frame:
    return request(rpc_id, acp.SESSION_REQUEST_PERMISSION, {"toolCall": call, "options": []})


_permissions = st.builds(
    _permission,
    st.sampled_from(
        [{"toolCallId": "t1", "title": "rm"}, {"toolCallId": "t4", "rawInput": 1}, {"toolCallId": 7}, {}, None, []]
    ),
    st.sampled_from([0, "0", 5000]),
)  # fmt: skip
_OTHERS: list[Frame] = [
    update(acp.PLAN, entries=[{"content": "x"}]), update(acp.PLAN), update("new_update", x=1), update(None), update([]),
    update(acp.CURRENT_MODE_UPDATE, currentModeId="plan"), update(acp.AGENT_MESSAGE_CHUNK), update(acp.TOOL_CALL),
    tool(None), tool(7), tool([]), tool(""), {"method": acp.SESSION_UPDATE}, {"method": acp.SESSION_UPDATE, "params": []},
    {"method": acp.SESSION_UPDATE, "params": {"update": "x"}}, {"method": acp.SESSION_UPDATE, "params": {"update": None}},
    notification("_vendor/x", {"a": 1}), notification(acp.CANCEL_REQUEST, {"requestId": 0}), {"method": 7}, {},
    request(1, acp.FS_READ_TEXT_FILE, {"path": "/x"}), request("q", acp.ELICITATION_CREATE, {"message": "?"}),
    request(2, "_vendor/y", {}), response(4000, {}), response("1", {"stopReason": "end_turn"}), {"id": [], "result": 1},
    {"id": None, "error": {"code": 1}}, {"id": 4000, "error": {"code": 1, "message": "no"}},
]  # fmt: skip
_frames = st.one_of(_chunks, _chunks, _chunks, _tools, _permissions, st.sampled_from(_OTHERS))
_many = st.lists(_frames, max_size=14)

turns: st.SearchStrategy[Chapter] = st.builds(
    Chapter, _many, st.sampled_from(["answered", "interrupted"])
)
between_turns: st.SearchStrategy[Chapter] = st.builds(
    Chapter, st.lists(_frames, max_size=5), st.none(), st.sampled_from([False, False, True])
)
stories: st.SearchStrategy[list[Chapter]] = st.lists(
    st.one_of(turns, turns, between_turns), max_size=4
)
