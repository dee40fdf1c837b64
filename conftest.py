"""The root: fixtures for the tests of all packages."""

from __future__ import annotations

import pytest

pytest_plugins = ["support.fixtures"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
