"""Batches on two real nodes: placed, followed, cancelled, and going on after each kind of death."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import InvalidRequest, LocalProvider
from sandbox_agent_client.batch.engine import BatchEvent, TrialEnded, TrialRetried, TrialStarted
from sandbox_agent_client.batch.runner import run_batch
from sandbox_agent_client.batch.summary import BatchSummary
from support.ray_cluster import RayCluster, ray_cluster, start_second

# The first of them also waits for the nodes.
pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.timeout(300)]

SECOND = {"sandbox": 1}
"""Only the second node has it."""


@dataclass
class Batch:
    """One that waits in its first trial until it is let through."""

    cluster: RayCluster
    folder: Path
    events: list[BatchEvent] = field(default_factory=list)

    @property
    def arguments(self) -> dict[str, Any]:
        wait = f"touch {self.folder}/waiting; until [ -e {self.folder}/open ]; do sleep 0.05; done"
        return {
            "tasks": [
                {"id": "first", "prompt": "Hello", "setup": [wait]},
                {"id": "second", "prompt": "Hello"},
            ],
            "agents": "mock",
            "out": str(self.folder / "out"),
            "engine": "ray",
            "concurrency": 1,
            "retries": 2,
            "engine_options": {
                "address": self.cluster.address,
                "storage_path": str(self.storage),
                "resources": SECOND,
            },
        }

    @property
    def storage(self) -> Path:
        return self.folder / "storage"

    async def run(self, **more: Any) -> BatchSummary:
        return await run_batch(**self.arguments | more, observe=self.events.append)

    async def waits(self) -> None:
        await until((self.folder / "waiting").exists)
        (self.folder / "waiting").unlink()

    def open(self) -> None:
        (self.folder / "open").touch()

    def told(self, kind: type[BatchEvent]) -> list[str]:
        return [event.trial.id for event in self.events if isinstance(event, kind)]

    async def left(self) -> list[object]:
        """All that ought to be gone when it is over: actors, servers, and what was shared."""
        names = ("Coordinator", "Worker")
        await until(lambda: not any(map(self.cluster.actor_pids, names)))
        return [*await LocalProvider().list(), *self.storage.iterdir()]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """Not for longer: it takes a tenth of a processor while nobody uses it."""
    with ray_cluster() as cluster:
        yield cluster


@pytest.fixture
def batch(cluster: RayCluster, tmp_path: Path) -> Batch:
    return Batch(cluster, tmp_path)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(90):
        while not holds():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(batch: Batch, **more: Any) -> AsyncIterator[asyncio.Task[BatchSummary]]:
    task = asyncio.create_task(batch.run(**more))
    try:
        waiting = asyncio.create_task(batch.waits())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            waiting.cancel()
            task.result()
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_trials_run_where_the_resources_are(batch: Batch, tmp_path: Path) -> None:
    (tmp_path / "check.sh").write_text("cat data.txt")
    tasks = [
        {
            "id": f"task-{number}",
            "prompt": "Hello",
            "workspace": {"files": {"data.txt": "0.75"}},
            "grade": {
                "command": "sh check.sh",
                "files": {"check.sh": {"from": str(tmp_path / "check.sh")}},
                "threshold": 0.5,
            },
            # It is not set on the other node, and a worker there would say so.
            "env": ["ON_THE_SECOND"],
        }
        for number in range(2)
    ]
    summary = await batch.run(tasks=tasks)
    assert [result.status for result in summary.results] == ["passed"] * 2
    assert summary.results[0].grade is not None
    assert summary.results[0].grade.score == 0.75
    trial = tmp_path / "out" / "trials" / "task-0.mock.1"
    assert sorted(path.name for path in trial.iterdir()) == [
        "diff.patch",
        "events.jsonl",
        "grade.txt",
    ]
    assert sorted(batch.told(TrialStarted)) == sorted(batch.told(TrialEnded))
    assert await batch.left() == []


async def test_what_can_never_be_placed_is_said_at_once(batch: Batch) -> None:
    options = batch.arguments["engine_options"] | {"resources": {"no-node-has-it": 1}}
    with pytest.raises(InvalidRequest, match="no-node-has-it"):
        await batch.run(engine_options=options)


async def test_a_variable_that_is_not_on_the_node_is_said(batch: Batch) -> None:
    options = batch.arguments["engine_options"] | {"resources": {"head": 1}}
    with pytest.raises(InvalidRequest, match="ON_THE_SECOND"):
        await batch.run(env=["ON_THE_SECOND"], engine_options=options)
    assert await batch.left() == []


async def test_a_cluster_that_is_not_there_is_said(batch: Batch) -> None:
    options = batch.arguments["engine_options"] | {"address": "ray://127.0.0.1:10001"}
    with pytest.raises(InvalidRequest, match="Ray Client"):
        await batch.run(engine_options=options)


async def test_cancelled_nothing_is_left(batch: Batch) -> None:
    async with running(batch) as task:
        assert len(await LocalProvider().list()) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await batch.left() == []


async def test_what_was_ready_ahead_goes_with_its_worker(batch: Batch) -> None:
    async with running(batch, pool=1) as task:
        before = await _sandboxes(2)
        (pid,) = batch.cluster.actor_pids("Worker")
        os.kill(pid, signal.SIGKILL)
        await batch.waits()
        assert not before & await _sandboxes(2)
        batch.open()
        summary = await task
    assert [result.status for result in summary.results] == ["done", "done"]
    assert await batch.left() == []


async def _sandboxes(count: int) -> set[str]:
    """Once there are so many."""
    async with asyncio.timeout(90):
        while len(found := {one.ref.id for one in await LocalProvider().list()}) != count:
            await asyncio.sleep(0.05)
    return found


async def test_the_batch_goes_on_when_a_worker_dies(
    batch: Batch, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running(batch) as task:
        (before,) = await LocalProvider().list()
        (pid,) = batch.cluster.actor_pids("Worker")
        os.kill(pid, signal.SIGKILL)
        await batch.waits()
        (after,) = await LocalProvider().list()
        assert before.ref.id != after.ref.id
        batch.open()
        summary = await task
    assert [result.status for result in summary.results] == ["done", "done"]
    assert batch.told(TrialRetried) == ["first.mock.1"]
    assert [attempt.phase for attempt in summary.results[0].attempts] == ["setup"]
    assert await batch.left() == []
    # Ray says it to whoever follows, and on their stdout, where a program may read results.
    assert capfd.readouterr().out == ""


async def test_the_batch_goes_on_when_its_driver_and_its_coordinator_die(batch: Batch) -> None:
    program = (
        "import asyncio, json, sys; from sandbox_agent_client.batch.runner import run_batch; "
        "asyncio.run(run_batch(**json.loads(sys.argv[1])))"
    )
    driver = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, json.dumps(batch.arguments)
    )
    await batch.waits()
    driver.kill()
    await driver.wait()
    (pid,) = batch.cluster.actor_pids("Coordinator")
    os.kill(pid, signal.SIGKILL)
    # By a worker of the one that has taken its place, and has read where it was.
    await batch.waits()
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(batch.run())
        await until(lambda: batch.told(TrialStarted))
        batch.open()
    summary = following.result()
    assert [result.status for result in summary.results] == ["done", "done"]
    assert [len(result.attempts) for result in summary.results] == [1, 0]
    assert await batch.left() == []


@pytest.mark.slow
async def test_the_batch_goes_on_when_a_node_dies(batch: Batch) -> None:
    async with running(batch) as task:
        batch.cluster.kill_node(batch.cluster.nodes[-1])
        await asyncio.to_thread(start_second, batch.cluster)
        await batch.waits()
        batch.open()
        summary = await task
    assert [result.status for result in summary.results] == ["done", "done"]
    # Also when the coordinator was on that node, too.
    assert batch.told(TrialRetried) == ["first.mock.1"]
    assert [len(result.attempts) for result in summary.results] == [1, 0]
    assert await batch.left() == []
