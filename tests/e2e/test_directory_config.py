"""`/v1/config/*` over the wire, and what sessions in a configured directory get."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgentSync
from support.server import ServerProcess

LOCAL = {"type": "local", "command": "npx", "args": ["-y", "x"], "env": {"A": "1"}}
SKILLS = {
    "sources": [{"type": "github", "source": "a/b", "ref": "main", "subpath": "x", "skills": ["k"]}]
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.stop()


def ask(
    server: ServerProcess,
    method: str,
    path: str,
    body: Any = None,
    token: str | None = None,
    **query: str,
) -> httpx.Response:
    headers = {"authorization": f"Bearer {token or server.token}"}
    url = f"{server.url}/v1/config/{path}"
    return httpx.request(method, url, params=query, headers=headers, json=body, timeout=30)


@pytest.mark.parametrize(
    ("path", "parameter", "entry", "member"),
    [("mcp", "mcpName", LOCAL, "servers"), ("skills", "skillName", SKILLS, "skills")],
)
def test_entries_are_put_got_listed_and_deleted(
    server: ServerProcess,
    tmp_path: Path,
    path: str,
    parameter: str,
    entry: dict[str, Any],
    member: str,
) -> None:
    here = {"directory": str(tmp_path), parameter: "one"}
    missing = ask(server, "GET", path, **here)
    assert (missing.status_code, missing.json()["details"]) == (
        404,
        {"resource": path, "id": "one"},
    )
    assert ask(server, "PUT", path, entry, **here).status_code == 204
    assert ask(server, "GET", path, **here).json() == entry
    assert ask(server, "GET", path, directory=str(tmp_path)).json() == {member: {"one": entry}}
    for _ in range(2):
        gone = ask(server, "DELETE", path, **here)
        assert (gone.status_code, gone.content) == (204, b"")
    assert ask(server, "GET", path, directory=str(tmp_path)).json() == {member: {}}


def test_bad_input_is_refused_in_words(server: ServerProcess, tmp_path: Path) -> None:
    directory = str(tmp_path)
    for method, body, query in (
        ("GET", None, {}),
        ("GET", None, {"directory": "", "mcpName": "a"}),
        ("PUT", LOCAL, {"directory": directory}),
        ("PUT", {"type": "weird"}, {"directory": directory, "mcpName": "a"}),
        ("PUT", [], {"directory": directory, "mcpName": "a"}),
        ("DELETE", None, {"directory": directory}),
        ("PUT", LOCAL, {"directory": "", "mcpName": "a"}),
    ):
        answer = ask(server, method, "mcp", body, **query)
        assert answer.status_code == 400, answer.text
        assert answer.json()["type"].endswith(":invalid_request")
    assert list(tmp_path.iterdir()) == []


def test_configuration_takes_the_scope_of_the_host(server: ServerProcess, tmp_path: Path) -> None:
    with SandboxAgentSync.connect(server.url, token=server.token) as owner:
        given = {
            scope: owner.create_token("somebody", [scope]).token
            for scope in ("prompt", "answer", "host")
        }
    for scope, token in given.items():
        answer = ask(server, "PUT", "mcp", LOCAL, token, directory=str(tmp_path), mcpName="a")
        assert answer.status_code == (204 if scope == "host" else 403)
