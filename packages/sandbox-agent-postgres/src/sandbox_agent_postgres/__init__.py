"""Transcripts in PostgreSQL, for sandbox-agent: `PostgresStore`."""

from sandbox_agent_postgres.store import PostgresStore

__all__ = ["PostgresStore"]
