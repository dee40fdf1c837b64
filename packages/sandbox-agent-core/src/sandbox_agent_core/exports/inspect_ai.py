"""Logs of Inspect (the evaluation framework of the UK AI Security Institute), version 2 of its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sandbox_agent_core.content import text_of
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.events.turn import LimitKind
from sandbox_agent_core.exports.conversation import conversation, facts_about
from sandbox_agent_core.exports.inspect_messages import Events, id_of, messages_of, time_of
from sandbox_agent_core.exports.plain_json import plain_json
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.view.model import Transcript

__all__ = ["InspectLog", "Sample", "Score", "to_inspect"]

_LOG_VERSION: Final = 2
_UNKNOWN: Final = "unknown"
_IN_HEADER: Final = ("started_at", "completed_at", "error", "model_usage")
_STOPS: Final = {
    "end_turn": "stop",
    "max_tokens": "max_tokens",
    "refusal": "content_filter",
}
"""Of our stop reasons, those that Inspect has."""
_LIMITS: Final[Mapping[LimitKind, str]] = {
    "timeout": "time",
    "max_turns": "turn",
    "max_cost": "cost",
}
"""Our bounds, as Inspect calls them."""
_GRADES: Final = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""What Inspect counts its letters as: correct, partial, incorrect, no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    value: str | int | float | bool
    """`"C"` (correct), `"I"` (incorrect), `"P"` (partly), or a number."""
    answer: str | None = None
    """What was judged."""
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
    limit: tuple[LimitKind, float] | None = None
    """Which bound has stopped it: its name, and what it was, in seconds, round trips to the model or USD."""
    started_at: datetime | None = None
    """By default when its first turn began."""
    seconds: float | None = None
    """From then to its end, with what came before and after its turns; by default to the end of its last turn."""
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
    log = InspectLog(task=task, created=created, agent=agent, model=model, metadata=metadata)
    written = [log.add(sample) for sample in samples]
    return {**log.header(), "samples": written}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the header says of a sample."""

    sample: dict[str, Any]
    """Its members that are no conversation."""
    scores: Mapping[str, Score]
    stop_reason: str | None
    is_running: bool


class InspectLog:
    """What `to_inspect` makes, one sample after the other, so that nobody needs to hold more of them than one."""

    def __init__(
        self,
        *,
        task: str,
        created: datetime,
        agent: str | None = None,
        model: str | None = None,
        solver: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """`agent` and `model`: by default those of the first sample. `solver`: what the agent is called where several of
        the same are compared."""
        self._task = task
        self._created = created
        self._agent = agent
        self._model = model
        self._solver = solver
        self._metadata = metadata
        self._known: dict[tuple[str, int], _Known] = {}

    def add(self, sample: Sample) -> dict[str, Any]:
        """The sample as it is in the log.

        Raises:
            ValueError: there is one with its id and epoch.
        """
        key = (sample.id, sample.epoch)
        if key in self._known:
            raise ValueError(f"Samples need an epoch each: {key} is there twice.")
        transcript = sample.transcript
        if not self._known:
            self._agent = self._agent or transcript.agent
            self._model = self._model or transcript.model
        written: dict[str, Any] = plain_json(_sample(sample, self._name))
        last = transcript.turns[-1] if transcript.turns else None
        self._known[key] = _Known(
            sample={name: written[name] for name in _IN_HEADER if name in written},
            scores=sample.scores,
            stop_reason=last.stop_reason if last is not None else None,
            is_running=last is not None and bool(last.started_at and not last.stop_reason),
        )
        return written

    def header(self, *, status: str | None = None) -> dict[str, Any]:
        """All of the log but its samples. `status`: of Inspect's; by default what those of the samples come to."""
        known = [*self._known.values()]
        samples = [one.sample for one in known]
        name, solver = self._name, self._solver or self._agent or _UNKNOWN
        failed = next((sample["error"] for sample in samples if "error" in sample), None)
        started = [sample["started_at"] for sample in samples if "started_at" in sample]
        ended = [sample["completed_at"] for sample in samples if "completed_at" in sample]
        ids = [*dict.fromkeys(id for id, _ in self._known)]
        epochs = [epoch for _, epoch in self._known]
        # By what is in it, so that exporting it again gives the same log.
        place = id_of(
            self._task, solver, name, *(f"{id} {epoch}" for id, epoch in self._known), *started
        )
        log = compact(
            version=_LOG_VERSION,
            status=status or _status(known, failed),
            eval=compact(
                created=time_of(self._created),
                eval_id=place,
                run_id=place,
                task_id=id_of(self._task),
                task=self._task,
                solver=solver,
                dataset={"name": self._task, "samples": len(ids), "sample_ids": ids},
                model=name,
                config={"epochs": max(epochs, default=1)},
                metadata=dict(self._metadata) if self._metadata else None,
            ),
            plan={"name": solver, "steps": [{"solver": solver}]},
            results={
                "total_samples": len(samples),
                "completed_samples": sum("error" not in sample for sample in samples),
                "scores": [*_results([one.scores for one in known])],
            },
            stats=compact(
                started_at=min(started, default=None),
                completed_at=max(ended, default=None),
                model_usage={name: total} if (total := _sum(samples, name)) else {},
            ),
            error=failed,
        )
        plain: dict[str, Any] = plain_json(log)
        return plain

    @property
    def _name(self) -> str:
        return f"{self._agent or _UNKNOWN}/{self._model or 'default'}"


def _sample(sample: Sample, model: str) -> dict[str, Any]:
    transcript = sample.transcript
    steps = conversation(transcript)
    prompt = next((turn.prompt for turn in transcript.turns if turn.prompt), [])
    messages = [message for step in steps for message in messages_of(step, model)]
    last = transcript.turns[-1] if transcript.turns else None
    error = sample.error or (last and last.error)
    usage = _usage(transcript)
    began = [turn.started_at for turn in transcript.turns if turn.started_at]
    ended = [turn.ended_at for turn in transcript.turns if turn.ended_at]
    started_at = sample.started_at or min(began, default=None)
    completed_at = max(ended, default=None)
    if started_at is not None and sample.seconds is not None:
        completed_at = started_at + timedelta(seconds=sample.seconds)
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
                answer=score.answer,
                explanation=score.explanation,
                metadata=dict(score.metadata) or None,
            )
            for name, score in sample.scores.items()
        },
        metadata={**facts_about(transcript), **sample.metadata},
        events=[*Events(transcript, model).of(steps)],
        model_usage={model: usage} if usage else {},
        started_at=started_at and time_of(started_at),
        completed_at=completed_at and time_of(completed_at),
        total_time=_seconds(started_at, completed_at),
        working_time=_seconds(min(began, default=None), max(ended, default=None)),
        error=_error(error) if error else None,
        limit=sample.limit and {"type": _LIMITS[sample.limit[0]], "limit": sample.limit[1]},
    )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max((end - start).total_seconds(), 0.0)


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


def _results(scores: Sequence[Mapping[str, Score]]) -> Iterator[dict[str, Any]]:
    for scorer in dict.fromkeys(name for one in scores for name in one):
        given = [one[scorer].value for one in scores if scorer in one]
        values = [_GRADES.get(value) if isinstance(value, str) else float(value) for value in given]
        known = [value for value in values if value is not None]
        metric = "accuracy" if all(isinstance(value, str) for value in given) else "mean"
        yield {
            "name": scorer,
            "scorer": scorer,
            "scored_samples": len(given),
            "unscored_samples": len(scores) - len(given),
            "metrics": {metric: {"name": metric, "value": sum(known) / len(known)}}
            if known
            else {},
        }


def _status(known: Sequence[_Known], failed: Any) -> str:
    if any(one.is_running for one in known):
        return "started"
    if failed and len(known) == 1:
        return "error"
    stops = [one.stop_reason for one in known if one.stop_reason is not None]
    if stops and all(stop in {"cancelled", "interrupted"} for stop in stops):
        return "cancelled"
    return "success"


def _error(fault: Fault) -> dict[str, Any]:
    text = f"{fault.code}: {fault.message}"
    return {"message": text, "traceback": text, "traceback_ansi": text}
