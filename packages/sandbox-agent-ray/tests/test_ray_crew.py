"""Who does which trial, with workers that die as the test says: no cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import InvalidRequest, SandboxAgentError, Unavailable
from sandbox_agent_client.batch.engine import Budget
from sandbox_agent_client.batch.handout import Handout
from sandbox_agent_client.batch.plan import AgentSpec, Plan, Retries
from sandbox_agent_client.batch.result import TrialResult
from sandbox_agent_client.batch.tasks_file import tasks_of
from sandbox_agent_ray import _sdk
from sandbox_agent_ray.crew import MAX_HIRES, Crew
from sandbox_agent_ray.job import Job, JobDirectory
from sandbox_agent_ray.news import Happened

NODE = _sdk.Node("1", "node-1")
LOST = _sdk.ActorLost("it is gone", may_come_back=False)


class Cluster:
    """In place of `_sdk`. What workers do is set by the test."""

    def __init__(self) -> None:
        self.prepare: Callable[[], Any] = lambda: NODE
        self.run: Callable[[str], Any] = lambda _trial: None
        self.hired = 0
        self.killed = 0
        self.swept: list[str | None] = []

    async def outcome(self, call: Callable[[], Any]) -> Any:
        said = call()
        if asyncio.iscoroutine(said):
            said = await said
        if isinstance(said, BaseException):
            raise said
        return said

    def start_actor(self, *_args: Any, **_options: Any) -> Any:
        self.hired += 1
        return _Worker(self)

    def start_task(self, _function: Any, *args: Any, **_options: Any) -> Callable[[], None]:
        self.swept.append(args[2])
        return lambda: None

    def kill(self, _worker: Any) -> None:
        self.killed += 1


class _Call:
    def __init__(self, call: Callable[..., Any]) -> None:
        self.remote = lambda *args: lambda: call(*args)


class _Worker:
    def __init__(self, cluster: Cluster) -> None:
        self.prepare = _Call(cluster.prepare)
        self.run = _Call(cluster.run)
        self.close = _Call(lambda: None)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    for name in ("outcome", "start_actor", "start_task", "kill"):
        monkeypatch.setattr(_sdk, name, getattr(cluster, name))
    monkeypatch.setattr(_sdk, "nodes", lambda: {NODE: {}})
    monkeypatch.setattr(_sdk, "on_node", lambda node, soft: None)
    monkeypatch.setattr(_sdk, "me", lambda: None)
    return cluster


class Batch:
    def __init__(
        self, folder: Path, *, tasks: int, concurrency: int = 1, is_first: bool = True
    ) -> None:
        self.directory = JobDirectory(folder / "batch_1")
        self.directory.write(a_job(tasks, concurrency=concurrency))
        self.begin(is_first=is_first)

    def begin(self, *, is_first: bool) -> None:
        """With what is in the directory, as each coordinator does."""
        job = self.directory.load()
        self.told: list[Happened] = []
        self.handout = Handout(job.plan, [], Budget(), clock=time.monotonic)
        self.crew = Crew(
            job, self.directory, self.handout, is_first=is_first, tell=self.told.append
        )

    def kinds(self) -> list[str]:
        return [happened.kind for happened in self.told]


def a_job(tasks: int, *, concurrency: int) -> Job:
    plan = Plan(
        id="batch_1",
        tasks=tuple(
            tasks_of({"id": f"task-{number}", "prompt": "Hello"} for number in range(tasks))
        ),
        agents=(AgentSpec(agent="mock", label="mock"),),
        retries=Retries(times=1, wait=0.001),
    )
    return Job(
        plan=plan,
        known=(),
        budget=Budget(),
        began_at=0.0,
        concurrency=concurrency,
        num_cpus=0.1,
        resources={},
    )


def a_result(trial: str) -> TrialResult:
    task = trial.partition(".")[0]
    return TrialResult(
        batch="batch_1",
        trial=trial,
        task=task,
        agent="mock",
        repeat=1,
        status="passed",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1.0,
    )


async def test_a_trial_whose_worker_is_lost_is_run_by_another(
    cluster: Cluster, tmp_path: Path
) -> None:
    answers: list[Any] = [LOST, a_result("task-0.mock.1")]
    cluster.run = lambda _trial: answers.pop(0)
    batch = Batch(tmp_path, tasks=1)
    await batch.crew.work()
    assert batch.kinds() == ["started", "retried", "started", "ended"]
    assert (cluster.hired, cluster.killed) == (2, 2)
    # What the lost one has left, and nobody else's.
    assert len(cluster.swept) == 1
    assert cluster.swept[0] is not None


async def test_a_trial_that_loses_each_worker_is_given_up(cluster: Cluster, tmp_path: Path) -> None:
    batch = Batch(tmp_path, tasks=1)

    def work_and_die(trial: str) -> Any:
        # As a worker does when it comes to the next phase.
        *before, last = batch.directory.attempts(trial)
        batch.directory.keep_attempts(trial, [*before, last.model_copy(update={"phase": "agent"})])
        return LOST

    cluster.run = work_and_die
    await batch.crew.work()
    (result,) = await batch.directory.all()
    assert result.status == "error"
    assert result.error is not None
    assert result.error.code == Unavailable.code
    assert "node-1" in result.error.message
    assert [attempt.phase for attempt in result.attempts] == ["agent", "agent"]
    # It has worked, and nobody knows what that has cost.
    assert (result.turns, result.cost) == (2, None)


async def test_attempts_that_were_lost_with_a_coordinator_count(
    cluster: Cluster, tmp_path: Path
) -> None:
    batch = Batch(tmp_path, tasks=1)
    coordinator_dies = asyncio.Event()

    async def hang(_trial: str) -> None:
        coordinator_dies.set()
        await asyncio.Event().wait()

    cluster.run = hang
    first = asyncio.create_task(batch.crew.work())
    await coordinator_dies.wait()
    first.cancel()
    await asyncio.wait([first])
    # Of the one retry that it has, which is lost as well.
    cluster.run = lambda _trial: LOST
    batch.begin(is_first=False)
    await batch.crew.work()
    assert batch.kinds() == ["retried", "started", "ended"]
    (result,) = await batch.directory.all()
    assert (result.status, len(result.attempts)) == ("error", 2)


async def test_a_worker_that_dies_after_its_result_was_kept_costs_no_second_run(
    cluster: Cluster, tmp_path: Path
) -> None:
    batch = Batch(tmp_path, tasks=1)

    async def keep_and_die(trial: str) -> Any:
        (tmp_path / "files").mkdir()
        await batch.directory.save(a_result(trial), tmp_path / "files")
        return LOST

    cluster.run = keep_and_die
    await batch.crew.work()
    assert batch.kinds() == ["started", "ended"]
    assert cluster.hired == 1


async def test_workers_that_die_at_once_end_the_batch(cluster: Cluster, tmp_path: Path) -> None:
    cluster.prepare = lambda: LOST
    with pytest.raises(Unavailable):
        await Batch(tmp_path, tasks=1).crew.work()
    assert cluster.hired == MAX_HIRES


@pytest.mark.parametrize("error", [InvalidRequest("no variable"), Unavailable("no disk")])
async def test_what_a_worker_says_of_its_node_ends_the_batch(
    cluster: Cluster, tmp_path: Path, error: SandboxAgentError
) -> None:
    cluster.prepare = lambda: error
    with pytest.raises(type(error)):
        await Batch(tmp_path, tasks=4, concurrency=2).crew.work()
    assert cluster.killed == cluster.hired


async def test_a_place_that_waits_for_room_holds_no_trial_back(
    cluster: Cluster, tmp_path: Path
) -> None:
    waits = asyncio.Event()

    async def no_room() -> None:
        waits.set()
        await asyncio.Event().wait()

    async def run(trial: str) -> TrialResult:
        await waits.wait()
        return a_result(trial)

    answers: list[Callable[[], Any]] = [lambda: NODE, no_room]
    cluster.prepare = lambda: answers.pop(0)()
    cluster.run = run
    batch = Batch(tmp_path, tasks=3, concurrency=2)
    async with asyncio.timeout(30):
        await batch.crew.work()
    assert batch.kinds().count("ended") == 3
    assert cluster.killed == cluster.hired == 2


async def test_stopped_what_runs_comes_to_its_end(cluster: Cluster, tmp_path: Path) -> None:
    batch = Batch(tmp_path, tasks=3)

    def run_and_stop(trial: str) -> TrialResult:
        batch.crew.stop()
        return a_result(trial)

    cluster.run = run_and_stop
    await batch.crew.work()
    assert batch.kinds() == ["started", "ended"]
    assert batch.handout.left


async def test_who_takes_over_removes_what_is_left_anywhere(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.run = a_result
    await Batch(tmp_path, tasks=1, is_first=False).crew.work()
    # Before and after: workers that were on their way out may have made one more.
    assert cluster.swept == [None, None]
