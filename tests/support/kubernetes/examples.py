"""The template and the warm pool of `examples/kubernetes`, in a cluster of a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from support.kubernetes.cluster import Cluster

__all__ = ["IMAGE", "POOL", "SIZE", "agents_template", "is_warm", "make_pool"]

IMAGE = "sandbox-agent"
POOL = "agents"
SIZE = 2
_EXAMPLE = Path(__file__).parents[3] / "examples" / "kubernetes" / "warm-pool.yaml"


def agents_template(**changes: Any) -> dict[str, Any]:
    """Of the examples, with an image that a test's cluster has, whose Pods end at once when they are told to. `changes`: of
    its container."""
    made: dict[str, Any] = next(yaml.safe_load_all(_EXAMPLE.read_text(encoding="utf-8")))
    pod = made["spec"]["podTemplate"]["spec"]
    pod["containers"][0] |= {"image": IMAGE, **changes}
    pod["terminationGracePeriodSeconds"] = 1
    return made


def make_pool(cluster: Cluster) -> None:
    """It is warm."""
    cluster.create("sandboxtemplates", agents_template())
    spec = {"replicas": SIZE, "sandboxTemplateRef": {"name": POOL}}
    cluster.create("sandboxwarmpools", {"metadata": {"name": POOL}, "spec": spec})
    cluster.wait_for("sandboxwarmpools", POOL, is_warm)


def is_warm(pool: Mapping[str, Any]) -> bool:
    return (pool.get("status") or {}).get("readyReplicas") == SIZE
