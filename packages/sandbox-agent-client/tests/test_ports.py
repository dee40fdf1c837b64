"""Ports of the sandbox through both clients and the command line, at a real server."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest
from sandbox_agent_client import (
    Endpoint,
    InvalidRequest,
    PortForbidden,
    PortUrl,
    SandboxAgent,
    SandboxAgentSync,
    SandboxRef,
)
from sandbox_agent_client.cli.main import app
from sandbox_agent_core.errors import PortNotOpen
from support.directory_provider import DirectoryProvider
from typer.testing import CliRunner


@pytest.fixture
def listener() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_what_listens_is_listed_and_watched(client: SandboxAgent, listener: int) -> None:
    own = httpx.URL(client.base_url).port
    found = {one.port: one for one in await client.ports.list()}
    assert (found[listener].address, found[listener].is_server) == ("127.0.0.1", False)
    assert found[own].is_server  # type: ignore[index]
    async for ports in client.ports.watch():
        assert listener in [one.port for one in ports]
        break


async def test_a_port_has_a_url_for_a_browser(client: SandboxAgent, listener: int) -> None:
    found = await client.ports.url(listener)
    assert (found.via, found.headers) == ("proxy", {})
    assert found.expires_at is not None
    assert str(found) == found.url
    assert found.url.startswith(f"{client.base_url}/v1/ports/{listener}/?ticket=")
    with pytest.raises(PortForbidden):
        await client.ports.url(httpx.URL(client.base_url).port or 0)
    with pytest.raises(InvalidRequest):
        await client.ports.url(70_000)


def test_the_synchronous_client_does_the_same(endpoint: Endpoint, listener: int) -> None:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        assert listener in [one.port for one in client.ports.list()]
        assert client.ports.url(listener).via == "proxy"
        for ports in client.ports.watch():
            assert listener in [one.port for one in ports]
            break


class WithoutPorts(DirectoryProvider):
    """Its ports are not open, as those of a provider that wants them declared."""

    async def port_url(self, ref: SandboxRef, port: int) -> PortUrl:
        raise PortNotOpen(f"{port} is not declared", provider=self.name)


async def test_a_port_that_the_provider_does_not_open_goes_through_the_server(
    tmp_path: Any,
) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
    async with SandboxAgent.start(DirectoryProvider(tmp_path / "open")) as client:
        assert (await client.sandbox.port_url(3000)).via == "provider"
    script = (
        "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler); "
    )
    script += "print(s.server_port, flush=True); s.serve_forever()"
    async with (
        SandboxAgent.start(WithoutPorts(tmp_path / "closed")) as client,
        await client.processes.spawn(["python3", "-c", script], cwd=tmp_path) as server,
    ):
        async for chunk in server.logs(follow=True):
            port = int(chunk.text)
            break
        found = await client.sandbox.port_url(port)
        assert found.via == "proxy"
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(found.url, headers=found.headers)
        assert "Directory listing" in answer.text


def test_the_command_line_lists_and_opens(at_server: dict[str, str], listener: int) -> None:
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["ports", *arguments], env=at_server)

    assert any(line.startswith(f"{listener} ") for line in run("list").stdout.splitlines())
    listed = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert listener in [one["port"] for one in listed]
    assert f"/v1/ports/{listener}/?ticket=" in run("open", str(listener)).stdout
    assert run("open", "0").exit_code == 2
