"""Text from agents is any text: it can be printed, written, stored and sent again."""

from __future__ import annotations

import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    Event,
    LocalProvider,
    MessageCompleted,
    MessageDelta,
    SandboxAgent,
    SandboxAgentSync,
    ToolCompleted,
    errors,
)
from verbatim_agent import config, says

NESTED: dict[str, Any] = {}
NESTED["itself"] = NESTED
HIGH, LOW = "\ud83e", "\udd8a"


@pytest.fixture(params=["sse", "ws"])
async def client(endpoint: Endpoint, request: pytest.FixtureRequest) -> Any:
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, transport=request.param
    ) as client:
        yield client


def deltas(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, MessageDelta))


def completed(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, MessageCompleted))


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        ([f"fox {HIGH}", f"{LOW} ok"], "fox 🦊 ok"),
        ([HIGH, LOW], "🦊"),
        ([HIGH, "", LOW], "🦊"),
        ([f"a{HIGH}", "b"], "a\ufffdb"),
        ([f"a{LOW}b"], "a\ufffdb"),
        (["cut ", HIGH], "cut \ufffd"),
        ([f"{HIGH}{HIGH}", LOW], "\ufffd🦊"),
        (["nul \0, BOM \ufeff, \x1b[31mred\r\n", "é"], "nul \0, BOM \ufeff, \x1b[31mred\r\né"),
    ],
)
async def test_a_message_of_any_pieces_is_text(
    client: SandboxAgent, tmp_path: Path, chunks: list[str], text: str
) -> None:
    session = await client.create_session("verbatim")
    script = json.dumps([says(chunk) for chunk in chunks])
    events = [event async for event in session.prompt_stream(script)]
    assert deltas(events) == text
    assert completed(events) == text
    again = [event async for event in session.events()]
    assert deltas(again) == completed(again) == text
    without = [event async for event in session.events(deltas=False)]
    assert completed(without) == text
    assert deltas(without) == ""
    result = await session.prompt(script)
    assert result.text == text
    (tmp_path / "text").write_text(result.text, encoding="utf-8")
    assert (await session.prompt(f"again: {result.text}")).text == f"again: {text}"
    shown = (await session.transcript()).model_dump_json()
    assert json.dumps(text, ensure_ascii=False)[1:-1] in shown


async def test_the_frames_have_what_the_agent_wrote(client: SandboxAgent) -> None:
    session = await client.create_session("verbatim")
    await session.prompt(json.dumps([says(f"fox {HIGH}"), says(LOW)]))
    written = []
    async with aclosing(session.frames(after=0)) as entries:
        async for entry in entries:
            if entry.method == "session/update":
                written.append(entry.payload["params"]["update"]["content"]["text"])
            if len(written) == 2:
                break
    assert written == [f"fox {HIGH}", LOW]


async def test_everything_that_an_agent_tells_can_be_encoded(client: SandboxAgent) -> None:
    half = f"x{HIGH}"
    call = {
        "sessionUpdate": "tool_call", "toolCallId": half, "title": half, "kind": "edit",
        "status": "completed", "rawInput": {half: [half]}, "rawOutput": half,
        "content": [
            {"type": "content", "content": {"type": "text", "text": half}},
            {"type": "diff", "path": half, "oldText": half, "newText": half},
        ],
        "locations": [{"path": half}],
        "_meta": {"terminal_output": {"data": half}},
    }  # fmt: skip
    updates = [
        call,
        {"sessionUpdate": "plan", "entries": [{"content": half}]},
        {"sessionUpdate": "available_commands_update", "availableCommands": [{"name": half}]},
        {"sessionUpdate": "current_mode_update", "currentModeId": half},
        {"sessionUpdate": "session_info_update", "title": half},
        {"sessionUpdate": "agent_message_chunk", "messageId": half,
         "content": {"type": "text", "text": half, "annotations": {half: half}}},
        {"sessionUpdate": "agent_thought_chunk",
         "content": {"type": "image", "data": half, "mimeType": half}},
        {"sessionUpdate": "of a new kind", half: half},
    ]  # fmt: skip
    lines = [
        json.dumps(
            {
                "jsonrpc": "2.0",
                "method": "session/update",
                "params": {"sessionId": "s", "update": it},
            }
        )
        for it in updates
    ]
    session = await client.create_session("verbatim")
    await session.prompt(json.dumps([*lines, f"no JSON: {half!r}"]))
    events = [event async for event in session.events()]
    for event in events:
        json.dumps(event.to_wire(), ensure_ascii=False).encode()
        event.model_dump_json()
    (tool,) = [event for event in events if isinstance(event, ToolCompleted)]
    assert tool.title == tool.output == "x\ufffd"
    assert tool.input == {"x\ufffd": ["x\ufffd"]}
    (await session.transcript()).model_dump_json()
    (await session.refresh()).model_dump_json()


async def test_a_prompt_with_halves_is_sent(client: SandboxAgent) -> None:
    session = await client.create_session(
        "verbatim", metadata={f"k{HIGH}": [HIGH + LOW]}, system_prompt=f"be {HIGH}"
    )
    assert session.info.metadata == {"k\ufffd": ["🦊"]}
    assert (await session.prompt(f"{HIGH}{LOW} and {HIGH}")).text == "🦊 and \ufffd"
    blocks = [{"type": "text", "text": f"cut {HIGH}"}]
    assert (await session.prompt(blocks)).text == "cut \ufffd"
    # As Python reads an argument or a file name that is not UTF-8.
    assert (await session.prompt("latin \udce9")).text == "latin \ufffd"


@pytest.mark.parametrize(
    "options",
    [
        {"cwd": "/tmp/\udce9"},
        {"env": {"NAME": "\udce9"}},
        {"mcp_servers": [{"name": "a", "command": "/\udce9", "args": [], "env": []}]},
        {"metadata": {"a": object()}},
        {"metadata": {"a": b"\xff"}},
        {"metadata": NESTED},
    ],
)
async def test_what_cannot_be_sent_is_refused(
    client: SandboxAgent, options: dict[str, Any]
) -> None:
    with pytest.raises(errors.InvalidRequest):
        await client.create_session("verbatim", **options)


@pytest.mark.parametrize("id", ["ses_\udce9", "", ".", ".."])
async def test_what_is_no_id_is_refused(client: SandboxAgent, id: str) -> None:
    for call in (client.get_session, client.resume_session, client.get_agent):
        with pytest.raises(errors.InvalidRequest):
            await call(id)


async def test_a_stored_session_goes_on_in_a_new_sandbox(tmp_path: Path) -> None:
    store = tmp_path / "sessions.db"
    provider = LocalProvider(config=config(tmp_path))
    async with SandboxAgent.start(provider, persistence=store) as client:
        session = await client.create_session("verbatim")
        await session.prompt(json.dumps([says(f"fox {HIGH}"), says(f"{LOW}, cut {HIGH}")]))
    async with SandboxAgent.start(provider, persistence=store) as client:
        again = await client.resume_session(session.id)
        assert (await again.prompt("go on")).text == "go on"


def test_the_synchronous_client_does_the_same(endpoint: Endpoint) -> None:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        session = client.create_session("verbatim")
        result = session.prompt(json.dumps([says(f"fox {HIGH}"), says(f"{LOW} {HIGH}")]))
        assert result.text == "fox 🦊 \ufffd"
        assert session.prompt(f"again {HIGH}").text == "again \ufffd"
