"""The server keeps to its own description: schemathesis asks every operation, in ways that fit it and in ways that do not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.optional import skip_without
from support.server import ServerProcess

PROGRAM = Path(sys.executable).with_name("schemathesis")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
LEFT_OUT = r"^/v1/(fs/watch$|ports/\{port\})"
"""A stream that does not end, so that each request would be waited for; and what others answer on their ports."""
EXCLUDED = [
    # Other checks of our own, or of the wrong thing: an agent that is not there is a 400 though its name is a string.
    "not_a_server_error", "positive_data_acceptance",
]  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Whatever it is told to do, it can only do in a directory of its own, without programs and without a network."""
    root = tmp_path / "root"
    root.mkdir()
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "true").symlink_to(shutil.which("true") or "/bin/true")
    nowhere = "http://127.0.0.1:9"
    server = ServerProcess(
        tmp_path,
        arguments=[
            "--root", str(root), "--no-auto-install", "--npm-registry", nowhere,
            "--limit", "max_wait_s=0.05", "--limit", "max_sessions=8",
        ],
        env={"HOME": str(root), "PATH": str(programs), "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere},
    ).start()  # fmt: skip
    yield server
    server.stop()


@pytest.mark.timeout(240)
def test_every_operation_keeps_to_the_description(server: ServerProcess, tmp_path: Path) -> None:
    if not PROGRAM.exists():
        skip_without("schemathesis is not installed: requirements-dev.txt")
    with server.client() as client:
        process = client.post("/v1/processes", json={"command": "true"}).json()["id"]
    real = {"session_id": server.create(), "process_id": process, "agent": "mock"}
    done = subprocess.run(
        [
            PROGRAM, "run", f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {server.token}",
            "--phases", "coverage,fuzzing", "--max-examples", "1", "--generation-deterministic", "--no-color",
            "--exclude-checks", ",".join(EXCLUDED), "--request-timeout", "10", "--exclude-path-regex", LEFT_OUT,
        ],
        cwd=tmp_path,
        env={
            **os.environ, "REAL_IDS": json.dumps(real), "SCHEMATHESIS_HOOKS": HOOKS.stem,
            "PYTHONPATH": str(HOOKS.parent),
        },
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
    assert '"level": "error"' not in server.log()
