"""One cluster for all tests here, which run in one worker of xdist because of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.ray_cluster import RayCluster, ray_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster() as cluster:
        yield cluster
