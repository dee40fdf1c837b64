"""OpenAI Chat Completions API."""

from __future__ import annotations

import json
from collections.abc import Iterator

from support.scripted_llm.actions import JSON, Call, Drop, Hang, Say, calls_a_tool

from .reply import INPUT_TOKENS, OUTPUT_TOKENS, Event, Reply, Step, chunked

_USAGE = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def whole(reply: Reply) -> JSON:
    texts = [a.text for a in reply.actions if isinstance(a, Say) and not a.is_thought]
    message: JSON = {"role": "assistant", "content": "".join(texts)}
    calls = [
        {
            "id": reply.new_id("call"),
            "type": "function",
            "function": {"name": action.name, "arguments": json.dumps(action.arguments)},
        }
        for action in reply.actions
        if isinstance(action, Call)
    ]
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
    head = {"id": reply.new_id("chatcmpl"), "object": "chat.completion", "model": reply.model}
    return {**head, "created": reply.created_s, "usage": _USAGE, "choices": [choice]}


def stream(reply: Reply) -> Iterator[Step]:
    head = {
        "id": reply.new_id("chatcmpl"),
        "object": "chat.completion.chunk",
        "created": reply.created_s,
        "model": reply.model,
    }

    def delta(content: JSON, finish: str | None = None, pause_s: float = 0) -> Event:
        choice = {"index": 0, "delta": content, "finish_reason": finish}
        return Event({**head, "choices": [choice]}, pause_s=pause_s)

    yield delta({"role": "assistant", "content": ""})
    call_index = 0
    for action in reply.actions:
        match action:
            case Say():
                key = "reasoning_content" if action.is_thought else "content"
                for chunk in action.chunks:
                    yield delta({key: chunk}, pause_s=action.pause_s)
            case Call():
                for call in _call_deltas(action, call_index, reply.new_id("call")):
                    yield delta({"tool_calls": [call]})
                call_index += 1
            case Hang() | Drop():
                yield action
    yield delta({}, _finish_reason(reply))
    if (reply.body.get("stream_options") or {}).get("include_usage"):
        yield Event({**head, "choices": [], "usage": _USAGE})
    yield Event("[DONE]")


def _call_deltas(action: Call, index: int, call_id: str) -> Iterator[JSON]:
    yield {
        "index": index,
        "id": call_id,
        "type": "function",
        "function": {"name": action.name, "arguments": ""},
    }
    for piece in chunked(json.dumps(action.arguments)):
        yield {"index": index, "function": {"arguments": piece}}


def _finish_reason(reply: Reply) -> str:
    return "tool_calls" if calls_a_tool(reply.actions) else "stop"
