"""Who uses a data directory: one server does, for any number of clients."""

from __future__ import annotations

import fcntl
from pathlib import Path

__all__ = ["user_of"]


def user_of(data_dir: Path) -> str | None:
    """What to say to whoever wants to start another server on it; None when nobody uses it."""
    try:
        with (data_dir / "server.lock").open("r", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _advice(data_dir, lock.read(32).strip())
    except OSError:
        pass  # there is none, or whoever starts on it is told what is wrong with it
    return None


def _advice(data_dir: Path, pid: str) -> str:
    process = f" (process {pid})" if pid.isdigit() else ""
    return (
        f"A server{process} works on {str(data_dir)!r} already, and one serves any number of clients: "
        "SandboxAgent.connect(url, token=…), or SandboxAgent.start(ref=…) with the `sandbox_ref` of the client that "
        "started it. Several workers of a web server share one that is started before them, once: docs/sdk.md."
    )
