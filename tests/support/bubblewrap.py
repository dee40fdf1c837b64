"""For tests that confine: skipped where that cannot be, except in CI."""

from __future__ import annotations

import os

import pytest
from sandbox_agent_core.errors import ConfinementUnavailable
from sandbox_agent_server.agents.runner.confinement import check_confinement

__all__ = ["bubblewrap"]


@pytest.fixture(scope="session")
def bubblewrap() -> None:
    try:
        check_confinement()
    except ConfinementUnavailable as exc:
        if os.environ.get("CI"):
            pytest.fail(exc.message)
        pytest.skip(exc.message)
