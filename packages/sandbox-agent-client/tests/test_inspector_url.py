"""The link that opens the Inspector of a server, or why there is none."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgent, errors

URL = "http://box.example:2468"


def answering(**said: Any) -> httpx.AsyncClient:
    health = {"status": "ok", "version": "0.1.0", **said}
    return httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _request: httpx.Response(200, json=health))
    )


@pytest.mark.parametrize("said", [{"inspector": True}, {}], ids=["has-one", "does-not-say"])
async def test_the_link_has_the_token_where_no_browser_sends_it(said: dict[str, bool]) -> None:
    async with (
        answering(**said) as http,
        SandboxAgent.connect(URL, token="a b", http_client=http) as client,
    ):
        assert client.inspector_url == f"{URL}/ui/#token=a%20b"


async def test_a_server_without_one_has_no_link_and_it_is_said_what_to_do() -> None:
    async with (
        answering(inspector=False) as http,
        SandboxAgent.connect(URL, token="s3cret", http_client=http) as client,
    ):
        with pytest.raises(errors.NotFound) as caught:
            _ = client.inspector_url
    assert "sandbox-agent-server[inspector]" in caught.value.message
    assert "sandbox-agent ui" in caught.value.message
    assert f"--server {URL}" in caught.value.message
    assert "s3cret" not in caught.value.message
