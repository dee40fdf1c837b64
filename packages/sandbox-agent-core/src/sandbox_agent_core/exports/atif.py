"""ATIF, the Agent Trajectory Interchange Format (RFC 0001 of Harbor): a session as a trajectory of steps."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.content import (
    AudioBlock,
    ContentBlock,
    EmbeddedResource,
    ImageBlock,
    TextBlock,
)
from sandbox_agent_core.exports.calls import (
    arguments_of,
    facts_of,
    function_of,
    is_over,
    output_text,
    shown_beside,
)
from sandbox_agent_core.exports.conversation import Call, Step, conversation, facts_about
from sandbox_agent_core.exports.plain_json import plain_json
from sandbox_agent_core.lenient import as_str, compact
from sandbox_agent_core.view.model import Transcript, Turn

__all__ = ["ATIF_VERSION", "AtifExport", "to_atif"]

ATIF_VERSION: Final = "ATIF-v1.8"
_ENDINGS: Final = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/webm": "webm",
    "audio/aiff": "aiff",
}
"""The kinds of media that the format knows."""
_NOTHING: Final = "Nothing was said in this session."
"""A trajectory has at least one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtifExport:
    trajectory: dict[str, Any]
    """JSON, with credentials masked."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Pictures and sounds that it names, by their paths relative to where the trajectory is."""


def to_atif(
    transcript: Transcript,
    *,
    agent_version: str | None = None,
    media: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> AtifExport:
    """A session as an ATIF trajectory.

    A step of the agent is what it thought and said and the calls that it made then, with their results; sub-agents are
    trajectories of their own inside of it. Use and cost are known of turns, and are on the last step of each. What the
    format has no field for is in the `extra` of the step, the call or the whole, in the words of our API.

    `media`: the directory for pictures and sounds. Without one they stay in the `extra` of their steps. `extra`: more that
    is known of the whole.
    """
    return _Writer(transcript, agent_version=agent_version, media=media).export(extra or {})


class _Writer:
    def __init__(
        self, transcript: Transcript, *, agent_version: str | None, media: str | None
    ) -> None:
        self._of = transcript
        self._agent = compact(
            name=transcript.agent or "unknown",
            version=agent_version or "unknown",
            model_name=transcript.model,
        )
        self._media = media
        self._files: dict[str, bytes] = {}

    def export(self, extra: Mapping[str, Any]) -> AtifExport:
        steps = conversation(self._of) or [
            Step(source="system", content=[TextBlock(text=_NOTHING)])
        ]
        trajectory = self._trajectory(steps)
        trajectory["final_metrics"] = _final_metrics(self._of, len(steps))
        trajectory["extra"] = {**facts_about(self._of), **extra}
        return AtifExport(trajectory=plain_json(trajectory), files=self._files)

    def _trajectory(self, steps: list[Step], trajectory_id: str | None = None) -> dict[str, Any]:
        inner: list[dict[str, Any]] = []
        written = [self._step(number, step, inner) for number, step in enumerate(steps, 1)]
        return compact(
            schema_version=ATIF_VERSION,
            session_id=self._of.session_id,
            trajectory_id=trajectory_id or self._of.session_id,
            agent=self._agent,
            steps=written,
            subagent_trajectories=inner or None,
        )

    def _step(self, number: int, step: Step, inner: list[dict[str, Any]]) -> dict[str, Any]:
        message, left = self._content(step.content)
        facts = {**step.facts, **({"content": left} if left else {})}
        written = compact(
            step_id=number,
            timestamp=step.time and step.time.isoformat(),
            source=step.source,
            message=message,
            extra=facts or None,
        )
        if step.source == "agent":
            written |= compact(
                reasoning_content="\n\n".join(step.reasoning) or None,
                tool_calls=[_call(call) for call in step.calls] or None,
                **_metrics(step.ends),
            )
            results = [self._result(call, inner) for call in step.calls if _has_result(call)]
            if results:
                written["observation"] = {"results": results}
        return written

    def _result(self, call: Call, inner: list[dict[str, Any]]) -> dict[str, Any]:
        blocks: list[ContentBlock] = [TextBlock(text=output_text(call.item))]
        content, left = self._content([*blocks, *shown_beside(call.item)])
        result = compact(
            source_call_id=call.item.tool_call_id,
            content=content,
            extra={"content": left} if left else None,
        )
        if call.steps:
            # Calls of two turns may have the same id.
            name = f"{self._of.session_id or 'session'}/{call.item.tool_call_id}/{call.item.seq}"
            inner.append(self._trajectory(call.steps, name))
            result["subagent_trajectory_ref"] = [{"trajectory_id": plain_json(name)}]
        return result

    def _content(
        self, blocks: Iterable[ContentBlock]
    ) -> tuple[str | list[dict[str, Any]], list[dict[str, Any]]]:
        """As the format has it; and those blocks of which it has not all."""
        parts: list[dict[str, Any]] = []
        left: list[dict[str, Any]] = []
        for block in blocks:
            if isinstance(block, TextBlock):
                parts.append({"type": "text", "text": block.text})
                continue
            if (part := self._medium(block)) is not None:
                parts.append(part)
                continue
            parts.append({"type": "text", "text": _in_words(block)})
            left.append(block.to_wire())
        if all(part["type"] == "text" for part in parts):
            return "\n".join(part["text"] for part in parts), left
        return parts, left

    def _medium(self, block: ContentBlock) -> dict[str, Any] | None:
        if self._media is None or not isinstance(block, (ImageBlock, AudioBlock)):
            return None
        ending = _ENDINGS.get(block.mime_type)
        if ending is None or not block.mime_type.startswith(f"{block.type}/"):
            return None
        try:
            data = base64.b64decode(block.data, validate=True)
        except (binascii.Error, ValueError):
            return None
        path = f"{self._media}/{hashlib.sha256(data).hexdigest()[:16]}.{ending}"
        self._files[path] = data
        return {"type": block.type, "source": {"media_type": block.mime_type, "path": path}}


def _call(call: Call) -> dict[str, Any]:
    return compact(
        tool_call_id=call.item.tool_call_id,
        function_name=function_of(call.item),
        arguments=arguments_of(call.item),
        extra=facts_of(call.item) or None,
    )


def _has_result(call: Call) -> bool:
    return is_over(call.item) or bool(call.steps) or bool(output_text(call.item))


def _in_words(block: ContentBlock) -> str:
    known = block.to_wire()
    if isinstance(block, EmbeddedResource):
        known = block.resource
        if text := as_str(known.get("text")):
            return text
    names = (as_str(known.get(name)) for name in ("name", "uri", "mimeType", "type"))
    return f"[{next((name for name in names if name), block.type)}]"


def _metrics(turn: Turn | None) -> dict[str, Any]:
    if turn is None:
        return {}
    metrics = _counts(turn)
    calls = turn.model_calls or None
    return compact(
        metrics={**metrics, "extra": {"of": "turn"}} if metrics else None, llm_call_count=calls
    )


def _counts(turn: Turn) -> dict[str, Any]:
    """The format counts what came from a cache among the input; our counts add up."""
    found: dict[str, Any] = {}
    if (usage := turn.usage) is not None:
        parts = (usage.input_tokens, usage.cached_read_tokens, usage.cached_write_tokens)
        if any(part is not None for part in parts):
            found["prompt_tokens"] = sum(part or 0 for part in parts)
        found |= compact(
            completion_tokens=usage.output_tokens, cached_tokens=usage.cached_read_tokens
        )
    if turn.cost is not None and turn.cost.currency == "USD":
        found["cost_usd"] = turn.cost.amount
    return found


def _final_metrics(transcript: Transcript, steps: int) -> dict[str, Any]:
    counts = [_counts(turn) for turn in transcript.turns]
    totals = {
        f"total_{name}": sum(known)
        for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd")
        if (known := [count[name] for count in counts if name in count])
    }
    cost = transcript.usage.cost if transcript.usage is not None else None
    if "total_cost_usd" not in totals and cost is not None and cost.currency == "USD":
        totals["total_cost_usd"] = cost.amount
    return {**totals, "total_steps": steps}
