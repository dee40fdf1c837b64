"""Anthropic Messages API."""

from __future__ import annotations

import json
from collections.abc import Iterator

from support.scripted_llm.actions import JSON, Call, Drop, Hang, Say, calls_a_tool

from .reply import INPUT_TOKENS, OUTPUT_TOKENS, Event, Reply, Step, chunked


def whole(reply: Reply) -> JSON:
    content: list[JSON] = []
    for action in reply.actions:
        if isinstance(action, Say) and not action.is_thought:
            content.append({"type": "text", "text": action.text})
        elif isinstance(action, Call):
            content.append(
                {
                    "type": "tool_use",
                    "id": reply.new_id("toolu"),
                    "name": action.name,
                    "input": action.arguments,
                }
            )
    message = _message(reply)
    message["content"] = content
    message["stop_reason"] = _stop_reason(reply)
    message["usage"] = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
    return message


def stream(reply: Reply) -> Iterator[Step]:
    yield _event({"type": "message_start", "message": _message(reply)})
    yield _event({"type": "ping"})
    index = 0
    for action in reply.actions:
        match action:
            case Say():
                yield from _say(action, index)
            case Call():
                yield from _call(action, index, reply.new_id("toolu"))
            case Hang() | Drop():
                yield action
                continue
            case _:
                continue
        yield _event({"type": "content_block_stop", "index": index})
        index += 1
    yield _event(
        {
            "type": "message_delta",
            "delta": {"stop_reason": _stop_reason(reply), "stop_sequence": None},
            "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
        }
    )
    yield _event({"type": "message_stop"})


def _say(action: Say, index: int) -> Iterator[Event]:
    empty: JSON = {"type": "text", "text": ""}
    if action.is_thought:
        empty = {"type": "thinking", "thinking": "", "signature": ""}
    yield _event({"type": "content_block_start", "index": index, "content_block": empty})
    kind, key = ("thinking_delta", "thinking") if action.is_thought else ("text_delta", "text")
    for chunk in action.chunks:
        yield _delta(index, {"type": kind, key: chunk}, action.pause_s)
    if action.is_thought:
        yield _delta(index, {"type": "signature_delta", "signature": "c2NyaXB0ZWQ="})


def _call(action: Call, index: int, tool_use_id: str) -> Iterator[Event]:
    block = {"type": "tool_use", "id": tool_use_id, "name": action.name, "input": {}}
    yield _event({"type": "content_block_start", "index": index, "content_block": block})
    for piece in chunked(json.dumps(action.arguments)):
        yield _delta(index, {"type": "input_json_delta", "partial_json": piece}, 0.005)


def _delta(index: int, delta: JSON, pause_s: float = 0) -> Event:
    return _event({"type": "content_block_delta", "index": index, "delta": delta}, pause_s)


def _event(data: JSON, pause_s: float = 0) -> Event:
    return Event(data, name=data["type"], pause_s=pause_s)


def _stop_reason(reply: Reply) -> str:
    return "tool_use" if calls_a_tool(reply.actions) else "end_turn"


def _message(reply: Reply) -> JSON:
    return {
        "id": reply.new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1,
        },
    }
