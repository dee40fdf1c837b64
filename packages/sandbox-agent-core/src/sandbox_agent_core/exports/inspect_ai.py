"""Logs of Inspect (the evaluation framework of the UK AI Security Institute), version 2 of its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sandbox_agent_core.content import text_of
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.exports.conversation import conversation, facts_about
from sandbox_agent_core.exports.inspect_messages import Events, id_of, messages_of, time_of
from sandbox_agent_core.exports.plain_json import plain_json
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.view.model import Transcript

__all__ = ["Sample", "Score", "to_inspect"]

_LOG_VERSION: Final = 2
_STOPS: Final = {
    "end_turn": "stop",
    "max_tokens": "max_tokens",
    "refusal": "content_filter",
}
"""Of our stop reasons, those that Inspect has."""
_GRADES: Final = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""What Inspect counts its letters as: correct, partial, incorrect, no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    value: str | int | float | bool
    """`"C"` (correct), `"I"` (incorrect), `"P"` (partly), or a number."""
    explanation: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A session as the answer to a task."""

    id: str
    """Of the task. Repeats of it have the same, and other epochs."""
    epoch: int = 1
    transcript: Transcript
    input: str | None = None
    """What was asked; by default its first prompt."""
    target: str = ""
    scores: Mapping[str, Score] = field(default_factory=dict)
    error: Fault | None = None
    """By default that of its last turn."""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def to_inspect(
    samples: Sequence[Sample],
    *,
    task: str,
    created: datetime,
    agent: str | None = None,
    model: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Sessions of one agent as an `EvalLog`: JSON that Inspect reads as a `.json` file, with credentials masked.

    Inspect names a log's model by provider and name; ours is the agent and its model. `messages` of a sample are the
    session's; what its sub-agents said and did is in its `events`, in spans of their own. What the format has no field for
    is in `metadata`, in the words of our API.

    Raises:
        ValueError: two samples have the same id and epoch.
    """
    seen = Counter((sample.id, sample.epoch) for sample in samples)
    if twice := [key for key, count in seen.items() if count > 1]:
        raise ValueError(f"Samples need an epoch each: {twice[0]} is there twice.")
    first = samples[0].transcript if samples else None
    agent = agent or (first and first.agent) or "unknown"
    name = f"{agent}/{model or (first and first.model) or 'default'}"
    written = [_sample(sample, name) for sample in samples]
    failed = next((sample["error"] for sample in written if "error" in sample), None)
    started = [sample["started_at"] for sample in written if "started_at" in sample]
    ended = [sample["completed_at"] for sample in written if "completed_at" in sample]
    ids = [*dict.fromkeys(sample.id for sample in samples)]
    # By what is in it, so that exporting it again gives the same log.
    place = id_of(task, name, *(f"{sample.id} {sample.epoch}" for sample in samples), *started)
    log = compact(
        version=_LOG_VERSION,
        status=_status(samples, failed),
        eval=compact(
            created=time_of(created),
            eval_id=place,
            run_id=place,
            task_id=id_of(task),
            task=task,
            solver=agent,
            dataset={"name": task, "samples": len(ids), "sample_ids": ids},
            model=name,
            config={"epochs": max((sample.epoch for sample in samples), default=1)},
            metadata=dict(metadata) if metadata else None,
        ),
        plan={"name": agent, "steps": [{"solver": agent}]},
        results={
            "total_samples": len(samples),
            "completed_samples": sum("error" not in sample for sample in written),
            "scores": [*_results(samples)],
        },
        stats=compact(
            started_at=min(started, default=None),
            completed_at=max(ended, default=None),
            model_usage={name: total} if (total := _sum(written, name)) else {},
        ),
        error=failed,
        samples=written,
    )
    plain: dict[str, Any] = plain_json(log)
    return plain


def _sample(sample: Sample, model: str) -> dict[str, Any]:
    transcript = sample.transcript
    steps = conversation(transcript)
    prompt = next((turn.prompt for turn in transcript.turns if turn.prompt), [])
    messages = [message for step in steps for message in messages_of(step, model)]
    last = transcript.turns[-1] if transcript.turns else None
    error = sample.error or (last and last.error)
    usage = _usage(transcript)
    started = [turn.started_at for turn in transcript.turns if turn.started_at]
    ended = [turn.ended_at for turn in transcript.turns if turn.ended_at]
    answers = [message for message in messages if message["role"] == "assistant"]
    output = compact(
        model=model,
        choices=[
            {
                "message": answers[-1],
                "stop_reason": _STOPS.get((last and last.stop_reason) or "", "unknown"),
            }
        ]
        if answers
        else [],
        usage=usage or None,
        error=error and error.message,
    )
    return compact(
        id=sample.id,
        epoch=sample.epoch,
        uuid=id_of(sample.id, str(sample.epoch), transcript.session_id or ""),
        input=sample.input if sample.input is not None else text_of(prompt),
        target=sample.target,
        messages=messages,
        output=output,
        scores={
            name: compact(
                value=score.value,
                explanation=score.explanation,
                metadata=dict(score.metadata) or None,
            )
            for name, score in sample.scores.items()
        },
        metadata={**facts_about(transcript), **sample.metadata},
        events=[*Events(transcript, model).of(steps)],
        model_usage={model: usage} if usage else {},
        started_at=time_of(min(started)) if started else None,
        completed_at=time_of(max(ended)) if ended else None,
        total_time=max((max(ended) - min(started)).total_seconds(), 0.0)
        if started and ended
        else None,
        error=_error(error) if error else None,
    )


def _usage(transcript: Transcript) -> dict[str, Any]:
    """Both count what came from a cache beside the input."""
    found: Counter[str] = Counter()
    cost: float | None = None
    for turn in transcript.turns:
        if (usage := turn.usage) is not None:
            told = compact(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                total_tokens=usage.total_tokens,
                input_tokens_cache_read=usage.cached_read_tokens,
                input_tokens_cache_write=usage.cached_write_tokens,
                reasoning_tokens=usage.thought_tokens,
            )
            found.update(told)
        if turn.cost is not None and turn.cost.currency == "USD":
            cost = (cost or 0.0) + turn.cost.amount
    return {**found, **compact(total_cost=cost)}


def _sum(written: Iterable[dict[str, Any]], model: str) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for sample in written:
        for name, count in sample["model_usage"].get(model, {}).items():
            total[name] = total.get(name, 0) + count
    return total


def _results(samples: Sequence[Sample]) -> Iterator[dict[str, Any]]:
    for scorer in dict.fromkeys(name for sample in samples for name in sample.scores):
        given = [sample.scores[scorer].value for sample in samples if scorer in sample.scores]
        values = [_GRADES.get(value) if isinstance(value, str) else float(value) for value in given]
        known = [value for value in values if value is not None]
        metric = "accuracy" if all(isinstance(value, str) for value in given) else "mean"
        yield {
            "name": scorer,
            "scorer": scorer,
            "scored_samples": len(given),
            "unscored_samples": len(samples) - len(given),
            "metrics": {metric: {"name": metric, "value": sum(known) / len(known)}}
            if known
            else {},
        }


def _status(samples: Sequence[Sample], failed: Any) -> str:
    last = [sample.transcript.turns[-1] for sample in samples if sample.transcript.turns]
    if any(turn.started_at and not turn.stop_reason for turn in last):
        return "started"
    if failed and len(samples) == 1:
        return "error"
    if last and all(turn.stop_reason in {"cancelled", "interrupted"} for turn in last):
        return "cancelled"
    return "success"


def _error(fault: Fault) -> dict[str, Any]:
    text = f"{fault.code}: {fault.message}"
    return {"message": text, "traceback": text, "traceback_ansi": text}
