"""Sessions whose agent tells what a test wants to see."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_core.inspector import find_inspector
from support.optional import skip_without
from support.server import ServerProcess

_SUPPORT = Path(__file__).parent / "support"
sys.path.insert(0, str(_SUPPORT))

Told = Callable[..., str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """With an agent `telling`."""
    if find_inspector() is None:
        skip_without("the Inspector is not built: make inspector")
    program = json.dumps([sys.executable, str(_SUPPORT / "telling_agent.py")])
    config = f"[agents.telling]\ncommand = {program}\n"
    server = ServerProcess(tmp_path_factory.mktemp("tools"), config=config).start()
    yield server
    server.stop()


@pytest.fixture
def told(server: ServerProcess, tmp_path: Path) -> Told:
    """`told(update, …)`: the address of a session whose agent has told these; its turn is over."""

    def tell(*updates: dict[str, Any]) -> str:
        script = tmp_path / f"updates-{len(list(tmp_path.iterdir()))}.json"
        script.write_text(json.dumps(updates), encoding="utf-8")
        with httpx.Client(base_url=server.url, headers=server.headers, timeout=30) as client:
            body = {"agent": "telling", "cwd": str(tmp_path)}
            session = client.post("/v1/sessions", json=body).raise_for_status().json()["id"]
            prompt = {"text": str(script)}
            path = f"/v1/sessions/{session}/prompt"
            client.post(path, params={"wait": True}, json=prompt).raise_for_status()
        return f"/s/{session}"

    return tell
