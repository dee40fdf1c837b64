"""The sessions that `run` and `chat` keep on this machine.

Each has a directory for its server, so that runs at the same time do not meet in one log. What was said is also copied
into one store, which lists and shows sessions without a server.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sandbox_agent_client._data_dir import data_dir
from sandbox_agent_client.errors import Conflict, StorageError
from sandbox_agent_client.persistence import SqliteTranscriptStore
from sandbox_agent_client.sandboxes.local.server import started_at

__all__ = ["at_work", "delete_local_log", "local_store", "make_server_dir", "run_of"]

RUN_RECORD = "run.json"


def local_store() -> SqliteTranscriptStore:
    return SqliteTranscriptStore(data_dir() / "cli" / "sessions.db")


def make_server_dir(session_id: str) -> Path:
    """Raises: StorageError."""
    kept = _server_dir(session_id)
    try:
        kept.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise StorageError(
            f"Sessions of this machine are kept in {str(data_dir())!r}, which cannot be made: {exc}"
        ) from exc
    return kept


def delete_local_log(session_id: str) -> None:
    """The server directory of a local session, if it has one.

    Raises:
        Conflict: a run of it is going on.
    """
    directory = _server_dir(session_id)
    try:
        # The server holds this lock as long as it runs.
        with (directory / "server.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory)
    except FileNotFoundError:
        shutil.rmtree(directory, ignore_errors=True)
    except BlockingIOError as exc:
        raise Conflict(f"Session {session_id!r} is running here: end that run first.") from exc


@contextlib.contextmanager
def at_work(session_id: str) -> Iterator[None]:
    """While it lasts, other commands know which process runs this session."""
    record = make_server_dir(session_id) / RUN_RECORD
    pid = os.getpid()
    part = record.with_name(f"{RUN_RECORD}.{pid}")
    part.write_text(json.dumps({"pid": pid, "startedAt": started_at(pid)}), "utf-8")
    part.replace(record)
    try:
        yield
    finally:
        if run_of(session_id) == pid:
            record.unlink(missing_ok=True)


def run_of(session_id: str) -> int | None:
    """The process that runs it, if one does."""
    try:
        record = json.loads((_server_dir(session_id) / RUN_RECORD).read_text("utf-8"))
        pid = int(record["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    started = started_at(pid)
    return pid if started is not None and started == record.get("startedAt") else None


def _server_dir(session_id: str) -> Path:
    return data_dir() / "cli" / "servers" / session_id
