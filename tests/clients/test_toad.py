"""An editor that was not written with us in mind drives an agent over the bridge."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from support.server import ServerProcess, until
from support.toad import PYTHON, SPEC, Toad, installed_toad

PROGRAM = Path(sys.executable).with_name("sandbox-agent")


def test_toad_prompts_allows_cancels_and_leaves(tmp_path: Path) -> None:
    program = installed_toad()
    if program is None:
        # Nothing that CI installs: no network may have it.
        pytest.skip(f"{SPEC} is not installed; it needs a Python {PYTHON}")
    server = ServerProcess(tmp_path).start()
    project = tmp_path / "project"
    project.mkdir()
    bridge = [str(PROGRAM), "acp", "--url", server.url, "--agent", "mock", "--cwd", str(project)]
    env = {"HOME": str(tmp_path), "SANDBOX_AGENT_TOKEN": server.token or ""}
    try:
        with Toad.running(program, shlex.join(bridge), project, env) as toad:
            toad.shows("Default")  # the mode of the session
            toad.prompt("hello from toad")
            toad.shows("You said: hello from toad")
            toad.prompt("permission")
            toad.shows("Allow once")
            toad.press("a")
            toad.shows("Done: I ran touch allowed.txt.")
            toad.prompt("slow 60")
            toad.shows("10 11 12")
            toad.press("Escape")
            toad.press("Escape")
            toad.shows("cancelled")
            toad.press("C-q")
            until(lambda: not toad.is_running)
        with server.client() as client:
            (session,) = client.get("/v1/sessions").json()["sessions"]
        ends = [one["data"]["stopReason"] for one in server.events(session["id"], "turn.ended")]
        assert ends == ["end_turn", "end_turn", "cancelled"]
    finally:
        server.stop()
