"""The official TypeScript SDK's draft of ACP's version 2 as a client of `/acp`, beside one of version 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.server import ServerProcess
from support.typescript_acp import TYPESCRIPT_STEPS, run_typescript

STEPS: dict[str, Any] = {
    "version": 2,
    "capabilities": ["additionalDirectories", "delete", "mcp", "prompt"],
    "options": ["mode", "model", "thought_level"],
    "states": ["running", "idle end_turn"],
    "text": "You said: Grüße 🎉 hello",
    "echo": "Grüße 🎉 hello",
    "messages": 1,
    "permission": [
        1,
        "touch allowed.txt",
        "tool_call",
        "running",
        "requires_action",
        "running",
        "idle end_turn",
    ],
    "unclear": "failed",
    "plan": [3, 3, 1],
    "terminal": "collecting\r\n\x1b[32m2 passed\x1b[0m\r\n",
    "exit": 0,
    "diff": ["modify", ["@@ -1,1 +1,1 @@", "-Hello", "+Good morning", ""]],
    "cancel": ["running", "idle cancelled", -32800],
    "mode": "plan",
    "wrong": -32602,
    "cancelCall": -32602,
    "load": -32601,
    "replay": -32602,
    "nowhere": -32002,
    "listed": True,
    "crash": ["running", "idle error"],
    "close": ["running", "idle cancelled"],
    "resumed": [False, ["idle"], True, "You said: hello"],
    "replayed": [True, ["idle"], True, "You said: hello"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server"), arguments=["--acp-v2"]).start()
    yield process
    process.stop()
    assert "Traceback" not in process.log(), process.log()[-6000:]


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_every_step_of_a_session(server: ServerProcess, transport: str) -> None:
    script = "acp_v2_typescript_sdk.mjs"
    url, token = url_of(server, transport), server.token or ""
    assert run_typescript(transport, url, token, script=script) == STEPS


def test_a_client_of_version_1_notices_nothing(server: ServerProcess) -> None:
    url = url_of(server, "websocket")
    assert run_typescript("websocket", url, server.token or "") == TYPESCRIPT_STEPS


def url_of(server: ServerProcess, transport: str) -> str:
    scheme = "ws" if transport == "websocket" else "http"
    return f"{server.url.replace('http', scheme, 1)}/acp?agent=mock"
