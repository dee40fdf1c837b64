"""Batches: the same work by bare asyncio, by the local engine and on two nodes of Ray on this machine."""

from __future__ import annotations

import asyncio
import importlib.util
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox_agent_client import SandboxAgent
from sandbox_agent_client.batch.engine import BatchEvent, TrialEnded, TrialStarted
from sandbox_agent_client.batch.runner import run_batch
from support.ray_cluster import ray_cluster

from benchmarks.row import Plan, Row, median

TRIALS = 60
AT_A_TIME = 2


def measure(plan: Plan) -> list[Row]:
    if plan.skips_ours:
        return []
    trials = plan.repetitions(TRIALS)
    with tempfile.TemporaryDirectory(prefix="sandbox-agent-bench-") as folder:
        bare_ms = asyncio.run(_bare(trials, Path(folder)))
        local = asyncio.run(_run(trials, Path(folder, "local"), engine="local"))
        rows = _local_rows(local, bare_ms, trials)
        if importlib.util.find_spec("ray") is None:
            return [*rows, Row("batch on Ray: not measured, Ray is not installed", "")]
        with ray_cluster() as cluster:
            options = {
                "address": cluster.address,
                "storage_path": str(Path(folder, "storage")),
                "resources": {"sandbox": 1},
            }
            ray = asyncio.run(
                _run(trials, Path(folder, "ray"), engine="ray", engine_options=options)
            )
    return [
        *rows,
        Row("batch, on Ray: asked for to the first trial", "s", ray.begins_s, digits=2),
        Row(
            "batch, on Ray: a trial, p50",
            "ms",
            ray.trial_ms,
            note=f"{ray.trial_ms / local.trial_ms:.2f} times the local engine's",
        ),
    ]


def _local_rows(local: _Watch, bare_ms: float, trials: int) -> list[Row]:
    more_ms = local.trial_ms - bare_ms
    return [
        Row("batch, local engine: asked for to the first trial", "s", local.begins_s, digits=2),
        Row(
            "batch, local engine: a trial, p50",
            "ms",
            local.trial_ms,
            note=f"{trials} trials of the mock agent, {AT_A_TIME} at a time",
        ),
        Row(
            "batch, local engine: a trial more than its session by bare asyncio, p50",
            "ms",
            more_ms,
            note=f"that alone {bare_ms:.1f}; a trial has a directory, its events, a diff and a result on the disk besides",
        ),
    ]


@dataclass
class _Watch:
    began_at: float = field(default_factory=time.monotonic)
    started_at: dict[str, float] = field(default_factory=dict)
    took_ms: list[float] = field(default_factory=list)

    def see(self, event: BatchEvent) -> None:
        match event:
            case TrialStarted(trial=trial):
                self.started_at[trial.id] = time.monotonic()
            case TrialEnded(trial=trial):
                self.took_ms.append(1000 * (time.monotonic() - self.started_at[trial.id]))

    @property
    def begins_s(self) -> float:
        return min(self.started_at.values()) - self.began_at

    @property
    def trial_ms(self) -> float:
        """The first of each worker make their sandbox, and are few."""
        return median(self.took_ms)


async def _run(trials: int, out: Path, **engine: Any) -> _Watch:
    tasks = [{"id": f"task-{number}", "prompt": "Hello"} for number in range(trials)]
    watch = _Watch()
    summary = await run_batch(
        tasks, agents="mock", out=out, concurrency=AT_A_TIME, observe=watch.see, **engine
    )
    assert summary.ok, summary
    return watch


async def _bare(trials: int, folder: Path) -> float:
    """What somebody would write who wants no more than the answers, each in an empty directory: p50 of one, in ms."""
    took_ms: list[float] = []
    left = iter(range(trials))

    async def work(client: SandboxAgent) -> None:
        for _ in left:
            began_at = time.monotonic()
            session = await client.create_session("mock", cwd=tempfile.mkdtemp(dir=folder))
            await session.prompt("Hello")
            await session.end()
            took_ms.append(1000 * (time.monotonic() - began_at))

    async with SandboxAgent.start("local") as client, asyncio.TaskGroup() as tasks:
        for _ in range(AT_A_TIME):
            tasks.create_task(work(client))
    return median(took_ms)
