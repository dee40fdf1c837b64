from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fakes.modal import FakeModal


@pytest.fixture
def modal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeModal]:
    with FakeModal(tmp_path).running() as fake:
        monkeypatch.setenv("MODAL_SERVER_URL", fake.url)
        monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / "no-config.toml"))
        yield fake
