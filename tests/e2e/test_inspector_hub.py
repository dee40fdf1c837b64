"""`sandbox-agent ui`: one Inspector for all servers, which keeps their tokens to itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_core.inspector import find_inspector
from support.optional import skip_without
from support.server import DEADLINE_S, TOKEN, ServerProcess
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

PROGRAM = Path(sys.executable).with_name("sandbox-agent")


class HubProcess:
    def __init__(self, directory: Path, *arguments: str, **env: str) -> None:
        if find_inspector() is None:
            skip_without("the Inspector is not built: make inspector")
        known = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SANDBOX_AGENT_")
        }
        self._process = subprocess.Popen(
            [PROGRAM, "ui", "--no-open", "--port", "0", *arguments],
            env={**known, "SANDBOX_AGENT_DATA_DIR": str(directory), "HOME": str(directory), **env},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.said = ""
        while "Ctrl-C" not in self.said:
            line = self._process.stdout.readline()
            assert line, self.said
            self.said += line
        match = re.search(r"(http://127\.0\.0\.1:\d+)(/ui/\S*)#token=(\S+)", self.said)
        assert match, self.said
        self.url, self.page, self.token = match.groups()

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"authorization": f"Bearer {token or self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=DEADLINE_S)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def hub(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    hub = HubProcess(
        tmp_path_factory.mktemp("hub"), "--server", server.url, SANDBOX_AGENT_TOKEN=TOKEN,
        # No proxy knows the way to this machine.
        HTTP_PROXY="http://127.0.0.1:9", HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY="", no_proxy="",
    )  # fmt: skip
    yield hub
    hub.stop()


@pytest.fixture
def client(hub: HubProcess) -> Iterator[httpx.Client]:
    with hub.client() as connected:
        yield connected


@pytest.fixture
def prefix(client: httpx.Client) -> str:
    (only,) = client.get("/ui/servers.json").json()["servers"]
    found: str = only["prefix"]
    return found


def test_the_link_opens_the_only_server(hub: HubProcess, server: ServerProcess) -> None:
    name = server.url.partition("://")[2]
    assert hub.page == f"/ui/servers/{name.replace(':', '%3A')}/"
    assert f"  {name}  (running)" in hub.said
    page = httpx.get(hub.url + hub.page)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "nonce-" in page.headers["content-security-policy"]
    assert TOKEN not in hub.said


def test_requests_pass_with_the_servers_own_token(
    client: httpx.Client, prefix: str, server: ServerProcess
) -> None:
    made = client.post(f"{prefix}/v1/sessions", json={"agent": "mock"})
    assert made.status_code == 201
    with server.client() as direct:
        assert direct.get(f"/v1/sessions/{made.json()['id']}").status_code == 200
    problem = client.get(f"{prefix}/v1/sessions/ses_nobody")
    assert (problem.status_code, problem.headers["content-type"]) == (
        404,
        "application/problem+json",
    )
    assert client.head(f"{prefix}/v1/health").status_code == 200
    assert client.get(f"{prefix}/v1/sessions", params={"q": "mock"}).json()["sessions"]


def test_bodies_of_any_size_pass_both_ways(
    client: httpx.Client, prefix: str, tmp_path: Path
) -> None:
    data = os.urandom(3_000_000)
    place = {"path": str(tmp_path / "a b%20c.bin")}
    assert client.put(f"{prefix}/v1/fs/file", params=place, content=data).is_success
    assert (tmp_path / "a b%20c.bin").read_bytes() == data
    assert client.get(f"{prefix}/v1/fs/file", params=place).content == data
    pieces = (data[at : at + 65536] for at in range(0, len(data), 65536))
    assert client.put(f"{prefix}/v1/fs/file", params=place, content=pieces).is_success


def test_streams_are_streams(client: httpx.Client, prefix: str, server: ServerProcess) -> None:
    session_id = server.create()
    path = f"{prefix}/v1/sessions/{session_id}/events"
    with client.stream("GET", path, headers={"accept": "text/event-stream"}) as stream:
        lines = stream.iter_lines()
        assert any("session.created" in line for line in lines)
        server.prompt(session_id, "text", wait=False)
        assert any("turn.ended" in line for line in lines)


def test_a_websocket_is_joined_with_the_servers(
    hub: HubProcess, prefix: str, server: ServerProcess
) -> None:
    session_id = server.create()
    url = f"{hub.url.replace('http', 'ws', 1)}{prefix}/v1/sessions/{session_id}/ws"
    with connect(url, subprotocols=["sandbox-agent", f"bearer.{hub.token}"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "sandbox-agent"
        socket.send('{"type": "prompt", "id": "1", "text": "text"}')
        while "turn.ended" not in str(socket.recv(DEADLINE_S)):
            pass
    with pytest.raises(InvalidStatus) as refused:
        connect(url, subprotocols=["sandbox-agent", "bearer.wrong"])  # type: ignore[list-item]
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/ui/servers.json", {}, 401),
        ("/servers", {"authorization": "Bearer wrong"}, 401),
        ("{prefix}/v1/sessions", {}, 401),
        ("{prefix}/v1/sessions", {"authorization": f"Bearer {TOKEN}"}, 401),
        ("{prefix}/v1/sessions", {"x-sandbox-agent-token": "wrong"}, 401),
        ("{prefix}/", {}, 401),
        # The server itself lets these in, or not.
        ("{prefix}/v1/ports/1/", {}, 401),
        ("/ui/", {"host": "evil.example"}, 403),
        ("/ui/", {"origin": "http://evil.example"}, 403),
        ("{prefix}/v1/sessions", {"origin": "null", "authorization": "Bearer {token}"}, 403),
        ("/servers/nobody/v1/health", {"authorization": "Bearer {token}"}, 404),
        ("/nothing", {}, 404),
        ("/open/guessed", {}, 404),
    ],
)  # fmt: skip
def test_nobody_else_gets_in(
    hub: HubProcess, prefix: str, path: str, headers: dict[str, str], status: int
) -> None:
    shown = {name: value.format(token=hub.token) for name, value in headers.items()}
    answer = httpx.get(hub.url + path.format(prefix=prefix), headers=shown)
    assert answer.status_code == status
    assert TOKEN not in answer.text


def test_a_page_of_a_server_is_nobody_here(client: httpx.Client, prefix: str) -> None:
    """It would share an origin, and the token, with the pages of all the others."""
    answer = client.get(f"{prefix}/ui/")
    policies = answer.headers.get_list("content-security-policy")
    (alone,) = [policy for policy in policies if policy.startswith("sandbox ")]
    assert "allow-same-origin" not in alone


def test_a_server_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path, "--server", "http://127.0.0.1:9", SANDBOX_AGENT_TOKEN="x")
    try:
        with hub.client() as client:
            answer = client.get("/servers/127.0.0.1%3A9/v1/health")
        assert answer.status_code >= 500
        assert answer.json()["type"].endswith(":server_unreachable")
    finally:
        hub.stop()


def test_sandboxes_of_the_inventory_are_listed_and_reached(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from sandbox_agent_client import SandboxAgentSync\n"
        "with SandboxAgentSync.start(sandbox='local', keep=True) as client:\n"
        "    print(client.sandbox_ref.id, flush=True)\n"
        "    sys.stdin.read()\n"
        "    client.destroy_sandbox()\n"
    )
    env: dict[str, Any] = {
        **os.environ,
        "SANDBOX_AGENT_DATA_DIR": str(tmp_path),
        "HOME": str(tmp_path),
    }
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        sandbox_id = keeper.stdout.readline().strip()
        hub = HubProcess(tmp_path, "--provider", "local")
        try:
            with hub.client() as client:
                (found,) = client.get("/servers").json()["servers"]
                assert (found["id"], found["provider"], found["state"]) == (
                    sandbox_id,
                    "local",
                    "running",
                )
                answer = client.get(f"{found['prefix']}/v1/agents")
                assert answer.status_code == 200, answer.text
        finally:
            hub.stop()
            keeper.stdin.close()
