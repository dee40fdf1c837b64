"""Out of a warm pool beside a cold start, in turn, in the same minutes: until a client has had its first answer."""

from __future__ import annotations

import asyncio
import time

from sandbox_agent_client import LocalProvider, SandboxAgent, SandboxPool
from sandbox_agent_core.spi.provider import SandboxProvider

from benchmarks.row import Plan, Row, median


def measure(plan: Plan) -> list[Row]:
    if plan.skips_ours:
        return []
    return asyncio.run(handed_out("local", LocalProvider(), plan.repetitions(9)))


async def handed_out(name: str, provider: SandboxProvider, repetitions: int) -> list[Row]:
    cold: list[float] = []
    warm: list[float] = []
    async with SandboxPool(provider, size=1) as pool:
        for _ in range(repetitions):
            began = time.monotonic()
            async with SandboxAgent.start(provider) as client:
                await client.health()
                cold.append(time.monotonic() - began)
            await pool.wait_warm()
            began = time.monotonic()
            async with pool.acquire() as client:
                await client.health()
                warm.append(time.monotonic() - began)
            await pool.wait_warm()  # its successor is not to be in the way of the next cold start
    ratio = (median(warm) or 0) / (median(cold) or 1)
    return [
        Row(f"{name}: cold start to the first answer", "ms", (median(cold) or 0) * 1000, digits=0),
        Row(
            f"{name}: out of a warm pool to the first answer",
            "ms",
            (median(warm) or 0) * 1000,
            note=f"{ratio:.1%} of the cold start",
        ),
    ]
