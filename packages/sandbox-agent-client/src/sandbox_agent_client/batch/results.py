"""Results in a directory: `plan.json`, a line for each trial in `results.jsonl`, and the files of each in `trials/`."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self, TextIO

from pydantic import ValidationError
from sandbox_agent_core.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    SandboxAgentError,
    StorageError,
)

from sandbox_agent_client._cancellation import outlast
from sandbox_agent_client.batch.plan import Plan
from sandbox_agent_client.batch.result import TrialResult

__all__ = [
    "DIFF",
    "EVENTS",
    "GRADE",
    "SAVE_TIMEOUT_S",
    "DirectoryResults",
    "load_plan",
    "load_results",
    "trial_directory",
]

PLAN: Final = "plan.json"
RESULTS: Final = "results.jsonl"
TRIALS: Final = "trials"
EVENTS: Final = "events.jsonl"
"""Of a trial: the session's events, byte for byte as the API has them."""
DIFF: Final = "diff.patch"
GRADE: Final = "grade.txt"
"""What the grading command wrote."""
LOCK: Final = ".lock"
MAX_DIFFERENCES: Final = 8
"""That are told in the message; `details` have all."""
SHOWN_CHARS: Final = 60
SAVE_TIMEOUT_S: Final = 60.0
"""Of who is cancelled while a result is written."""


class DirectoryResults:
    """One process writes. A trial's files are there before its line is, and a line that a death has cut is no line."""

    def __init__(self, directory: Path, found: dict[str, TrialResult]) -> None:
        self._directory = directory
        self._found = found
        self._writing = asyncio.Lock()

    @classmethod
    @contextmanager
    def opened(cls, directory: Path, plan: Plan) -> Iterator[tuple[Self, Plan]]:
        """For the results of a plan; with it as it was when it was first run, so with that id.

        Raises:
            Conflict: another process is at it, or the directory is of another plan; `details.differences` says in what.
            InvalidRequest: there are other things in the directory.
            StorageError: it cannot be written, or what is in it cannot be read.
        """
        with ExitStack() as stack:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                _lock(
                    stack.enter_context((directory / LOCK).open("a", encoding="utf-8")), directory
                )
                known = _first_plan(directory, plan)
                _remove_what_was_cut(directory)
                found = load_results(directory)
            except SandboxAgentError:
                raise  # some are errors of Python, too
            except OSError as exc:
                raise StorageError(f"No results can be kept in {str(directory)!r}: {exc}") from exc
            yield cls(directory, found), known

    async def find(self, trial_id: str) -> TrialResult | None:
        return self._found.get(trial_id)

    async def all(self) -> list[TrialResult]:
        return list(self._found.values())

    async def save(self, result: TrialResult, files: Path) -> None:
        """Raises: StorageError."""
        async with self._writing:
            known = self._found.get(result.trial)
            if known is not None and known.is_verdict:
                return
            writing = asyncio.ensure_future(asyncio.to_thread(self._write, result, files))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                # Half of a result is none, and who is cancelled removes the files.
                await outlast(writing, timeout_s=SAVE_TIMEOUT_S)
                raise
            except OSError as exc:
                raise StorageError(
                    f"The result of {result.trial} could not be kept: {exc}"
                ) from exc
            self._found[result.trial] = result

    def _write(self, result: TrialResult, files: Path) -> None:
        place = trial_directory(self._directory, result.trial)
        place.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".") as beside:
            made = Path(beside, result.trial)
            shutil.copytree(files, made)
            if place.exists():
                place.rename(Path(beside, "before"))
            made.rename(place)
        line = json.dumps(result.model_dump(mode="json", by_alias=True, exclude_none=True))
        with (self._directory / RESULTS).open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def trial_directory(directory: Path, trial_id: str) -> Path:
    """Where the files of a trial are, in the directory of its batch."""
    return directory / TRIALS / trial_id


def load_plan(directory: Path) -> Plan:
    """Raises: NotFound: no batch was run there. StorageError: it cannot be read."""
    try:
        return Plan.model_validate_json((directory / PLAN).read_bytes())
    except FileNotFoundError:
        raise NotFound(f"There are no results of a batch in {str(directory)!r}.") from None
    except (OSError, ValidationError) as exc:
        raise StorageError(f"{str(directory / PLAN)!r} cannot be read: {exc}") from exc


def load_results(directory: Path) -> dict[str, TrialResult]:
    """By trial, the newest of each. What is being written is left out.

    Raises:
        StorageError: a line is no result.
    """
    found: dict[str, TrialResult] = {}
    try:
        data = (directory / RESULTS).read_bytes()
    except FileNotFoundError:
        return found
    except OSError as exc:
        raise StorageError(f"{str(directory / RESULTS)!r} cannot be read: {exc}") from exc
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            result = TrialResult.model_validate_json(line)
        except ValidationError as exc:
            raise StorageError(
                f"Line {number} of {str(directory / RESULTS)!r} is no result of a trial: mend or remove it."
            ) from exc
        found[result.trial] = result
    return found


def _first_plan(directory: Path, plan: Plan) -> Plan:
    path = directory / PLAN
    if path.exists():
        known = load_plan(directory)
        if differences := _differences(_comparable(known), _comparable(plan)):
            shown = "\n".join(f"  {line}" for line in differences[:MAX_DIFFERENCES])
            more = len(differences) - MAX_DIFFERENCES
            rest = f"\n  and {more} more" if more > 0 else ""
            raise Conflict(
                f"{str(directory)!r} has results of another plan:\n{shown}{rest}\nUse another directory, or go back to "
                "what was asked for then.",
                differences=differences,
            )
        return plan.model_copy(update={"id": known.id})
    if others := [entry.name for entry in directory.iterdir() if entry.name != LOCK]:
        raise InvalidRequest(
            f"{str(directory)!r} is no directory of results: {others[0]!r} is in it. Use one that is empty or not "
            "there yet."
        )
    beside = path.with_name(f".{PLAN}")
    beside.write_text(plan.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
    beside.rename(path)
    return plan


def _comparable(plan: Plan) -> Any:
    """How often something is tried again, and when its sandbox is made, changes nothing in results that are there."""
    given = plan.model_dump(
        mode="json", by_alias=True, exclude={"id": True, "retries": True, "sandbox": {"pool"}}
    )
    given["tasks"] = {task["id"]: task for task in given["tasks"]}
    given["agents"] = {agent["label"]: agent for agent in given["agents"]}
    return given


def _differences(before: Any, now: Any, where: str = "") -> list[str]:
    if before == now:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            line
            for name in {**before, **now}
            for line in _differences(
                before.get(name), now.get(name), f"{where}.{name}" if where else name
            )
        ]
    return [f"{where}: was {_shown(before)}, is {_shown(now)}"]


def _shown(value: Any) -> str:
    if value is None:
        return "not there"
    text = json.dumps(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


def _lock(file: TextIO, directory: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(
            f"Another batch is writing to {str(directory)!r}: wait for it, or use another directory."
        ) from None


def _remove_what_was_cut(directory: Path) -> None:
    """By the death of the process that wrote it."""
    for half in (directory / TRIALS).glob(".*"):
        shutil.rmtree(half)
    try:
        with (directory / RESULTS).open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
    except FileNotFoundError:
        pass
