"""For tests that confine: skipped where that cannot be, except in CI."""

from __future__ import annotations

import pytest
from sandbox_agent_core.errors import ConfinementUnavailable
from sandbox_agent_server.agents.runner.confinement import check_confinement

from support.optional import skip_without

__all__ = ["bubblewrap"]


@pytest.fixture(scope="session")
def bubblewrap() -> None:
    try:
        check_confinement()
    except ConfinementUnavailable as exc:
        skip_without(exc.message)
