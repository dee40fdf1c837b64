"""A batch as a directory that all nodes of a cluster share: what is to be done, and what came of it.

Everything that has to outlive a process is here, so that the driver, the coordinator and the workers may die.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from sandbox_agent_client._cancellation import outlast
from sandbox_agent_client.batch.engine import Budget
from sandbox_agent_client.batch.plan import Plan
from sandbox_agent_client.batch.result import Attempt, TrialResult
from sandbox_agent_client.batch.results import SAVE_TIMEOUT_S
from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.ids import new_id

__all__ = ["Job", "JobDirectory"]

JOB: Final = "job.json"
BEGUN: Final = ".begun"
INPUTS: Final = "inputs"
TRIALS: Final = "trials"
ATTEMPTS: Final = "attempts"
RESULT: Final = "result.json"
FILES: Final = "files"

_ATTEMPTS: Final = TypeAdapter(list[Attempt])


class Job(BaseModel):
    """What the coordinator reads when it begins, and again when it was restarted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: Plan
    """With paths of files that are in the directory."""
    known: tuple[TrialResult, ...]
    """That there were before, wherever they are kept."""
    budget: Budget
    began_at: float
    """By the clock of the world, in seconds: a restarted coordinator has not got the whole time again."""
    concurrency: int
    num_cpus: float
    resources: dict[str, float]


class JobDirectory:
    """As `batch.engine.Results` for workers. Many processes write: what is there is whole, and the first verdict stays."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, job: Job) -> None:
        """With the files of this machine that its plan names, and without what came of a job before it. Raises: StorageError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            inputs = self.path / INPUTS
            for place in (inputs, self.path / TRIALS, self.path / ATTEMPTS):
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
            shipped = job.model_copy(update={"plan": _shipped(job.plan, inputs)})
            beside = self.path / f".{JOB}"
            beside.write_text(shipped.model_dump_json(by_alias=True), encoding="utf-8")
            beside.rename(self.path / JOB)
        except OSError as exc:
            raise StorageError(f"The batch cannot be kept in {str(self.path)!r}: {exc}") from exc

    def load(self) -> Job:
        """Raises: StorageError: it is not there, or cannot be read."""
        try:
            return Job.model_validate_json((self.path / JOB).read_bytes())
        except FileNotFoundError:
            raise StorageError(
                f"{str(self.path)!r} is not there: `storage_path` is a directory that all nodes share"
            ) from None
        except (OSError, ValidationError) as exc:
            raise StorageError(f"{str(self.path / JOB)!r} cannot be read: {exc}") from exc

    def begin(self) -> bool:
        """Whether nobody has begun with it before, of whom something may be left. Raises: StorageError."""
        try:
            (self.path / BEGUN).touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError as exc:
            raise StorageError(f"The batch cannot be kept in {str(self.path)!r}: {exc}") from exc
        return True

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    async def find(self, trial_id: str) -> TrialResult | None:
        """Raises: StorageError."""
        return await asyncio.to_thread(self._find, trial_id)

    async def all(self) -> list[TrialResult]:
        """Raises: StorageError."""
        return await asyncio.to_thread(lambda: list(self._all()))

    def files_of(self, trial_id: str) -> Path:
        """The directory with the files of a trial that has a result."""
        return self.path / TRIALS / trial_id / FILES

    async def save(self, result: TrialResult, files: Path) -> None:
        """Raises: StorageError."""
        known = await self.find(result.trial)
        if known is not None and known.is_verdict:
            return
        publishing = asyncio.ensure_future(asyncio.to_thread(self._publish, result, files))
        try:
            await asyncio.shield(publishing)
        except asyncio.CancelledError:
            # Half of a result is none, and who is cancelled removes the files.
            await outlast(publishing, timeout_s=SAVE_TIMEOUT_S)
            raise
        except OSError as exc:
            raise StorageError(f"The result of {result.trial} could not be kept: {exc}") from exc

    def attempts(self, trial_id: str) -> list[Attempt]:
        """Those of a trial that have begun: when it has no result and nobody is at it, they are lost. Raises: StorageError."""
        path = self.path / ATTEMPTS / f"{trial_id}.json"
        try:
            return _ATTEMPTS.validate_json(path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as exc:
            raise StorageError(f"{str(path)!r} cannot be read: {exc}") from exc

    def keep_attempts(self, trial_id: str, attempts: list[Attempt]) -> None:
        """Raises: StorageError."""
        path = self.path / ATTEMPTS / f"{trial_id}.json"
        beside = path.with_name(f".{new_id('part')}")
        try:
            beside.write_bytes(_ATTEMPTS.dump_json(attempts, by_alias=True))
            beside.rename(path)
        except OSError as exc:
            raise StorageError(f"{str(path)!r} cannot be written: {exc}") from exc

    def _find(self, trial_id: str) -> TrialResult | None:
        path = self.path / TRIALS / trial_id / RESULT
        try:
            return TrialResult.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as exc:
            raise StorageError(f"{str(path)!r} cannot be read: {exc}") from exc

    def _all(self) -> Iterator[TrialResult]:
        for path in sorted((self.path / TRIALS).glob("[!.]*")):
            if (found := self._find(path.name)) is not None:
                yield found

    def _publish(self, result: TrialResult, files: Path) -> None:
        place = self.path / TRIALS / result.trial
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".") as beside:
            made = Path(beside, "made")
            shutil.copytree(files, made / FILES)
            (made / RESULT).write_text(
                result.model_dump_json(by_alias=True, exclude_none=True), encoding="utf-8"
            )
            if place.exists():
                place.rename(Path(beside, "before"))
            try:
                made.rename(place)
            except OSError:
                # Two workers were at it, since one of them was taken for dead: then one result is as good as the other.
                if self._find(result.trial) is None:
                    raise


def _shipped(plan: Plan, inputs: Path) -> Plan:
    """The plan with copies of what it takes from this machine."""
    given = plan.model_dump(mode="json", by_alias=True)
    for task in given["tasks"]:
        for files in ((task.get("workspace") or {}), (task.get("grade") or {})):
            if isinstance(named := files.get("files"), dict):
                files["files"] = {path: _copied(what, inputs) for path, what in named.items()}
    return Plan.model_validate(given)


def _copied(content: Any, inputs: Path) -> Any:
    if not isinstance(content, dict):
        return content
    source = Path(content["from"])
    place = inputs / str(sum(1 for _ in inputs.iterdir())) / source.name
    place.parent.mkdir()
    if source.is_dir():
        shutil.copytree(source, place, symlinks=True)
    else:
        shutil.copy2(source, place)
    return {"from": str(place)}
