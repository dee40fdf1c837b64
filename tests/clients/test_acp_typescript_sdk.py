"""The official TypeScript SDK as a client of `/acp`, over both of its transports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.server import ServerProcess
from support.typescript_acp import TYPESCRIPT_STEPS, run_typescript


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.stop()
    assert "Traceback" not in process.log(), process.log()[-6000:]


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_every_step_of_a_session(server: ServerProcess, transport: str) -> None:
    scheme = "ws" if transport == "websocket" else "http"
    url = f"{server.url.replace('http', scheme, 1)}/acp?agent=mock"
    assert run_typescript(transport, url, server.token or "") == TYPESCRIPT_STEPS
