"""Lists all sandboxes of a Kubernetes namespace and removes them, in a process of its own, whose memory is only that.

python -m benchmarks.kubernetes_sweeper KUBECONFIG   prints one JSON line of results.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass

from sandbox_agent_client.errors import SandboxAgentError
from sandbox_agent_client.sandboxes.inventory import Item, destroy_all
from sandbox_agent_kubernetes import KubernetesProvider

from benchmarks.process_memory import read_memory

__all__ = ["Swept"]


@dataclass(frozen=True, slots=True)
class Swept:
    listed: int
    kept: int
    """Those that could not be removed."""
    list_s: float
    sweep_s: float
    list_mib: float
    """At the most, more than before."""
    sweep_mib: float


async def _sweep(kubeconfig: str) -> Swept:
    provider = KubernetesProvider(kubeconfig=kubeconfig)
    await provider.list({"sandbox-agent-pool": "none"})  # log in, with the client library loaded
    before = read_memory(os.getpid()).rss_mib
    began = time.monotonic()
    infos = await provider.list()
    listed = time.monotonic()
    list_mib = read_memory(os.getpid()).peak_rss_mib - before
    kept: list[SandboxAgentError] = []

    def tell(_item: Item, problem: SandboxAgentError | None) -> None:
        if problem is not None:
            kept.append(problem)

    await destroy_all((Item(provider, info) for info in infos), told=tell)
    return Swept(
        listed=len(infos),
        kept=len(kept),
        list_s=listed - began,
        sweep_s=time.monotonic() - listed,
        list_mib=list_mib,
        sweep_mib=read_memory(os.getpid()).peak_rss_mib - before,
    )


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_sweep(sys.argv[1])))))
