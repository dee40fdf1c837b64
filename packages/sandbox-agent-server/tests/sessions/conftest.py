"""Makes `support/` importable by the tests of this folder, and what the tests of logs have too."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

_TESTS = Path(__file__).parents[1]
for _folder in (
    "sessions/support",
    "log/support",
    "agents/runner/support",
    "../../sandbox-agent-core/tests/support",
):
    sys.path.insert(0, str(_TESTS / _folder))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The disk under the logs."""
    from disk import Disk
    from sandbox_agent_server.log import file

    disk = Disk()
    monkeypatch.setattr(file, "os", disk)
    return disk


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Any]:
    """A conversation with an agent that the test plays."""
    from talk import Talk

    talk = Talk(tmp_path)
    await talk.connect()
    yield talk
    await talk.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Any]:
    """A manager of sessions with the agent `acme`, which the test plays."""
    from house import House

    house = House(tmp_path)
    await house.open()
    yield house
    await house.close()
