"""The official Python SDK as a client of `/acp`, over both of its transports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from acp import RequestError, connect_to_agent, text_block
from acp.client.connection import ClientSideConnection
from acp.http import create_http_stream
from acp.interfaces import Client
from acp.schema import AllowedOutcome, RequestPermissionResponse
from acp.ws import create_websocket_stream
from support.acp_wire import WORKSPACE
from support.server import DEADLINE_S, ServerProcess

TRANSPORTS = ("websocket", "http")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.stop()
    assert "Traceback" not in process.log(), process.log()[-6000:]


class Editor(Client):
    """Allows what it is asked, and remembers what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.asked = 0
        self.told = asyncio.Event()

    async def request_permission(
        self, session_id: str, tool_call: Any, options: Any, **kwargs: Any
    ) -> RequestPermissionResponse:
        self.asked += 1
        outcome = AllowedOutcome(outcome="selected", option_id=options[0].option_id)
        return RequestPermissionResponse(outcome=outcome)

    async def session_update(self, session_id: str, update: Any, **kwargs: Any) -> None:
        content = getattr(update, "content", None)
        self.said.append((update.session_update, getattr(content, "text", "")))
        if update.session_update == "agent_message_chunk":
            self.told.set()

    def text(self, kind: str = "agent_message_chunk") -> str:
        return "".join(text for said, text in self.said if said == kind)


@asynccontextmanager
async def connected(
    server: ServerProcess, transport: str
) -> AsyncIterator[tuple[Editor, ClientSideConnection]]:
    url = f"{server.url}/acp?agent=mock"
    stream: Any
    if transport == "http":
        stream = create_http_stream(url, headers=server.headers)
    else:
        stream = await create_websocket_stream(url.replace("http", "ws", 1), headers=server.headers)
    editor = Editor()
    connection = connect_to_agent(editor, stream)
    try:
        async with asyncio.timeout(DEADLINE_S):
            hello = await connection.initialize(protocol_version=1)
            assert hello.agent_capabilities is not None
            assert hello.agent_capabilities.load_session
            yield editor, connection
    finally:
        await connection.close()
        await stream.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_every_step_of_a_session(server: ServerProcess, transport: str) -> None:
    async with connected(server, transport) as (editor, connection):
        session = await connection.new_session(cwd=WORKSPACE, mcp_servers=[])
        id = session.session_id
        assert session.modes is not None

        done = await connection.prompt(session_id=id, prompt=[text_block("Grüße 🎉 hello")])
        assert done.stop_reason == "end_turn"
        assert editor.text() == "You said: Grüße 🎉 hello"

        done = await connection.prompt(session_id=id, prompt=[text_block("permission")])
        assert (done.stop_reason, editor.asked) == ("end_turn", 1)

        editor.told.clear()
        slow = asyncio.create_task(connection.prompt(session_id=id, prompt=[text_block("slow 30")]))
        await editor.told.wait()
        await connection.cancel(session_id=id)
        assert (await slow).stop_reason == "cancelled"

        await connection.set_session_mode(session_id=id, mode_id="plan")
        listed = await connection.list_sessions()
        assert id in [one.session_id for one in listed.sessions]
        for name in ("vendor/thing", "other"):
            with pytest.raises(RequestError) as refused:
                await connection.ext_method(name, {})
            assert refused.value.code == -32601
        with pytest.raises(RequestError) as refused:
            await connection.load_session(session_id="nope", cwd=WORKSPACE, mcp_servers=[])
        assert refused.value.code == -32002

        with pytest.raises(RequestError) as refused:
            await connection.prompt(session_id=id, prompt=[text_block("crash")])
        assert refused.value.code == -32603
        done = await connection.prompt(session_id=id, prompt=[text_block("hello")])
        assert done.stop_reason == "end_turn"
        await connection.close_session(session_id=id)

    async with connected(server, transport) as (editor, connection):
        await connection.load_session(session_id=id, cwd=WORKSPACE, mcp_servers=[])
        done = await connection.prompt(session_id=id, prompt=[text_block("more")])
        assert done.stop_reason == "end_turn"
        assert editor.text("user_message_chunk").startswith("Grüße 🎉 hellopermission")
        assert editor.text().endswith("You said: more")

    async with connected(server, transport) as (editor, connection):
        await connection.resume_session(session_id=id, cwd=WORKSPACE, mcp_servers=[])
        done = await connection.prompt(session_id=id, prompt=[text_block("resumed")])
        assert done.stop_reason == "end_turn"
        assert editor.text() == "You said: resumed"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_turn_goes_on_when_its_client_is_gone(
    server: ServerProcess, transport: str
) -> None:
    async with connected(server, transport) as (editor, connection):
        session = await connection.new_session(cwd=WORKSPACE, mcp_servers=[])
        prompt = connection.prompt(
            session_id=session.session_id, prompt=[text_block("stream 200 10")]
        )
        running = asyncio.create_task(prompt)
        await editor.told.wait()
        running.cancel()
    async with connected(server, transport) as (editor, connection):
        await connection.load_session(session_id=session.session_id, cwd=WORKSPACE, mcp_servers=[])
        await connection.prompt(session_id=session.session_id, prompt=[text_block("hello")])
    assert len([kind for kind, _ in editor.said if kind == "agent_message_chunk"]) >= 200
