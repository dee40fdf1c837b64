"""The engine as its driver: it starts the coordinator of a batch or finds it, and follows it."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final

from sandbox_agent_client._cancellation import outlast
from sandbox_agent_client._data_dir import data_dir
from sandbox_agent_client.batch.engine import (
    BatchEvent,
    Budget,
    Results,
    TrialEnded,
    TrialPhase,
    TrialRetried,
    TrialStarted,
)
from sandbox_agent_client.batch.plan import Plan, trials_of
from sandbox_agent_client.batch.result import TrialResult
from sandbox_agent_core.errors import InvalidRequest, SandboxAgentError, Unavailable

from sandbox_agent_ray import _sdk as ray
from sandbox_agent_ray.coordinator import Coordinator
from sandbox_agent_ray.job import Job, JobDirectory
from sandbox_agent_ray.news import End, Happened, News
from sandbox_agent_ray.placement import room_for
from sandbox_agent_ray.worker import CLEANUP_TIMEOUT_S

__all__ = ["RayEngine"]

logger = logging.getLogger(__name__)

NUM_CPUS: Final = 0.1
"""A trial waits for its sandbox and its model most of the time."""
NAMESPACE: Final = "sandbox-agent"
RESTART_WAIT_S: Final = 1.0
"""Between two questions to a coordinator that is being restarted."""


class RayEngine:
    """Carries out a batch on a Ray cluster."""

    name = "ray"

    def __init__(
        self,
        *,
        concurrency: int,
        address: str = "auto",
        storage_path: str | PathLike[str] | None = None,
        resources: Mapping[str, float] | None = None,
        num_cpus: float = NUM_CPUS,
        namespace: str = NAMESPACE,
        send_env: str | Sequence[str] = (),
    ) -> None:
        """`address`: of the cluster; `auto` is `$RAY_ADDRESS` or the one of this machine. `storage_path`: a directory that
        all nodes share; a batch is there while it runs. Default: below this user's data directory, which is enough when
        all nodes are on one machine. Each of the `concurrency` workers asks for `resources` (as `{"sandbox": 1}`) and
        `num_cpus`. `send_env`: names of variables that workers get from this process, and not from where Ray was
        started on their node; whoever may look into the cluster can see them.

        Raises:
            InvalidRequest: an option is not possible.
        """
        self._concurrency = concurrency
        self._address = address
        self._storage = (
            Path(storage_path).expanduser().absolute() if storage_path else data_dir() / "ray"
        )
        self._resources = _checked(resources or {})
        self._num_cpus = _checked({"num_cpus": num_cpus})["num_cpus"]
        self._namespace = namespace
        names = send_env.split(",") if isinstance(send_env, str) else send_env
        self._send_env = [name.strip() for name in names if name.strip()]

    async def run(
        self,
        plan: Plan,
        *,
        results: Results,
        budget: Budget,
        observe: Callable[[BatchEvent], None],
        stopping: asyncio.Event,
    ) -> str | None:
        """As `Engine.run`. Killed, the batch goes on: the next run of it follows it again.

        Raises:
            InvalidRequest: there is no cluster, no node of it can ever hold a trial, or a variable is not there.
            StorageError: a result could not be kept, or a node does not see `storage_path`.
        """
        variables = self._variables()
        directory = JobDirectory(self._storage / plan.id)
        follower = _Follower(plan, directory, results, observe, stopping)
        async with ray.connected(self._address):
            name = f"coordinator of {plan.id}"
            coordinator = ray.find_actor(name, self._namespace)
            if coordinator is None:
                # Of one that has come to its end since its driver died.
                await follower.collect()
                known = await results.all()
                if sum(result.is_verdict for result in known) == len(trials_of(plan)):
                    directory.remove()
                    return None
                self._check_room()
                await asyncio.to_thread(directory.write, self._job(plan, known, budget))
                coordinator = ray.start_actor(
                    Coordinator,
                    str(directory.path),
                    name=name,
                    namespace=self._namespace,
                    lifetime="detached",
                    max_restarts=-1,
                    num_cpus=0,
                    # What it needs is here; when this node is gone, it may go to another.
                    scheduling_strategy=ray.on_node(ray.this_node(), soft=True),
                    runtime_env={"env_vars": variables} if variables else None,
                )
            try:
                end = await follower.follow(coordinator)
            except asyncio.CancelledError:
                cancelling = asyncio.ensure_future(follower.cancel(coordinator))
                await outlast(cancelling, timeout_s=2 * CLEANUP_TIMEOUT_S)
                self._forget(coordinator, directory)
                raise
            self._forget(coordinator, directory)
        if end.error is not None:
            raise end.error
        return end.stopped

    def _job(self, plan: Plan, known: list[TrialResult], budget: Budget) -> Job:
        return Job(
            plan=plan,
            known=tuple(known),
            budget=budget,
            began_at=time.time(),
            concurrency=self._concurrency,
            num_cpus=self._num_cpus,
            resources=self._resources,
        )

    def _check_room(self) -> None:
        """Raises: InvalidRequest."""
        room = room_for({"CPU": self._num_cpus, **self._resources}, ray.nodes().values())
        if room < self._concurrency:
            logger.warning(
                "the cluster has room for %d trials at a time, not for %d", room, self._concurrency
            )

    def _variables(self) -> dict[str, str]:
        """Raises: InvalidRequest."""
        if missing := [name for name in self._send_env if name not in os.environ]:
            raise InvalidRequest(f"{', '.join(missing)} is not set, and is to be sent.")
        return {name: os.environ[name] for name in self._send_env}

    def _forget(self, coordinator: Any, directory: JobDirectory) -> None:
        """All that came of it is where it was asked for."""
        ray.kill(coordinator)
        directory.remove()


class _Follower:
    """Brings what happens in the cluster to who has asked for it."""

    def __init__(
        self,
        plan: Plan,
        directory: JobDirectory,
        results: Results,
        observe: Callable[[BatchEvent], None],
        stopping: asyncio.Event,
    ) -> None:
        self._trials = {trial.id: trial for trial in trials_of(plan)}
        self._directory = directory
        self._results = results
        self._observe = observe
        self._stopping = stopping
        self._is_cancelled = False

    async def collect(self) -> None:
        """What came of trials that nobody was told of: before somebody followed, or by a coordinator that has died."""
        for result in await self._directory.all():
            await self._take(result)

    async def follow(self, coordinator: Any) -> End:
        """Until its end.

        Raises:
            Unavailable: it was ended by somebody else, or could not begin.
        """
        stopping = asyncio.create_task(self._hurry_the_stop(coordinator))
        try:
            end = await self._follow(coordinator)
        finally:
            stopping.cancel()
        await self.collect()
        return end

    async def cancel(self, coordinator: Any) -> None:
        """What runs there has ended afterwards; what had ended before is not lost."""
        self._is_cancelled = True
        try:
            await self._follow(coordinator)
        except SandboxAgentError as exc:
            logger.warning("sandboxes of the batch may be left behind: %s", exc.message)
        await self.collect()

    async def _follow(self, coordinator: Any) -> End:
        life, seen = "", 0
        while True:
            try:
                # Said with each question, since one that was restarted knows of nothing.
                if self._is_cancelled:
                    await ray.outcome(coordinator.cancel.remote())
                if self._stopping.is_set():
                    await ray.outcome(coordinator.stop.remote())
                news: News = await ray.outcome(coordinator.news.remote(life, seen))
            except ray.ActorLost as exc:
                if not exc.may_come_back:
                    raise Unavailable(f"The coordinator of the batch is gone: {exc}") from exc
                await asyncio.sleep(RESTART_WAIT_S)
                continue
            life, seen = news.life, news.seen
            for happened in news.happened:
                await self._pass_on(happened)
            if news.end is not None:
                return news.end

    async def _pass_on(self, happened: Happened) -> None:
        trial = self._trials[happened.trial]
        match happened.kind:
            case "started":
                self._observe(TrialStarted(trial=trial, where=happened.where))
            case "phase":
                self._observe(TrialPhase(trial=trial, phase=happened.phase))
            case "retried":
                assert happened.attempt is not None
                self._observe(TrialRetried(trial=trial, attempt=happened.attempt))
            case "ended":
                result = await self._directory.find(trial.id)
                if result is not None:
                    await self._take(result)

    async def _take(self, result: TrialResult) -> None:
        known = await self._results.find(result.trial)
        if known is not None and (known.is_verdict or known == result):
            return
        await self._results.save(result, self._directory.files_of(result.trial))
        self._observe(TrialEnded(trial=self._trials[result.trial], result=result))

    async def _hurry_the_stop(self, coordinator: Any) -> None:
        """The question that is open may be so for a while."""
        await self._stopping.wait()
        coordinator.stop.remote()


def _checked(resources: Any) -> dict[str, float]:
    """Raises: InvalidRequest."""
    if not isinstance(resources, Mapping):
        raise InvalidRequest(
            f'`resources` is an object like `{{"sandbox": 1}}`, and not {resources!r}'
        )
    for name, much in resources.items():
        if isinstance(much, bool) or not isinstance(much, (int, float)) or not much >= 0:
            raise InvalidRequest(f"`{name}` is a number from 0 on, and not {much!r}")
    return {name: float(much) for name, much in resources.items()}
