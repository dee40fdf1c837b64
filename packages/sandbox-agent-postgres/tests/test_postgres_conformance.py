"""The conformance suite on a real PostgreSQL."""

from __future__ import annotations

import pytest
from sandbox_agent_client.testing.stores import OpenStore, StoreConformance
from sandbox_agent_postgres import PostgresStore


class TestPostgres(StoreConformance):
    @pytest.fixture
    async def open(self, postgres_url: str) -> OpenStore:
        return lambda: PostgresStore(postgres_url)
