"""The MCP server of a session's tools, as the official client of the protocol speaks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from mcp import ClientSession, MCPError
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from sandbox_agent_core.api.host_tools import HostTool
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META
from sandbox_agent_server.http.tool_door import LoopbackDoor
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.sessions.host_tools.mcp import PROTOCOL_VERSIONS, McpTools

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = [
    HostTool(name="echo", description="Says it again.", input_schema=SCHEMA, read_only=True),
    HostTool(name="slow"),
]


@pytest.fixture
async def door() -> AsyncIterator[LoopbackDoor]:
    door = LoopbackDoor(Limits.model_validate({}))
    yield door
    await door.close()


async def call(tool: HostTool, given: dict[str, Any], _id: object) -> dict[str, Any]:
    if tool.name == "slow":
        await asyncio.sleep(0.5)  # longer than an answer at once
    return {"content": [{"type": "text", "text": str(given.get("text"))}]}


def tools() -> McpTools:
    return McpTools(lambda: TOOLS, call, cancel=lambda _id: None, version="1")


async def test_the_official_client_lists_and_calls(door: LoopbackDoor) -> None:
    server = await door.server("ses_1", tools().answer, timeout_s=60)
    assert server["_meta"] == {CAPABILITIES_META: {"timeoutMs": 90000}}
    headers = {pair["name"]: pair["value"] for pair in server["headers"]}
    async with (
        create_mcp_http_client(headers=headers) as http,
        streamable_http_client(server["url"], http_client=http) as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        hello = await session.initialize()
        assert hello.server_info.name == "sandbox-agent"
        listed = (await session.list_tools()).tools
        assert [tool.name for tool in listed] == ["echo", "slow"]
        assert listed[0].input_schema == SCHEMA
        assert listed[0].annotations is not None
        assert listed[0].annotations.read_only_hint
        at_once, later = await asyncio.gather(
            session.call_tool("echo", {"text": "a"}), session.call_tool("slow", {"text": "b"})
        )
        assert [each.content[0].model_dump()["text"] for each in (at_once, later)] == ["a", "b"]
        await session.send_ping()
        with pytest.raises(MCPError, match="there is no tool"):
            await session.call_tool("none", {})


async def test_nobody_gets_in_without_the_secret_of_the_session(door: LoopbackDoor) -> None:
    first = await door.server("ses_1", tools().answer, timeout_s=60)
    other = await door.server("ses_2", tools().answer, timeout_s=60)
    secret, others = (one["headers"][0]["value"] for one in (first, other))
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    async with httpx.AsyncClient() as client:

        async def status(url: str, body: Any = ping, **headers: str) -> int:
            return (await client.post(url, json=body, headers=headers)).status_code

        assert await status(first["url"], authorization=secret) == 200
        assert await status(first["url"]) == 401
        assert await status(first["url"], authorization=others) == 401
        assert await status(first["url"] + "x", authorization=secret) == 401
        assert await status(first["url"], authorization=secret, origin="http://localhost") == 401
        assert (
            await status(
                first["url"],
                {"jsonrpc": "2.0", "method": "notifications/initialized"},
                authorization=secret,
            )
            == 202
        )
        assert (
            await client.get(first["url"], headers={"authorization": secret})
        ).status_code == 405
        refused = await client.post(
            first["url"],
            content=b"{",
            headers={"authorization": secret, "content-type": "application/json"},
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32700)
        again = await door.server("ses_1", tools().answer, timeout_s=60)
        assert await status(first["url"], authorization=secret) == 401
        door.shut("ses_1")
        assert await status(again["url"], authorization=again["headers"][0]["value"]) == 401


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ([], -32600),
        ({"id": 1, "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": True, "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "resources/list"}, -32601),
        (
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "echo", "arguments": [1]},
            },
            -32602,
        ),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": None}, -32602),
    ],
)
async def test_what_makes_no_sense_is_an_error(message: Any, code: int) -> None:
    answer = await tools().answer(message)
    assert answer is not None
    assert answer["error"]["code"] == code


async def test_versions_are_agreed_on_and_arguments_may_be_text() -> None:
    for asked, given in (
        ("2025-03-26", "2025-03-26"),
        ("1999-01-01", PROTOCOL_VERSIONS[0]),
        (None, PROTOCOL_VERSIONS[0]),
    ):
        hello = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {"protocolVersion": asked},
        }
        answer = await tools().answer(hello)
        assert answer is not None
        assert answer["result"]["protocolVersion"] == given
    params = {"name": "echo", "arguments": '{"text": "a"}'}
    answer = await tools().answer(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    )
    assert answer is not None
    assert answer["result"]["content"][0]["text"] == "a"
