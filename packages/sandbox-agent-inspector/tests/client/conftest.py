"""Programs of the TypeScript client, run in Node.js from its sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.optional import skip_without

_PACKAGE = Path(__file__).parents[2]
_PROGRAMS = _PACKAGE / "web" / "client" / "tests" / "programs"

for _folder in (
    Path(__file__).parent / "support",
    _PACKAGE.parent / "sandbox-agent-core" / "tests" / "support",
    _PACKAGE,
):
    sys.path.insert(0, str(_folder))


class NodeProgram:
    """Starts a program of `client/tests/programs`; its stdin and stdout are pipes of text."""

    def __init__(self, node: Path) -> None:
        self._node = node

    def start(self, name: str, *arguments: str, env: dict[str, str] | None = None) -> Any:
        return subprocess.Popen(
            [self._node, _PROGRAMS / name, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})}, encoding="utf-8",
        )  # fmt: skip

    def run_file(self, path: Path) -> str:
        """What a program of its own writes. Fails when it does."""
        done = subprocess.run(
            [self._node, path], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, name: str, *arguments: str, stdin: str = "") -> str:
        """What it writes. Fails when it does."""
        process = self.start(name, *arguments)
        written, complaints = process.communicate(stdin, timeout=100)
        assert process.returncode == 0, complaints
        return str(written)


@pytest.fixture(scope="session")
def node_program() -> NodeProgram:
    from web_build import WEB, BuildFailed, install

    if not WEB.is_dir():
        skip_without("the sources of the Inspector are not here")
    try:
        node = install()
    except BuildFailed as problem:
        skip_without(str(problem))
    return NodeProgram(node.node)
