"""Gemini `generateContent` API."""

from __future__ import annotations

import json
from collections.abc import Iterator

from support.scripted_llm.actions import JSON, Call, Drop, Hang, Say

from .reply import INPUT_TOKENS, OUTPUT_TOKENS, Event, Reply, Step

_SAMPLES = {"number": 1, "integer": 1, "boolean": False, "array": [], "object": {}}


def whole(reply: Reply) -> JSON:
    config = reply.body.get("generationConfig") or {}
    if config.get("responseMimeType") == "application/json":
        return _response([{"text": json.dumps(_fitting_object(config))}], "STOP")
    texts = [a.text for a in reply.actions if isinstance(a, Say) and not a.is_thought]
    return _response([{"text": "".join(texts)}], "STOP")


def stream(reply: Reply) -> Iterator[Step]:
    for action in reply.actions:
        match action:
            case Say():
                thought = {"thought": True} if action.is_thought else {}
                for chunk in action.chunks:
                    yield Event(_response([{"text": chunk, **thought}]), pause_s=action.pause_s)
            case Call():
                call = {
                    "id": reply.new_id("call"),
                    "name": action.name,
                    "args": action.arguments,
                }
                yield Event(_response([{"functionCall": call}]))
            case Hang() | Drop():
                yield action
    yield Event(_response([{"text": ""}], "STOP"))


def _response(parts: list[JSON], finish_reason: str | None = None) -> JSON:
    candidate: JSON = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish_reason:
        candidate["finishReason"] = finish_reason
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS,
            "candidatesTokenCount": OUTPUT_TOKENS,
            "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
        },
        "modelVersion": "scripted",
    }


def _fitting_object(config: JSON) -> JSON:
    """Gemini CLI's routers and next-speaker checks want JSON that fits their schema."""
    schema = config.get("responseJsonSchema") or config.get("responseSchema") or {}
    answer: JSON = {}
    for name, prop in (schema.get("properties") or {}).items():
        kind = str(prop.get("type", "string")).lower()
        answer[name] = prop["enum"][0] if prop.get("enum") else _SAMPLES.get(kind, "scripted")
    if "next_speaker" in answer:
        answer["next_speaker"] = "user"
    if "model_choice" in answer:
        answer["model_choice"] = "flash"
    return answer
