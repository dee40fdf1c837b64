"""Whatever an agent starts, and however it or the server ends: nothing of it is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.processes import is_running
from support.server import DEADLINE_S, ServerProcess, until

# Starts one child of each kind, and ends when a prompt says so. A child writes its pid into a file of its name.
AGENT = """#!{python} -IS
import json, os, pathlib, subprocess, sys

here = pathlib.Path(sys.argv[1])
CHILD = (sys.executable, "-IS", str(here / "child.py"))
WORDS = " ".join(f"'{{word}}'" for word in CHILD)

def send(**frame):
    print(json.dumps({{"jsonrpc": "2.0", **frame}}), flush=True)

def shell(command):
    subprocess.run(["bash", "-c", command.replace("CHILD", WORDS)], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

def start_children():
    subprocess.Popen([*CHILD, "child"])
    subprocess.Popen([*CHILD, "holds-the-pipes"], stdin=0, stdout=1, stderr=2)
    subprocess.Popen([*CHILD, "session-of-its-own"], start_new_session=True)
    subprocess.Popen([*CHILD, "deaf-session-of-its-own", "deaf"], start_new_session=True)
    shell("CHILD in-the-background &")
    shell("nohup CHILD nohup &")
    shell("set -m; nohup CHILD group-of-its-own &")
    shell("setsid nohup CHILD setsid-nohup &")
    shell("(setsid CHILD double-fork </dev/null >/dev/null 2>&1 & ) &")
    shell("cd /; setsid setsid -f CHILD deaf-daemon deaf &")
    shell("setsid CHILD parent-of-a-daemon daemon-of-a-daemon &")

def start_children_without_environment():
    subprocess.Popen([*CHILD, "no-environment"], env={{}}, start_new_session=True)
    shell("env -i setsid -f CHILD daemon-without-environment &")
    shell("env -i setsid -f CHILD ever-another ever-another &")

(here / "pids" / "agent").write_text(str(os.getpid()))

for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            send(id=frame["id"], result={{"protocolVersion": 1}})
        case "session/new":
            send(id=frame["id"], result={{"sessionId": "s"}})
        case "session/prompt":
            text = frame["params"]["prompt"][0]["text"]
            if "children" in text:
                start_children()
            if "environment" in text:
                start_children_without_environment()
            if text == "exit":
                os._exit(3)
            send(id=frame["id"], result={{"stopReason": "end_turn"}})
"""
CHILD = """
import os, pathlib, signal, subprocess, sys, time
name, habit = sys.argv[1], "".join(sys.argv[2:])
if habit == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
if habit == "daemon-of-a-daemon":
    if not os.fork():
        os.setsid()
        if os.fork():
            os._exit(0)
        name = habit
path = pathlib.Path(__file__).parent / "pids" / name
part = path.with_suffix(f".{os.getpid()}.part")
part.write_text(str(os.getpid()))
part.replace(path)
if habit == "ever-another":
    time.sleep(0.02)
    if os.fork():
        os._exit(0)
    os.execv(sys.executable, [sys.executable, "-IS", __file__, *sys.argv[1:]])
time.sleep(600)
"""
KINDS = (
    "agent", "child", "holds-the-pipes", "session-of-its-own", "deaf-session-of-its-own", "in-the-background", "nohup",
    "group-of-its-own", "setsid-nohup", "double-fork", "deaf-daemon", "parent-of-a-daemon",
    "daemon-of-a-daemon",
)  # fmt: skip
WITHOUT_ENVIRONMENT = ("no-environment", "daemon-without-environment", "ever-another")


class Running(NamedTuple):
    """A server with a session whose agent has started its children."""

    server: ServerProcess
    session_id: str
    agent_pid: int

    def delete(self) -> None:
        with self.server.client() as client:
            assert client.delete(f"/v1/sessions/{self.session_id}").status_code == 204

    def agent_exits(self) -> None:
        with self.server.client() as client:
            prompt = {"text": "exit"}
            client.post(f"/v1/sessions/{self.session_id}/prompt", json=prompt)
        until(lambda: self.server.events(self.session_id, "agent.exited"))

    def agent_is_killed(self) -> None:
        os.kill(self.agent_pid, signal.SIGKILL)
        until(lambda: self.server.events(self.session_id, "agent.exited"))

    def server_is_stopped(self) -> None:
        assert self.server.stop() == 0

    def server_is_killed(self) -> None:
        self.server.kill()
        self.server.start()


ENDS: dict[str, Callable[[Running], None]] = {
    "delete": Running.delete,
    "agent exits": Running.agent_exits,
    "agent is killed": Running.agent_is_killed,
    "server is stopped": Running.server_is_stopped,
    "server is killed and started again": Running.server_is_killed,
}


class World:
    """The agent and its children, in a directory."""

    def __init__(self, directory: Path) -> None:
        self.pids_dir = directory / "pids"
        self.pids_dir.mkdir()
        (directory / "child.py").write_text(CHILD, encoding="utf-8")
        agent = directory / "agent"
        agent.write_text(AGENT.format(python=sys.executable), encoding="utf-8")
        agent.chmod(0o755)
        config = f"[agents.tree]\ncommand = {json.dumps([str(agent), str(directory)])}\n"
        self.server = ServerProcess(directory, config=config)

    def run(self, prompt: str, *kinds: str) -> Running:
        """A session whose agent has children of these kinds."""
        session_id = self.server.create("tree")
        assert self.server.prompt(session_id, prompt)["stopReason"] == "end_turn"
        until(lambda: all((self.pids_dir / kind).exists() for kind in kinds))
        agent_pid = int((self.pids_dir / "agent").read_text(encoding="ascii"))
        return Running(self.server, session_id, agent_pid)

    def is_running(self, kind: str) -> bool:
        return is_running(int((self.pids_dir / kind).read_text(encoding="ascii")))

    def survivors(self) -> set[str]:
        return {path.name for path in self.pids_dir.glob("[!.]*") if self.is_running(path.name)}

    def close(self) -> None:
        self.server.stop()
        for path in self.pids_dir.iterdir():
            with suppress(ProcessLookupError, ValueError):
                os.kill(int(path.read_text(encoding="ascii")), signal.SIGKILL)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    try:
        world.server.start()
        yield world
    finally:
        world.close()


@pytest.fixture(scope="module", params=ENDS)
def ended(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """After one of the ends, with children of every kind before it."""
    world = World(tmp_path_factory.mktemp("tree"))
    try:
        world.server.start()
        ENDS[request.param](world.run("children", *KINDS))
        yield world
    finally:
        world.close()


@pytest.mark.fault(
    "an agent double forks, daemonises or changes its session, and then the session, the agent or the server ends",
    "no process of it survives",
)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_survives(ended: World, kind: str) -> None:
    assert not ended.is_running(kind)


@pytest.mark.parametrize("end", [Running.delete, Running.agent_exits, Running.server_is_stopped])
def test_no_environment_and_no_parent_are_no_way_out_while_the_server_lives(
    world: World, end: Callable[[Running], None]
) -> None:
    end(world.run("children without environment", *KINDS, *WITHOUT_ENVIRONMENT))
    assert world.survivors() == set()


def test_a_session_that_ends_takes_nothing_of_another_with_it(world: World) -> None:
    first = world.run("children", *KINDS)
    theirs = {path.name: path.read_text(encoding="ascii") for path in world.pids_dir.iterdir()}
    for path in world.pids_dir.iterdir():
        path.unlink()
    second = world.run("children without environment", *KINDS, *WITHOUT_ENVIRONMENT)
    first.delete()
    assert not [name for name, pid in theirs.items() if is_running(int(pid))]
    # The one that has another pid every moment may be between two.
    assert {*KINDS, *WITHOUT_ENVIRONMENT} - world.survivors() <= {"ever-another"}
    second.delete()
    assert world.survivors() == set()


def test_the_dead_orphans_of_an_agent_are_collected(world: World) -> None:
    world.run("children", *KINDS)
    pid = int((world.pids_dir / "deaf-daemon").read_text(encoding="ascii"))
    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_server_of_a_copied_directory_ends_nothing(world: World, tmp_path: Path) -> None:
    world.run("children", *KINDS)
    (tmp_path / "other").mkdir()
    other = ServerProcess(tmp_path / "other")
    shutil.copytree(world.server.data_dir, other.data_dir)
    other.start()
    other.stop()
    assert world.survivors() == set(KINDS)


@pytest.mark.fault(
    "the server is killed and no other one comes", "what its agents left is swept all the same"
)
def test_what_a_dead_server_left_is_swept_without_another_server(world: World) -> None:
    world.run("children", *KINDS)
    sweep = [
        Path(sys.executable).with_name("sandbox-agent-server"),
        *("sweep", "--data-dir", world.server.data_dir),
    ]
    refused = subprocess.run(sweep, capture_output=True, text=True, timeout=DEADLINE_S)
    assert (refused.returncode, world.survivors()) == (1, set(KINDS))
    assert "another sandbox-agent-server uses" in refused.stderr
    world.server.kill()
    subprocess.run(sweep, check=True, timeout=DEADLINE_S)
    assert world.survivors() == set()
