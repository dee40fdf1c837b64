"""Where logs live: SQLite, one file for all sessions."""

from sandbox_agent_server.store.entry import StoredEntry
from sandbox_agent_server.store.sqlite import SessionRow, SqliteStore

__all__ = ["SessionRow", "SqliteStore", "StoredEntry"]
