"""Containers: from `start()` to healthy, step by step, out of a warm pool, and twenty of them at the same time.

Has an engine of its own, as the tests have, and an image that was built with the server in it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import docker
from sandbox_agent_client import SandboxAgent
from sandbox_agent_docker import DockerProvider, build_image
from support.docker_engine import docker_engine, why_no_engine
from support.docker_images import base_image_archive
from support.wheelhouse import installed_wheelhouse

from benchmarks.row import Plan, Row, median
from benchmarks.rows.pool import handed_out

PARALLEL = 20
PARALLEL_QUICK = 4
MIB = 1024 * 1024
BASE_IMAGE = "sandbox-agent-benchmarks:base"
STEPS = {
    "checking": "preflight",
    "creating the container": "create the container",
    "starting the container": "start the container",
    "starting the server": "start the server in it",
    "waiting": "first healthy answer",
}


def measure(plan: Plan) -> list[Row]:
    if plan.skips_ours or (reason := why_no_engine()):
        return [] if plan.skips_ours else [Row(f"Docker: not measured, {reason}", "")]
    with _engine_with_image() as (provider, docker_host):
        return asyncio.run(_measure(plan, provider, docker_host))


@contextmanager
def _engine_with_image() -> Iterator[tuple[DockerProvider, str]]:
    with (
        tempfile.TemporaryDirectory(prefix="sandbox-agent-bench-") as directory,
        docker_engine(Path(directory)) as engine,
    ):
        client = docker.DockerClient(base_url=engine.host)
        repository, _, tag = BASE_IMAGE.partition(":")
        client.api.import_image_from_data(
            base_image_archive(),
            repository=repository,
            tag=tag,
            changes=["ENV PATH=/usr/local/bin:/usr/bin:/bin"],
        )
        client.close()
        build = build_image(
            base=BASE_IMAGE,
            packages=(),
            wheelhouse=installed_wheelhouse(),
            docker_host=engine.host,
        )
        asyncio.run(build)
        yield DockerProvider(docker_host=engine.host), engine.host


async def _measure(plan: Plan, provider: DockerProvider, docker_host: str) -> list[Row]:
    total: list[float] = []
    steps: dict[str, list[float]] = {}
    for _ in range(plan.repetitions(6)):
        started = time.monotonic()
        async with SandboxAgent.start(provider) as client:
            total.append(time.monotonic() - started)
            for step in client.sandbox.startup:
                name = next(
                    (name for said, name in STEPS.items() if step.name.startswith(said)), None
                )
                if name is not None:
                    steps.setdefault(name, []).append(step.seconds)
    rows = [Row("Docker: start() to healthy", "s", median(total), digits=2)]
    rows += [
        Row(f"Docker: of that, {name}", "s", median(steps[name]), digits=2)
        for name in STEPS.values()
        if name in steps
    ]
    count = PARALLEL_QUICK if plan.is_quick else PARALLEL
    rows += await handed_out("Docker", provider, plan.repetitions(6))
    return rows + await _at_the_same_time(provider, docker_host, count)


async def _at_the_same_time(provider: DockerProvider, docker_host: str, count: int) -> list[Row]:
    async with AsyncExitStack() as stack:
        started = time.monotonic()
        clients = await asyncio.gather(
            *(stack.enter_async_context(SandboxAgent.start(provider)) for _ in range(count))
        )
        all_healthy_s = time.monotonic() - started
        memory = await asyncio.gather(
            *(
                asyncio.to_thread(_memory_mib, docker_host, client.sandbox.ref.id)
                for client in clients
            )
        )
    return [
        Row(f"Docker: {count} at the same time, all healthy", "s", all_healthy_s, digits=1),
        Row(f"Docker: memory of one of {count}, its server idle", "MiB", median(memory)),
    ]


def _memory_mib(docker_host: str, container_id: str) -> float:
    """What `docker stats` shows: without the file cache that the kernel can take back."""
    client = docker.DockerClient(base_url=docker_host)
    try:
        memory = client.api.stats(container_id, stream=False)["memory_stats"]
    finally:
        client.close()
    cache = memory["stats"].get("total_inactive_file", memory["stats"].get("inactive_file", 0))
    return float(memory["usage"] - cache) / MIB
