"""Clusters for tests; a conftest takes what it needs by importing the names.

from support.kubernetes.fixtures import kubernetes_cluster
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from support.kubernetes import Cluster, why_not_here
from support.optional import skip_without

__all__ = ["kubernetes_cluster", "make_kubernetes_cluster"]


@pytest.fixture
def make_kubernetes_cluster() -> Iterator[Callable[..., Cluster]]:
    """Starts clusters with the options of `Cluster`; they end with the test."""
    if (reason := why_not_here()) is not None:
        skip_without(reason)
    with ExitStack() as clusters:

        def make(**options: Any) -> Cluster:
            return clusters.enter_context(Cluster(**options))

        yield make


@pytest.fixture
def kubernetes_cluster(make_kubernetes_cluster: Callable[..., Cluster]) -> Cluster:
    """A cluster of the test's own, without agents.x-k8s.io."""
    return make_kubernetes_cluster()
