from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sandbox_agent_postgres import PostgresStore
from support.postgres import postgres, postgres_of_its_own, postgres_url

__all__ = ["postgres", "postgres_of_its_own", "postgres_url"]


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[PostgresStore]:
    """In an empty database."""
    made = PostgresStore(postgres_url)
    yield made
    await made.close()
