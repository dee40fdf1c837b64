from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fakes.vercel import FakeVercel


@pytest.fixture
def vercel(tmp_path: Path) -> Iterator[FakeVercel]:
    with FakeVercel(tmp_path).running() as fake:
        yield fake
