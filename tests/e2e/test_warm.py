"""An agent that is kept ready: a session takes it over and notices nothing but the time saved."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fixtures import claude_env
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess, until

MakeServer = Callable[..., ServerProcess]

AGENT = """
import json, os, pathlib, sys

def send(**frame):
    print(json.dumps({"jsonrpc": "2.0", **frame}), flush=True)

def update(**fields):
    send(method="session/update", params={"sessionId": "s", "update": fields})

pids = pathlib.Path(sys.argv[1])
with pids.open("a") as file:
    print(os.getpid(), os.getcwd(), file=file)
for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            send(id=frame["id"], result={"protocolVersion": 1})
        case "session/new":
            send(id=frame["id"], result={"sessionId": "s"})
            update(sessionUpdate="available_commands_update", availableCommands=[{"name": "go"}])
        case "session/prompt":
            text = {"type": "text", "text": f"{os.getpid()} {os.environ.get('MARK')}"}
            update(sessionUpdate="agent_message_chunk", content=text)
            send(id=frame["id"], result={"stopReason": "end_turn"})
"""


class Bench:
    def __init__(self, make_server: MakeServer, directory: Path) -> None:
        self.pids_file = directory / "pids"
        script = directory / "agent.py"
        script.write_text(AGENT, encoding="utf-8")
        command = json.dumps([sys.executable, str(script), str(self.pids_file)])
        config = f"[agents.quick]\nwarm = 1\ncommand = {command}\n"
        self.server = make_server(config=config)
        self.server.start()

    def started(self) -> list[tuple[int, str]]:
        """`(pid, directory)` of every agent so far."""
        if not self.pids_file.exists():
            return []
        lines = self.pids_file.read_text(encoding="utf-8").splitlines()
        return [(int(pid), cwd) for pid, _, cwd in (line.partition(" ") for line in lines)]

    def wait_started(self, count: int) -> None:
        until(lambda: len(self.started()) == count)

    def said(self, session_id: str) -> tuple[int, str]:
        self.server.prompt(session_id, "who")
        text = self.server.events(session_id, "message.completed")[-1]["data"]["content"][0]["text"]
        pid, mark = text.split()
        return int(pid), mark


@pytest.fixture
def bench(make_server: MakeServer, tmp_path: Path) -> Bench:
    return Bench(make_server, tmp_path)


def test_a_session_takes_the_ready_one_and_another_is_made_ready(bench: Bench) -> None:
    bench.wait_started(1)
    ((pid, cwd),) = bench.started()

    session_id = bench.server.create("quick", cwd=cwd)

    assert bench.said(session_id)[0] == pid
    # The handshake is in the log as if it had been asked just now, and what came early is not lost.
    methods = [entry.get("method") for entry in bench.server.entries(session_id)]
    assert methods.count("initialize") >= 1
    (commands,) = bench.server.events(session_id, "commands.updated")
    assert commands["data"]["commands"][0]["name"] == "go"
    bench.wait_started(2)


def test_the_ready_one_follows_the_sessions_to_another_workspace(
    bench: Bench, tmp_path: Path
) -> None:
    bench.wait_started(1)
    other = tmp_path / "other"
    other.mkdir()

    first = bench.server.create("quick", cwd=str(other))
    bench.wait_started(3)
    second = bench.server.create("quick", cwd=str(other))

    ready = [pid for pid, cwd in bench.started() if cwd == str(other)]
    assert {bench.said(first)[0], bench.said(second)[0]} == set(ready[:2])


def test_a_session_with_an_environment_of_its_own_gets_a_process_of_its_own(bench: Bench) -> None:
    bench.wait_started(1)
    ((ready, cwd),) = bench.started()

    session_id = bench.server.create("quick", cwd=cwd, env={"MARK": "mine"})

    pid, mark = bench.said(session_id)
    assert (pid != ready, mark) == (True, "mine")


def test_a_session_that_trusts_its_workspace_gets_a_process_of_its_own(bench: Bench) -> None:
    bench.wait_started(1)
    ((ready, cwd),) = bench.started()

    session_id = bench.server.create("quick", cwd=cwd, trustWorkspace=True)

    assert bench.said(session_id)[0] != ready


def test_one_that_died_while_it_waited_is_not_given_to_a_session(bench: Bench) -> None:
    bench.wait_started(1)
    ((pid, cwd),) = bench.started()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists())

    session_id = bench.server.create("quick", cwd=cwd)

    assert bench.said(session_id)[0] != pid


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_ready_ones_do_not_outlive_the_server(bench: Bench, end: signal.Signals) -> None:
    bench.wait_started(1)
    ((pid, _cwd),) = bench.started()

    bench.server.end(end)
    if end is signal.SIGKILL:
        bench.server.start()

    until(lambda: not Path(f"/proc/{pid}").exists())


@pytest.mark.real_agent
def test_claude_is_taken_over_ready(
    make_server: MakeServer, tmp_path: Path, claude_binary: Path, scripted_llm: ScriptedLLM
) -> None:
    env = claude_env(tmp_path, scripted_llm)
    env["PATH"] = f"{claude_binary.parent}:{env['PATH']}"
    server = make_server(env=env, arguments=["--warm", "claude"]).start()

    session_id = server.create("claude", cwd=str(tmp_path), mode="plan")
    server.prompt(session_id, "SCENARIO:text")
    again = server.create("claude", cwd=str(tmp_path))
    server.prompt(again, "SCENARIO:text")

    for each in (session_id, again):
        (ended,) = server.events(each, "turn.ended")
        assert ended["data"]["stopReason"] == "end_turn"
