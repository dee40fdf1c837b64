"""OpenAI Responses API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

from support.scripted_llm.actions import (
    JSON,
    Call,
    Drop,
    FreeformCall,
    Hang,
    LocalShell,
    Say,
    WebSearch,
)

from .reply import INPUT_TOKENS, OUTPUT_TOKENS, Event, Reply, Step, chunked

_USAGE = {
    "input_tokens": INPUT_TOKENS,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": OUTPUT_TOKENS,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def whole(reply: Reply) -> JSON:
    last: JSON = {}
    for step in stream(reply):
        if isinstance(step, Event) and isinstance(step.data, dict):
            last = step.data
    return dict(last["response"])


def stream(reply: Reply) -> Iterator[Step]:
    response_id = reply.new_id("resp")
    numbers = count()

    def event(kind: str, pause_s: float = 0, **fields: object) -> Event:
        data = {"type": kind, **fields, "sequence_number": next(numbers)}
        return Event(data, name=kind, pause_s=pause_s)

    for kind in ("response.created", "response.in_progress"):
        yield event(kind, response=_response(reply, response_id, "in_progress", []))
    output: list[JSON] = []
    for action in reply.actions:
        if isinstance(action, Hang | Drop):
            yield action
            continue
        item: JSON = {}
        for kind, pause_s, fields in _item_events(action, reply):
            item = fields.get("item", item)
            yield event(kind, pause_s, output_index=len(output), **fields)
        output.append(item)
    yield event("response.completed", response=_response(reply, response_id, "completed", output))


_ItemEvent = tuple[str, float, JSON]


def _item_events(action: object, reply: Reply) -> Iterator[_ItemEvent]:
    """Added, what happens to it, done; the last `item` is the finished one."""
    match action:
        case Say(is_thought=False):
            yield from _message(action, reply.new_id("msg"))
        case Say():
            yield from _reasoning(action, reply.new_id("rs"))
        case Call():
            item: JSON = {
                "id": reply.new_id("fc"),
                "type": "function_call",
                "status": "in_progress",
                "name": action.name,
                "arguments": "",
                "call_id": reply.new_id("call"),
            }
            if action.namespace is not None:
                item["namespace"] = action.namespace
            kind = "response.function_call_arguments"
            yield from _call(item, kind, "arguments", json.dumps(action.arguments))
        case FreeformCall():
            item = {
                "id": reply.new_id("ctc"),
                "type": "custom_tool_call",
                "status": "in_progress",
                "name": action.name,
                "input": "",
                "call_id": reply.new_id("call"),
            }
            yield from _call(item, "response.custom_tool_call_input", "input", action.text)
        case LocalShell():
            item = {
                "id": reply.new_id("lsh"),
                "type": "local_shell_call",
                "status": "completed",
                "call_id": reply.new_id("call"),
                "action": {"type": "exec", "command": list(action.argv), "env": {}},
            }
            yield "response.output_item.added", 0, {"item": item}
            yield "response.output_item.done", 0, {"item": item}
        case WebSearch():
            search: JSON = {"type": "search", "query": action.query}
            item = {"id": reply.new_id("ws"), "type": "web_search_call", "status": "in_progress"}
            yield "response.output_item.added", 0, {"item": item}
            finished = item | {"status": "completed", "action": search}
            yield "response.output_item.done", 0, {"item": finished}


def _message(action: Say, item_id: str) -> Iterator[_ItemEvent]:
    item: JSON = {"id": item_id, "type": "message", "role": "assistant"}
    at: JSON = {"item_id": item_id, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    started = item | {"status": "in_progress", "content": []}
    yield "response.output_item.added", 0, {"item": started}
    yield "response.content_part.added", 0, at | {"part": part}
    for chunk in action.chunks:
        yield "response.output_text.delta", action.pause_s, at | {"delta": chunk}
    part = part | {"text": action.text}
    yield "response.output_text.done", 0, at | {"text": action.text}
    yield "response.content_part.done", 0, at | {"part": part}
    finished = item | {"status": "completed", "content": [part]}
    yield "response.output_item.done", 0, {"item": finished}


def _reasoning(action: Say, item_id: str) -> Iterator[_ItemEvent]:
    item: JSON = {"id": item_id, "type": "reasoning"}
    at: JSON = {"item_id": item_id, "summary_index": 0}
    summary = {"type": "summary_text", "text": action.text}
    yield "response.output_item.added", 0, {"item": item | {"summary": []}}
    empty = {"type": "summary_text", "text": ""}
    yield "response.reasoning_summary_part.added", 0, at | {"part": empty}
    for chunk in action.chunks:
        yield "response.reasoning_summary_text.delta", action.pause_s, at | {"delta": chunk}
    yield "response.reasoning_summary_text.done", 0, at | {"text": action.text}
    yield "response.reasoning_summary_part.done", 0, at | {"part": summary}
    yield "response.output_item.done", 0, {"item": item | {"summary": [summary]}}


def _call(item: JSON, kind: str, key: str, text: str) -> Iterator[_ItemEvent]:
    yield "response.output_item.added", 0, {"item": item}
    for piece in chunked(text):
        yield f"{kind}.delta", 0, {"item_id": item["id"], "delta": piece}
    yield f"{kind}.done", 0, {"item_id": item["id"], key: text}
    finished = item | {"status": "completed", key: text}
    yield "response.output_item.done", 0, {"item": finished}


def _response(reply: Reply, response_id: str, status: str, output: list[JSON]) -> JSON:
    return {
        "id": response_id,
        "object": "response",
        "created_at": reply.created_s,
        "status": status,
        "model": reply.model,
        "output": output,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": _USAGE if status == "completed" else None,
    }
