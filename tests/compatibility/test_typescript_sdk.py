"""Programs written for sandbox-agent 0.4.2 run unchanged: its own TypeScript SDK drives this server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compatibility.page import PAGE, methods_table, section, written
from support.agents import installed_binary, load_pins, node_folder
from support.optional import skip_without
from support.ports import free_port
from support.server import TOKEN, ServerProcess

PROGRAM = Path(__file__).with_name("typescript_sdk.mjs")


def node() -> Path:
    folder = node_folder()
    if folder is None:
        skip_without("there is no Node.js")
    return folder / "node"


def sdk() -> Path:
    pin = load_pins()["peer-sdk"]
    if installed_binary(pin) is None:
        skip_without(f"{pin.spec} is not installed: scripts/install_test_agents.py")
    return pin.folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path, arguments=["--port", str(free_port())]).start()
    yield server
    server.stop()


def steps_of(server: ServerProcess, directory: Path) -> Iterator[dict[str, Any]]:
    """Each as it is done; the server is restarted where the program asks for it."""
    command = [node(), PROGRAM, sdk(), server.url, TOKEN, directory, "mock"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for line in program.stdout:
            said = json.loads(line)
            if said.get("restart"):
                server.stop()
                server.start()
                program.stdin.write("go\n")
                program.stdin.flush()
            else:
                yield said
    yield {"exit": program.returncode}


@pytest.mark.timeout(240)
def test_every_step_passes_and_the_page_lists_the_methods(
    server: ServerProcess, tmp_path: Path
) -> None:
    directory = tmp_path / "workspace"
    directory.mkdir()
    *steps, done, ended = steps_of(server, directory)
    assert [(step["step"], step["error"]) for step in steps if not step["ok"]] == []
    assert (done, ended) == ({"done": True}, {"exit": 0})
    methods: dict[str, list[str]] = {}
    for step in steps:
        for method in step["methods"]:
            methods.setdefault(method, []).append(step["step"])
    table = methods_table(methods)
    if os.environ.get("COMPATIBILITY") == "write":
        PAGE.write_text(written(PAGE.read_text("utf-8"), "methods", table), encoding="utf-8")
    assert section(PAGE.read_text("utf-8"), "methods") == table, "COMPATIBILITY=write writes it"
