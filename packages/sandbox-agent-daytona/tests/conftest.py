"""A fake Daytona for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fakes.daytona import FakeDaytona


@pytest.fixture
def daytona(tmp_path: Path) -> Iterator[FakeDaytona]:
    with FakeDaytona(tmp_path).running() as fake:
        yield fake


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """That of the machine, and a `.env` file that Daytona's SDK would read."""
    for name in ("API_KEY", "API_URL", "JWT_TOKEN", "ORGANIZATION_ID", "TARGET"):
        monkeypatch.delenv(f"DAYTONA_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
