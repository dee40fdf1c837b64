"""Makes `support/` importable by the tests of this folder, and the odd frames of core's tests too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

_PACKAGES = Path(__file__).parents[3]
sys.path.insert(0, str(Path(__file__).parent / "support"))
sys.path.insert(0, str(_PACKAGES / "sandbox-agent-core" / "tests" / "support"))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The disk under the logs."""
    from disk import Disk
    from sandbox_agent_server.log import file

    disk = Disk()
    monkeypatch.setattr(file, "os", disk)
    return disk
