"""An actor that carries out trials, one at a time, with its own sandboxes: what runs on the nodes."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any, Final

from sandbox_agent_client._cancellation import outlast
from sandbox_agent_client.batch.engine import BatchEvent, TrialPhase, TrialRetried
from sandbox_agent_client.batch.plan import SandboxChoice, Trial, trials_of
from sandbox_agent_client.batch.result import Attempt, TrialResult
from sandbox_agent_client.trials.sandboxes import Sandboxes, sandboxes_for, sweep
from sandbox_agent_client.trials.trial import missing_variables, run_trial
from sandbox_agent_core.errors import InvalidRequest

from sandbox_agent_ray._sdk import Node, this_node
from sandbox_agent_ray.job import Job, JobDirectory
from sandbox_agent_ray.news import Happened

__all__ = ["CLEANUP_TIMEOUT_S", "Worker", "sweep_here"]

CLEANUP_TIMEOUT_S: Final = 120.0


class Worker:
    def __init__(self, directory: str, name: str, coordinator: Any) -> None:
        """`name` is in the labels of its sandboxes. `coordinator` is the actor that is told what happens."""
        self._directory = JobDirectory(Path(directory))
        self._name = name
        self._coordinator = coordinator
        self._trials: dict[str, Trial] = {}
        self._sandboxes: Sandboxes | None = None
        self._running: asyncio.Task[TrialResult] | None = None
        self._attempts: list[Attempt] = []
        """Of the trial that runs; the last is under way."""
        self._began_at = 0.0

    async def prepare(self) -> Node:
        """See whether trials can run here.

        Raises:
            StorageError: the directory is not here.
            InvalidRequest: a variable is not.
        """
        job, here = self._directory.load(), this_node()
        _check_variables(job, here)
        self._trials = {trial.id: trial for trial in trials_of(job.plan)}
        self._sandboxes = sandboxes_for(job.plan.sandbox, job.plan.id, worker=self._name)
        return here

    async def run(self, trial_id: str) -> TrialResult:
        """Raises: StorageError: the result could not be kept. CancelledError: it was closed meanwhile."""
        assert self._sandboxes is not None
        self._attempts = await asyncio.to_thread(self._directory.attempts, trial_id)
        self._began_at = time.monotonic()
        self._running = asyncio.create_task(
            run_trial(
                self._trials[trial_id],
                results=self._directory,
                sandboxes=self._sandboxes,
                observe=self._tell,
                lost=self._attempts[:-1],
            )
        )
        return await self._running

    async def close(self) -> None:
        """Cancel what runs. No sandbox is left afterwards."""
        if self._running is not None:
            self._running.cancel()
            await outlast(self._running, timeout_s=CLEANUP_TIMEOUT_S)
        if self._sandboxes is not None:
            await self._sandboxes.close()

    def _tell(self, event: BatchEvent) -> None:
        match event:
            case TrialPhase(trial=trial, phase=phase):
                seconds = round(time.monotonic() - self._began_at, 3)
                self._attempts[-1] = self._attempts[-1].model_copy(
                    update={"phase": phase, "seconds": seconds}
                )
                happened = Happened(kind="phase", trial=trial.id, phase=phase)
            case TrialRetried(trial=trial, attempt=attempt):
                self._attempts.insert(-1, attempt)
                self._began_at = time.monotonic()
                happened = Happened(kind="retried", trial=trial.id, attempt=attempt)
            case _:
                return
        # Should this process die, it is known from there. A small file, a few times in a trial.
        self._directory.keep_attempts(trial.id, self._attempts)
        # Nobody waits for it: a coordinator that is being restarted asks for no phases of its past.
        self._coordinator.tell.remote(happened)


async def _sweep(choice: dict[str, Any], batch: str, worker: str | None) -> None:
    await sweep(SandboxChoice.model_validate(choice), batch, worker=worker)


def sweep_here(choice: dict[str, Any], batch: str, worker: str | None = None) -> None:
    """A task for the node whose worker has died: what is a process or a container there can be found only there."""
    asyncio.run(_sweep(choice, batch, worker))


def _check_variables(job: Job, here: Node) -> None:
    """Raises: InvalidRequest."""
    for trial in trials_of(job.plan):
        if missing := missing_variables(trial, os.environ):
            names = ", ".join(missing)
            raise InvalidRequest(
                f"{names} is not set on {here.name}, and the agent of {trial.task.id} is to have it: start Ray there with it, "
                "or send it with the engine's option `send_env`.",
                variables=missing,
            )
