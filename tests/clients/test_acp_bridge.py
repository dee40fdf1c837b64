"""`sandbox-agent acp`: an agent in a sandbox, for clients that start their agents as programs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from acp import RequestError, spawn_agent_process, text_block
from acp.client.connection import ClientSideConnection
from acp.interfaces import Client
from acp.schema import AllowedOutcome, RequestPermissionResponse
from support.acp_wire import WORKSPACE
from support.ports import free_port
from support.server import DEADLINE_S, ServerProcess, until
from support.typescript_acp import TYPESCRIPT_STEPS, run_typescript

PROGRAM = str(Path(sys.executable).with_name("sandbox-agent"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.stop()
    assert "Traceback" not in process.log(), process.log()[-6000:]


class Cable:
    """A connection to the server that can be cut, as a network does it. `url` stays."""

    def __init__(self, server: ServerProcess) -> None:
        host, _, port = server.url.rpartition("//")[2].partition(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.is_cut = False
        self.is_deaf = False
        """What is sent to the server gets lost, and nobody is told."""
        self.lost = threading.Event()
        """Something did."""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.is_cut:
                    near.close()
                    continue
                far = socket.create_connection(self._server)
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if self.is_deaf:
                    self.lost.set()
                else:
                    other.sendall(data)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def cut(self) -> None:
        self.is_cut = True
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def mend(self) -> None:
        self.is_cut = self.is_deaf = False

    def close(self) -> None:
        self.cut()
        self._listener.close()


@pytest.fixture
def cable(server: ServerProcess) -> Iterator[Cable]:
    cable = Cable(server)
    yield cable
    cable.close()


class Editor(Client):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.asked = asyncio.Event()
        self.times_asked = 0
        self.may_answer = asyncio.Event()
        self.told = asyncio.Event()

    async def request_permission(
        self, session_id: str, tool_call: Any, options: Any, **kwargs: Any
    ) -> RequestPermissionResponse:
        self.times_asked += 1
        self.asked.set()
        await self.may_answer.wait()
        outcome = AllowedOutcome(outcome="selected", option_id=options[0].option_id)
        return RequestPermissionResponse(outcome=outcome)

    async def session_update(self, session_id: str, update: Any, **kwargs: Any) -> None:
        if update.session_update == "agent_message_chunk":
            self.said.append(update.content.text)
            self.told.set()


def environment(server: ServerProcess) -> dict[str, str]:
    return {**os.environ, "SANDBOX_AGENT_TOKEN": server.token or ""}


@asynccontextmanager
async def bridged(
    server: ServerProcess, url: str
) -> AsyncIterator[tuple[Editor, ClientSideConnection, str]]:
    editor = Editor()
    arguments = [PROGRAM, "acp", "--url", url, "--agent", "mock", "--cwd", WORKSPACE]
    async with (
        asyncio.timeout(DEADLINE_S),
        spawn_agent_process(editor, *arguments, env=environment(server)) as (connection, process),
    ):
        await connection.initialize(protocol_version=1)
        session = await connection.new_session(cwd="/of/the/editor", mcp_servers=[])
        yield editor, connection, session.session_id
        assert process.returncode is None


def test_every_step_of_a_session_with_the_typescript_sdk(server: ServerProcess) -> None:
    command = ["env", f"SANDBOX_AGENT_TOKEN={server.token}", PROGRAM, "acp"]
    target = json.dumps([*command, "--url", server.url, "--agent", "mock", "--cwd", WORKSPACE])
    assert run_typescript("stdio", target) == {**TYPESCRIPT_STEPS, "exit": 0}


async def test_a_cut_connection_is_none_for_the_editor(server: ServerProcess, cable: Cable) -> None:
    async with bridged(server, cable.url) as (editor, connection, id):
        prompt = connection.prompt(session_id=id, prompt=[text_block("stream 150 10")])
        running = asyncio.create_task(prompt)
        await editor.told.wait()
        cable.cut()
        await asyncio.to_thread(until, lambda: server.events(id, "turn.ended"))
        cable.mend()
        assert (await running).stop_reason == "end_turn"
        said = "".join(editor.said)
        again = await connection.prompt(session_id=id, prompt=[text_block("hello")])
        assert again.stop_reason == "end_turn"
    assert said == "".join(
        event["data"]["text"] for event in server.events(id, "message.delta")
    ).removesuffix("You said: hello")
    assert len(server.events(id, "turn.started")) == 2


@pytest.mark.parametrize("is_on_its_way", [False, True], ids=["unanswered", "on-its-way"])
async def test_a_question_stays_open_over_a_cut_and_is_asked_once(
    server: ServerProcess, cable: Cable, is_on_its_way: bool
) -> None:
    async with bridged(server, cable.url) as (editor, connection, id):
        prompt = connection.prompt(session_id=id, prompt=[text_block("permission")])
        running = asyncio.create_task(prompt)
        await editor.asked.wait()
        if is_on_its_way:
            cable.is_deaf = True
            editor.may_answer.set()
            assert await asyncio.to_thread(cable.lost.wait, DEADLINE_S)
        cable.cut()
        editor.may_answer.set()
        cable.mend()
        assert (await running).stop_reason == "end_turn"
        assert editor.times_asked == 1
    (resolved,) = server.events(id, "permission.resolved")
    assert resolved["data"]["decidedBy"] == "user"


async def test_a_server_that_died_ends_the_turn_and_the_editor_goes_on(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, arguments=["--port", str(free_port())]).start()
    try:
        async with bridged(server, server.url) as (editor, connection, id):
            prompt = connection.prompt(session_id=id, prompt=[text_block("slow 60")])
            running = asyncio.create_task(prompt)
            await editor.told.wait()
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            with pytest.raises(RequestError) as failed:
                await running
            assert failed.value.data == {"code": "unavailable"}
            done = await connection.prompt(session_id=id, prompt=[text_block("hello")])
            assert done.stop_reason == "end_turn"
            assert "".join(editor.said).endswith("You said: hello")
    finally:
        server.stop()


def run(*arguments: str, said: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "acp", *arguments],
        input=said,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
        env={**os.environ, **env},
    )


HELLO = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}) + "\n"


def test_without_a_sandbox_the_editor_is_told_why(server: ServerProcess) -> None:
    with subprocess.Popen(
        [PROGRAM, "acp", "--url", server.url, "--agent", "mock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "SANDBOX_AGENT_TOKEN": "wrong"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(HELLO.encode())
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert answer["error"]["data"] == {"code": "token_invalid"}
        assert process.wait(DEADLINE_S) == 7


def test_an_editor_that_leaves_at_once_leaves_nothing_behind(server: ServerProcess) -> None:
    done = run("--url", server.url, "--agent", "mock", SANDBOX_AGENT_TOKEN=server.token or "")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_server_of_this_machine_is_started_when_it_does_not_run(tmp_path: Path) -> None:
    env = {"SANDBOX_AGENT_DATA_DIR": str(tmp_path), "SANDBOX_AGENT_PORT": "0"}
    with subprocess.Popen(
        [PROGRAM, "acp", "--agent", "mock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **env},
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize"}
            line = json.dumps({**hello, "params": {"protocolVersion": 1}}) + "\n"
            process.stdin.write(line.encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["result"]["protocolVersion"] == 1
            process.stdin.close()
            assert process.wait(DEADLINE_S) == 0
            assert "started the server of this machine" in process.stderr.read().decode()
        finally:
            stop = [PROGRAM, "server", "stop"]
            done = subprocess.run(stop, capture_output=True, check=False, env={**os.environ, **env})
    assert b"Stopped" in done.stdout
