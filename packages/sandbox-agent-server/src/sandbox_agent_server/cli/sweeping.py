"""`sandbox-agent-server sweep`: what the next server would do first, when there will be no next server."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox_agent_core.errors import StorageError

from sandbox_agent_server.cli.arguments import SWEEP
from sandbox_agent_server.cli.logs import configure_logging
from sandbox_agent_server.runtime.ledger import ProcessLedger
from sandbox_agent_server.runtime.marker import directory_marker
from sandbox_agent_server.store.index import SessionIndex

__all__ = ["run_sweep"]


def run_sweep(argv: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog=f"sandbox-agent-server {SWEEP}",
        description="End the processes of agents that a server left running when it was killed.",
        epilog="exit codes: 0 nothing of it runs (any more), 1 a server uses the directory, 2 usage",
    )
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", required=True, help="of the server that was killed"
    )
    data_dir: Path = parser.parse_args(argv).data_dir
    if not data_dir.is_dir():
        return 0
    configure_logging("info", "text")
    try:
        index = SessionIndex(data_dir)
    except StorageError as exc:
        print(f"sandbox-agent-server: {exc.message}", file=sys.stderr)
        return 1
    try:
        ledger = ProcessLedger(index, marker=directory_marker(data_dir))
        asyncio.run(ledger.reap_left_over())
    finally:
        index.close()
    return 0
