"""What was said and done in a session, as Inspect tells it: messages, and events for its viewer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sandbox_agent_core.content import AudioBlock, ContentBlock, ImageBlock, TextBlock, text_of
from sandbox_agent_core.exports.calls import (
    arguments_of,
    facts_of,
    function_of,
    is_over,
    output_text,
    shown_beside,
)
from sandbox_agent_core.exports.conversation import Call, Step
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.view.model import Transcript

__all__ = ["Events", "id_of", "messages_of", "time_of"]

_AUDIO: Final = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


class Events:
    """What happened, in order: what the model was told since it last spoke and what it said, each call, and the sub-agent of
    a call in a span of its own."""

    def __init__(self, transcript: Transcript, model: str) -> None:
        times = [turn.started_at for turn in transcript.turns if turn.started_at]
        self._now = times[0] if times else datetime.fromtimestamp(0, UTC)
        self._model = model

    def of(self, steps: Iterable[Step], span: str | None = None) -> Iterator[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        for step in steps:
            self._now = step.time or self._now
            messages = [*messages_of(step, self._model)]
            if step.source != "agent":
                told += messages
                continue
            answer, *results = messages
            yield self._event(
                "model",
                span,
                model=self._model,
                input=told,
                tools=[],
                tool_choice="auto",
                config={},
                output={"model": self._model, "choices": [{"message": answer}]},
            )
            told = results
            for call in step.calls:
                yield from self._called(call, span)

    def _called(self, call: Call, span: str | None) -> Iterator[dict[str, Any]]:
        item = call.item
        self._now = item.time
        inner = f"{span or ''}/{item.tool_call_id}/{item.seq}" if call.steps else None
        result = _result(call)
        yield self._event(
            "tool",
            span,
            id=item.tool_call_id,
            function=function_of(item),
            arguments=arguments_of(item),
            result=_without_data(result["content"]),
            error=result.get("error"),
            failed=item.status == "failed" or None,
            completed=item.ended_at and time_of(item.ended_at),
            pending=None if is_over(item) else True,
            agent_span_id=inner,
        )
        if inner is not None:
            name = function_of(item)
            yield self._event(
                "span_begin", inner, id=inner, parent_id=span, type="agent", name=name
            )
            yield from self.of(call.steps, inner)
            yield self._event("span_end", inner, id=inner)

    def _event(self, event: str, span: str | None, **members: Any) -> dict[str, Any]:
        timestamp = time_of(self._now)
        return compact(event=event, timestamp=timestamp, working_start=0, span_id=span, **members)


def messages_of(step: Step, model: str) -> Iterator[dict[str, Any]]:
    """One of the step, and one with the result of each call."""
    role = {"user": "user", "agent": "assistant", "system": "system"}[step.source]
    thoughts = [{"type": "reasoning", "reasoning": thought} for thought in step.reasoning]
    message = compact(
        id=id_of(role, str(step.time), str(step.facts.get("messageId")), text_of(step.content)),
        role=role,
        content=_content(step.content, thoughts),
        metadata=step.facts or None,
    )
    if role == "assistant":
        message |= compact(model=model, tool_calls=[_call(call) for call in step.calls] or None)
    yield message
    for call in step.calls:
        yield _result(call)


def _call(call: Call) -> dict[str, Any]:
    function = function_of(call.item)
    return {
        "id": call.item.tool_call_id,
        "function": function,
        "arguments": arguments_of(call.item),
        "type": "function",
    }


def _result(call: Call) -> dict[str, Any]:
    item = call.item
    text = output_text(item)
    blocks = shown_beside(item)
    return compact(
        id=id_of("tool", item.tool_call_id, str(item.seq)),
        role="tool",
        tool_call_id=item.tool_call_id,
        function=function_of(item),
        content=_content([TextBlock(text=text), *blocks]) if blocks else text,
        error={"type": "unknown", "message": item.reason or text}
        if item.status == "failed"
        else None,
        metadata=facts_of(item) or None,
    )


def _content(
    blocks: Sequence[ContentBlock], before: Sequence[dict[str, Any]] = ()
) -> str | list[dict[str, Any]]:
    if not before and all(isinstance(block, TextBlock) for block in blocks):
        return text_of(blocks)
    return [*before, *(_part(block) for block in blocks)]


def _part(block: ContentBlock) -> dict[str, Any]:
    match block:
        case TextBlock():
            return {"type": "text", "text": block.text}
        case ImageBlock():
            return {"type": "image", "image": f"data:{block.mime_type};base64,{block.data}"}
        case AudioBlock() if block.mime_type in _AUDIO:
            url = f"data:{block.mime_type};base64,{block.data}"
            return {"type": "audio", "audio": url, "format": _AUDIO[block.mime_type]}
    return {"type": "data", "data": block.to_wire()}


def _without_data(content: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Events of tools take no such parts; the message with the same result has them."""
    if isinstance(content, str):
        return content
    return [part for part in content if part["type"] != "data"]


def time_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def id_of(*words: str) -> str:
    joined = "\0".join(words).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:22]
