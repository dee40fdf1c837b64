"""Results in the formats of others: a log of Inspect for each agent, or an ATIF trajectory for each trial. Apart from the
rest of the package: who runs a batch need not import what packs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from os import PathLike
from pathlib import Path
from typing import IO, Any, Final

from sandbox_agent_core.errors import InvalidRequest, NotFound, SandboxAgentError, StorageError
from sandbox_agent_core.events import parse_event
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.events.turn import LimitKind
from sandbox_agent_core.exports import InspectLog, Sample, Score, SessionExport
from sandbox_agent_core.exports.inspect_archive import write_inspect_archive

from sandbox_agent_client.batch.plan import AgentSpec, Plan, trials_of
from sandbox_agent_client.batch.result import TrialResult
from sandbox_agent_client.batch.results import (
    DIFF,
    EVENTS,
    GRADE,
    load_plan,
    load_results,
    trial_directory,
)
from sandbox_agent_client.batch.summary import BatchSummary

__all__ = ["BatchFormat", "export_batch"]


class BatchFormat(StrEnum):
    INSPECT = "inspect"
    ATIF = "atif"


EXPLANATION_CHARS: Final = 4000
"""Of what a grading command wrote, its end: each is also in the summaries of a log."""


def export_batch(
    directory: str | PathLike[str],
    *,
    format: BatchFormat | str,
    output: str | PathLike[str] | None = None,
    report: Callable[[TrialResult], None] | None = None,
) -> list[Path]:
    """Write what came of a batch, also of one that runs, and answer with the files.

        export_batch("results", format="inspect")  # results/inspect/claude.eval, results/inspect/codex.eval

    `inspect` makes a log of each agent: its trials are the samples, repeats are epochs, grades are scores. `atif` makes a
    trajectory of each trial that had a session; its pictures are in a directory beside it. What looks like a
    credential is masked in both. `output` is the directory (default: one in `directory`, named as the format); of a
    single agent it may be the `.eval` or `.json` file. Files that are there are written over. One trial is in memory at
    a time, or with `.json` all of them. `report` is told of each trial that was read.

    Raises:
        NotFound: there are no results.
        InvalidRequest: there is no such format; a file for several agents; or it cannot be written.
        StorageError: a result cannot be read.
    """
    try:
        wanted = BatchFormat(format)
    except ValueError:
        known = ", ".join(BatchFormat)
        raise InvalidRequest(f"There is no format {format!r}; there are: {known}.") from None
    place = Path(directory)
    plan = load_plan(place)
    results = BatchSummary.of(plan, list(load_results(place).values())).results
    if not results:
        raise NotFound(f"No trial of the batch in {str(place)!r} has ended yet.")
    target = Path(output).expanduser() if output is not None else place / wanted
    trials = _Trials(place, plan, report or (lambda _result: None))
    try:
        if wanted is BatchFormat.ATIF:
            return _trajectories(trials, results, target)
        return _logs(trials, results, target)
    except SandboxAgentError:
        raise  # some are errors of Python, too
    except OSError as exc:
        raise InvalidRequest(f"{str(target)!r} cannot be written: {exc.strerror}") from exc


class _Trials:
    """What is known of each trial: its session, and its result beside it."""

    def __init__(self, directory: Path, plan: Plan, report: Callable[[TrialResult], None]) -> None:
        self.name = directory.absolute().name
        self.plan = plan
        self._directory = directory
        self._report = report
        self._prompts = {task.id: "\n\n".join(task.prompts) for task in plan.tasks}
        self._bounds = {trial.id: trial.bounds for trial in trials_of(plan)}

    def has_session(self, result: TrialResult) -> bool:
        return (trial_directory(self._directory, result.trial) / EVENTS).exists()

    def session(self, result: TrialResult) -> SessionExport:
        """Raises: StorageError."""
        export = SessionExport()
        file = trial_directory(self._directory, result.trial) / EVENTS
        try:
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    export.apply(parse_event(json.loads(line)))
        except FileNotFoundError:
            pass  # it never came to a session
        except (OSError, ValueError) as exc:
            raise StorageError(f"{str(file)!r} cannot be read: {exc}") from exc
        self._report(result)
        return export

    def facts(self, result: TrialResult) -> dict[str, Any]:
        """What a session does not know. The diff is that of the whole trial."""
        told = result.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude={"text", "metadata"}
        )
        diff = self._text(result, DIFF)
        return {"trial": told, **({"diff": diff} if diff is not None else {})}

    def sample(self, result: TrialResult, *, has_numbers: bool) -> Sample:
        error = result.error
        return self.session(result).sample(
            id=result.task,
            epoch=result.repeat,
            input=self._prompts[result.task],
            scores=self._scores(result, has_numbers=has_numbers),
            error=error and Fault(code=error.code, message=error.message, data=error.details),
            limit=self._limit(result),
            started_at=result.started_at,
            seconds=result.seconds,
            metadata={**result.metadata, **self.facts(result)},
        )

    def _limit(self, result: TrialResult) -> tuple[LimitKind, float] | None:
        if result.limit is None:
            return None
        bound = getattr(self._bounds[result.trial], result.limit)
        return None if bound is None else (result.limit, bound)

    def _scores(self, result: TrialResult, *, has_numbers: bool) -> Mapping[str, Score]:
        grade = result.grade
        if grade is None:
            return {}
        said = self._text(result, GRADE) or ""
        passed = Score(
            value="C" if grade.passed else "I",
            answer=result.text or None,
            explanation=said[-EXPLANATION_CHARS:] or None,
            metadata=grade.to_wire(),
        )
        return {"passed": passed, **({"score": Score(value=grade.score)} if has_numbers else {})}

    def _text(self, result: TrialResult, name: str) -> str | None:
        """Raises: StorageError."""
        file = trial_directory(self._directory, result.trial) / name
        try:
            return file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise StorageError(f"{str(file)!r} cannot be read: {exc}") from exc


def _trajectories(trials: _Trials, results: Sequence[TrialResult], target: Path) -> list[Path]:
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for result in results:
        if not trials.has_session(result):
            continue
        extra = {**result.metadata, **trials.facts(result)}
        told = trials.session(result).atif(media=f"{result.trial}.media", extra=extra)
        for path, data in told.files.items():
            (target / path).parent.mkdir(exist_ok=True)
            (target / path).write_bytes(data)
        written.append(target / f"{result.trial}.json")
        with _replacing(written[-1]) as file:
            _write_json(told.trajectory, file)
    return written


def _logs(trials: _Trials, results: Sequence[TrialResult], target: Path) -> list[Path]:
    by_agent = [
        (agent, [result for result in results if result.agent == agent.label])
        for agent in trials.plan.agents
    ]
    is_file = target.suffix in {".eval", ".json"}
    if is_file and len(by_agent) > 1:
        labels = ", ".join(agent.label for agent, _ in by_agent)
        raise InvalidRequest(
            f"A log of Inspect is of one agent, and here are {labels}: give a directory instead of {str(target)!r}."
        )
    files = []
    for agent, its in by_agent:
        if its:
            files.append(target if is_file else target / f"{agent.label}.eval")
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            _write_log(trials, agent, its, files[-1])
    return files


def _write_log(
    trials: _Trials, agent: AgentSpec, results: Sequence[TrialResult], target: Path
) -> None:
    plan = trials.plan
    log = InspectLog(
        task=trials.name,
        created=_began_at(results),
        agent=agent.agent,
        model=agent.model,
        solver=agent.label,
        metadata=plan.model_dump(mode="json", exclude={"tasks", "agents"})
        | {"agent": agent.model_dump(mode="json")},
    )
    # The first one says which model it was, where nobody has chosen one.
    ordered = sorted(results, key=lambda result: not trials.has_session(result))
    has_numbers = any(
        result.grade is not None and result.grade.score != result.grade.passed for result in results
    )
    samples = (log.add(trials.sample(one, has_numbers=has_numbers)) for one in ordered)
    is_complete = len(results) == len(plan.tasks) * plan.repeats

    def header() -> dict[str, Any]:
        return log.header(status="success" if is_complete else "cancelled")

    with _replacing(target) as file:
        if target.suffix == ".eval":
            write_inspect_archive(file, samples, header)
        else:
            written = [*samples]
            _write_json({**header(), "samples": written}, file)


def _began_at(results: Sequence[TrialResult]) -> datetime:
    return min(result.started_at for result in results)


def _write_json(value: Mapping[str, Any], file: IO[bytes]) -> None:
    file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """What is there stays until all of the new one is."""
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
