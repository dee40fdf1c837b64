"""Moves the WAL into the database on a thread of its own, because a checkpoint fsyncs."""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

__all__ = ["CHECKPOINT_BYTES", "Checkpointer"]

logger = logging.getLogger(__name__)

CHECKPOINT_BYTES = 16 * 1024 * 1024
"""Checkpoint after this much payload was written."""


class Checkpointer:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = 0
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="wal-checkpoint", daemon=True)
        self._thread.start()

    def note_written(self, size_bytes: int) -> None:
        self._written += size_bytes
        if self._written >= CHECKPOINT_BYTES:
            self._written = 0
            self._wake.set()

    def close(self) -> None:
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if self._closing:
                return
            self._wake.clear()
            try:
                db = sqlite3.connect(self._path, isolation_level=None, timeout=1.0)
                try:
                    db.execute("PRAGMA wal_checkpoint(PASSIVE)")
                finally:
                    db.close()
            except sqlite3.Error as exc:
                # Disk full: the writer meets the same error and reports it to callers.
                logger.warning("checkpoint failed: %s", exc)
