"""Workers of a batch on the nodes of a cluster, and who of them does which trial. When one dies, another does it again."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sandbox_agent_client._cancellation import outlast
from sandbox_agent_client.batch.handout import Handout
from sandbox_agent_client.batch.plan import Trial
from sandbox_agent_client.batch.result import Attempt, TrialError, TrialResult
from sandbox_agent_client.batch.retrying import wait_before
from sandbox_agent_core.errors import SandboxAgentError, Unavailable
from sandbox_agent_core.ids import new_id

from sandbox_agent_ray import _sdk as ray
from sandbox_agent_ray.job import Job, JobDirectory
from sandbox_agent_ray.news import Happened
from sandbox_agent_ray.worker import CLEANUP_TIMEOUT_S, Worker, sweep_here

__all__ = ["Crew"]

logger = logging.getLogger(__name__)

MAX_HIRES: Final = 3
"""Workers, one after the other, that die before they have begun."""
SWEEP_TIMEOUT_S: Final = 120.0


class Crew:
    def __init__(
        self,
        job: Job,
        directory: JobDirectory,
        handout: Handout,
        *,
        is_first: bool,
        tell: Callable[[Happened], None],
    ) -> None:
        """`is_first`: no other has worked at it before, and left its workers and their sandboxes."""
        self._job = job
        self._directory = directory
        self._handout = handout
        self._is_first = is_first
        self._tell = tell
        self._is_stopping = False
        self._waiting: set[asyncio.Task[None]] = set()

    async def work(self) -> None:
        """All trials that are handed out, until it is stopped. Cancelled, it leaves no sandbox.

        Raises:
            SandboxAgentError: no worker can work as the nodes are, or a result cannot be kept.
        """
        try:
            await self._sweep_all()
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._job.concurrency):
                    tasks.create_task(self._work_side_by_side())
        except BaseExceptionGroup as group:
            # The others have been cancelled because of the first.
            raise group.exceptions[0] from None
        finally:
            await outlast(asyncio.ensure_future(self._sweep_all()), timeout_s=SWEEP_TIMEOUT_S)

    def stop(self) -> None:
        """No further trial begins."""
        self._is_stopping = True
        self._release()

    async def _work_side_by_side(self) -> None:
        place = _Place(self._job, self._directory, self._sweep)
        me = asyncio.current_task()
        assert me is not None
        try:
            while self._handout.left and not self._is_stopping:
                # A trial is taken when there is somebody to do it: until then it is there for others.
                self._waiting.add(me)
                await place.hire()
                self._waiting.discard(me)
                if (trial := self._next()) is None:
                    break
                self._handout.take(await self._result_of(trial, place))
                self._tell(Happened(kind="ended", trial=trial.id))
            self._release()
        finally:
            self._waiting.discard(me)
            await place.dismiss()

    def _next(self) -> Trial | None:
        return None if self._is_stopping else self._handout.next()

    def _release(self) -> None:
        """Those that wait for room in the cluster need it no more."""
        for task in self._waiting:
            task.cancel()

    async def _result_of(self, trial: Trial, place: _Place) -> TrialResult:
        began_at, clock = datetime.now(UTC), time.monotonic()
        # Also of a coordinator before this one: a trial that takes its node down may have taken that one with it.
        lost = await asyncio.to_thread(self._directory.attempts, trial.id)
        while True:
            if len(lost) > trial.retries.times:
                result = _given_up(trial, lost, began_at, time.monotonic() - clock)
                with tempfile.TemporaryDirectory() as nothing:
                    await self._directory.save(result, Path(nothing))
                return result
            if lost:
                self._tell(Happened(kind="retried", trial=trial.id, attempt=lost[-1]))
                await asyncio.sleep(wait_before(len(lost) + 1, trial.retries))
            attempt_began_at = time.monotonic()
            await place.hire()
            self._tell(Happened(kind="started", trial=trial.id, where=place.where))
            await self._keep(trial, [*lost, _begun(place)])
            try:
                return await place.run(trial)
            except ray.ActorLost as exc:
                message = f"The worker on {place.where} was lost: {exc}"
            await place.clear()
            found = await self._directory.find(trial.id)
            if found is not None and found.is_verdict:
                return found
            # The worker has kept how far it came, and what it has tried again by itself.
            *before, last = await asyncio.to_thread(self._directory.attempts, trial.id)
            seconds = round(time.monotonic() - attempt_began_at, 3)
            error = TrialError(code=Unavailable.code, message=message)
            lost = [*before, last.model_copy(update={"error": error, "seconds": seconds})]
            await self._keep(trial, lost)

    async def _keep(self, trial: Trial, attempts: list[Attempt]) -> None:
        await asyncio.to_thread(self._directory.keep_attempts, trial.id, attempts)

    async def _sweep_all(self) -> None:
        """Remove what was left on any node: what is a process or a container there can be found only there."""
        if self._is_first:
            return
        await asyncio.gather(*(self._sweep(node, None) for node in ray.nodes()))

    async def _sweep(self, node: ray.Node, worker: str | None) -> None:
        plan = self._job.plan
        ref = ray.start_task(
            sweep_here,
            plan.sandbox.model_dump(mode="json"),
            plan.id,
            worker,
            num_cpus=0,
            # What a worker has left in a cloud can be removed from anywhere, when its node is gone.
            scheduling_strategy=ray.on_node(node, soft=worker is not None),
        )
        try:
            async with asyncio.timeout(SWEEP_TIMEOUT_S):
                await ray.outcome(ref)
        except (TimeoutError, SandboxAgentError) as exc:
            logger.warning("sandboxes of %s may be left on %s: %s", plan.id, node.name, exc)


class _Place:
    """One of those that work side by side: a worker, and when it is lost, the next."""

    def __init__(
        self,
        job: Job,
        directory: JobDirectory,
        sweep: Callable[[ray.Node, str | None], Awaitable[None]],
    ) -> None:
        self._job = job
        self._directory = directory
        self._sweep = sweep
        self._worker: Any = None
        self._name = ""
        self._node: ray.Node | None = None

    @property
    def where(self) -> str:
        return self._node.name if self._node is not None else ""

    async def hire(self) -> None:
        """Wait until the cluster has room for a worker.

        Raises:
            SandboxAgentError: it has found that it cannot work there, or those that began have died at once.
        """
        if self._worker is not None:
            return
        for attempt in range(1, MAX_HIRES + 1):
            name = new_id("worker")
            worker = ray.start_actor(
                Worker,
                str(self._directory.path),
                name,
                ray.me(),
                num_cpus=self._job.num_cpus,
                resources=self._job.resources,
                scheduling_strategy="SPREAD",
            )
            try:
                self._node = await ray.outcome(worker.prepare.remote())
            except ray.ActorLost as exc:
                if attempt == MAX_HIRES:
                    raise Unavailable(f"Workers die as soon as they begin: {exc}") from exc
            except BaseException:
                ray.kill(worker)
                raise
            else:
                self._worker, self._name = worker, name
                return

    async def run(self, trial: Trial) -> TrialResult:
        """Raises: ActorLost."""
        result: TrialResult = await ray.outcome(self._worker.run.remote(trial.id))
        return result

    async def dismiss(self) -> None:
        """What it does is cancelled, and its sandboxes are gone, whoever is cancelled meanwhile."""
        if self._worker is None:
            return
        closing = asyncio.ensure_future(self._close())
        await outlast(closing, timeout_s=CLEANUP_TIMEOUT_S + SWEEP_TIMEOUT_S)

    async def _close(self) -> None:
        try:
            await ray.outcome(self._worker.close.remote())
        except (ray.ActorLost, SandboxAgentError):
            await self.clear()
        else:
            ray.kill(self._worker)
            self._worker = None

    async def clear(self) -> None:
        """Of one that is lost: it is dead for sure, and what it has left is removed."""
        worker, self._worker = self._worker, None
        ray.kill(worker)
        assert self._node is not None
        await self._sweep(self._node, self._name)


def _begun(place: _Place) -> Attempt:
    """One of which this is all that is known when it is lost."""
    message = f"The worker on {place.where} was lost."
    return Attempt(
        error=TrialError(code=Unavailable.code, message=message), seconds=0.0, phase="sandbox"
    )


def _given_up(trial: Trial, lost: list[Attempt], began_at: datetime, seconds: float) -> TrialResult:
    return TrialResult(
        batch=trial.batch,
        trial=trial.id,
        task=trial.task.id,
        agent=trial.agent.label,
        model=trial.agent.model,
        repeat=trial.repeat,
        status="error",
        error=lost[-1].error,
        attempts=lost,
        # What they have spent nobody knows, and that may be much.
        turns=sum(attempt.has_worked for attempt in lost),
        started_at=began_at,
        seconds=round(seconds, 3),
        metadata=dict(trial.task.metadata),
    )
