from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fakes.cloudflare import FakeBridge


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[FakeBridge]:
    with FakeBridge(tmp_path).running() as fake:
        yield fake
