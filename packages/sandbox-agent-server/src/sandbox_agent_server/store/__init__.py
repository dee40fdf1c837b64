"""Where logs live: SQLite, one file for all sessions."""

from sandbox_agent_server.store.entry import Draft, LineEncoder, StoredEntry
from sandbox_agent_server.store.sqlite import SessionRow, SqliteStore

__all__ = ["Draft", "LineEncoder", "SessionRow", "SqliteStore", "StoredEntry"]
