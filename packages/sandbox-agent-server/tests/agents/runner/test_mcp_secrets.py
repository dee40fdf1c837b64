"""What of an MCP server may be stored and shown, and what must not be seen anywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_agent_server.agents.runner.mcp_secrets import redact_servers, secrets_of_servers

SECRET = "mcp-secret-0123"


@pytest.mark.parametrize(
    ("server", "shown"),
    [
        ({"url": f"https://mcp.example/x?api_key={SECRET}&page=2#top"}, {"url": "https://mcp.example/x?api_key=***&page=***#top"}),
        ({"url": f"https://ada:{SECRET}@mcp.example:8080/x"}, {"url": "https://***@mcp.example:8080/x"}),
        ({"url": f"https://{SECRET}@mcp.example/x"}, {"url": "https://***@mcp.example/x"}),
        ({"args": ["--api-key", SECRET, "-v"]}, {"args": ["--api-key", "***", "-v"]}),
        ({"args": [f"--token={SECRET}"]}, {"args": ["--token=***"]}),
        ({"args": ["run", "-e", f"API_TOKEN={SECRET}"]}, {"args": ["run", "-e", "API_TOKEN=***"]}),
        ({"args": ["mcp-remote", f"https://x/sse?key={SECRET}"]}, {"args": ["mcp-remote", "https://x/sse?key=***"]}),
        ({"args": ["--header", f"Authorization: Bearer {SECRET}"]}, {"args": ["--header", "Authorization: ***"]}),
        ({"args": [f"postgres://ada:{SECRET}@db/x"]}, {"args": ["postgres://***@db/x"]}),
        ({"headers": [{"name": "Authorization", "value": f"Bearer {SECRET}"}]}, {"headers": [{"name": "Authorization", "value": "***"}]}),
        ({"headers": {"Cookie": SECRET}}, {"headers": {"Cookie": "***"}}),
        ({"env": [{"name": "DATABASE_URL", "value": f"x://u:{SECRET}@db"}]}, {"env": [{"name": "DATABASE_URL", "value": "***"}]}),
        ({"env": {"PGPASSWORD": SECRET}}, {"env": {"PGPASSWORD": "***"}}),
    ],
)  # fmt: skip
def test_a_secret_is_not_shown_and_is_known(server: dict[str, Any], shown: dict[str, Any]) -> None:
    named = {"name": "a", **server}
    (redacted,) = redact_servers([named])
    assert SECRET not in json.dumps(redacted)
    if "postgres" not in str(server):
        assert redacted == {"name": "a", **shown}
    assert SECRET in set(secrets_of_servers([named]))


@pytest.mark.parametrize(
    "server",
    [
        {"name": "a", "type": "http", "url": "http://127.0.0.1:9/mcp"},
        {"name": "a", "command": "/usr/bin/tool", "args": ["-c", "", "--verbose", "serve", "/srv/space"]},
        {"name": "a", "command": "npx", "args": ["-y", "@scope/server@1.2.3", "--port=8080"]},
        {"name": "a", "args": "nonsense", "url": 7, "other": [SECRET]},
        {"name": "a", "args": [1, None, {}]},
    ],
)  # fmt: skip
def test_what_is_no_secret_is_shown_as_it_is(server: dict[str, Any]) -> None:
    assert redact_servers([server]) == [server]
