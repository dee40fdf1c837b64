"""A fake E2B for each test, and providers that reach its public names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fakes.e2b import FakeE2B
from support.fakes.e2b_provider import ThroughTheFake
from support.ports import free_port
from support.wheelhouse import OUR_SERVER


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeE2B]:
    """Its template has our server on the PATH."""
    with FakeE2B(tmp_path / "e2b", path=f"{OUR_SERVER.parent}:/usr/bin:/bin").running() as running:
        yield running


@pytest.fixture
def e2b(fake: FakeE2B) -> ThroughTheFake:
    return ThroughTheFake(fake.url, server_port=free_port())
