"""The tables, and the steps from one version of them to the next."""

from __future__ import annotations

import sqlite3

__all__ = ["SCHEMA_VERSION", "migrate"]

# A row of `chunks` is what one commit appended: lines of the frame view, joined by newlines. `pos` is
# (session key << 40) | seq of the last line, so the chunk that holds a seq is the first at or after it: one
# b-tree, clustered by session, ordered by seq.
_V1 = """
CREATE TABLE sessions (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    agent TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    settings TEXT NOT NULL,
    state TEXT NOT NULL
);
CREATE TABLE chunks (
    pos INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    lines BLOB NOT NULL
);
CREATE TABLE requests (
    session_key INTEGER NOT NULL,
    id TEXT NOT NULL,
    asked TEXT NOT NULL,
    resolution TEXT,
    PRIMARY KEY (session_key, id)
);
CREATE TABLE processes (
    pid INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    session_key INTEGER NOT NULL,
    PRIMARY KEY (pid, start_time)
);
"""

_STEPS = (_V1,)
SCHEMA_VERSION = len(_STEPS)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the database to `SCHEMA_VERSION`, each step in its own transaction.

    Raises:
        RuntimeError: a newer version of the server has written it.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise RuntimeError(
            f"the data directory was written by a newer sandbox-agent-server (schema {version}, this "
            f"one knows {SCHEMA_VERSION}); upgrade, or give another --data-dir"
        )
    for step, script in enumerate(_STEPS[version:], start=version + 1):
        db.executescript(f"BEGIN;{script}PRAGMA user_version={step};COMMIT;")
