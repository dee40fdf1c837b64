"""10 000 sandboxes in a namespace of a simulated cluster: what finding and sweeping them asks of it, and takes of a client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sandbox_agent_core.spi.labels import OURS
from support.kubernetes import Cluster, why_not_here

from benchmarks.kubernetes_sweeper import Swept
from benchmarks.row import Plan, Row

SANDBOXES = 10_000
QUICK_SANDBOXES = 500
TIMEOUT_S = 900.0
_REPOSITORY = Path(__file__).resolve().parents[2]


def measure(plan: Plan) -> list[Row]:
    """The peer has no such provider. The times are half the simulation's."""
    if plan.skips_ours or why_not_here():
        return []
    count = QUICK_SANDBOXES if plan.is_quick else SANDBOXES
    with Cluster() as cluster:
        cluster.insert_pods(count, labels={OURS: "1"})
        swept = _sweep(cluster.kubeconfig)
        lists = cluster.count("list", "pods") - 1  # the one by which it logs in
        deletes = sum(one.verb == "delete" for one in cluster.requests)
        left = len(cluster.objects("pods"))
    what = f"{count:,} sandboxes on a simulated Kubernetes: ".replace(",", " ")
    return [
        Row(what + "lost by the list", "sandboxes", count - swept.listed, budget="= 0", digits=0),
        Row(what + "list", "s", swept.list_s, digits=2, note=f"{lists} pages"),
        Row(what + "memory of the list", "MiB", swept.list_mib, note="more than before"),
        Row(what + "sweep", "s", swept.sweep_s, digits=1, note=f"{left} left"),
        Row(what + "requests to sweep one", "requests", deletes / count, budget="<= 1"),
        Row(what + "memory of the sweep", "MiB", swept.sweep_mib, note="more than before"),
    ]


def _sweep(kubeconfig: Path) -> Swept:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kubernetes_sweeper", str(kubeconfig)],
        cwd=_REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=True,
    )
    return Swept(**json.loads(done.stdout))
