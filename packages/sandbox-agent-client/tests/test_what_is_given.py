"""What sessions and prompts are given, in the forms in which people have it: paths, files, servers by name."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import (
    Audio,
    Endpoint,
    File,
    Image,
    InvalidRequest,
    Link,
    McpHttp,
    McpStdio,
    SandboxAgent,
    Text,
)
from sandbox_agent_client.mcp import acp_servers

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


async def test_in_a_local_sandbox_paths_are_those_of_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repo").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    async with SandboxAgent.start("local") as client:
        for cwd in (tmp_path / "repo", "repo", "~/repo", Path("repo"), "./repo"):
            session = await client.create_session("mock", cwd=cwd)
            assert session.info.cwd == str(tmp_path / "repo")
        assert (await session.fork(cwd=".")).info.cwd == str(tmp_path)


async def test_elsewhere_a_path_has_to_be_absolute_and_the_refusal_says_why(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        session = await client.create_session("mock", cwd=tmp_path)
        assert session.info.cwd == str(tmp_path)
        for cwd in (".", "~/x", Path("x")):
            with pytest.raises(InvalidRequest, match="in the sandbox"):
                await client.create_session("mock", cwd=cwd)


def test_blocks_are_made_of_files(tmp_path: Path) -> None:
    picture, sound, code, blob = (tmp_path / name for name in ("a.dat", "a.wav", "a.py", "a.bin"))
    picture.write_bytes(PNG)
    sound.write_bytes(b"RIFF")
    code.write_text("print('ä')", encoding="utf-8")
    blob.write_bytes(b"\xff\xfe")
    data = base64.b64encode(PNG).decode()
    assert Image.from_path(picture).to_wire() == {
        "type": "image", "data": data, "mimeType": "image/png",
    }  # fmt: skip
    assert Audio.from_path(sound).mime_type.startswith("audio/")
    assert File.from_path(code).resource["text"] == "print('ä')"
    assert File.from_path(code).resource["uri"] == code.as_uri()
    assert File.from_path(blob, uri="file:///x").resource == {
        "uri": "file:///x", "mimeType": "application/octet-stream", "blob": "//4=",
    }  # fmt: skip
    assert Text("hi").to_wire() == {"type": "text", "text": "hi"}
    assert Link(uri="file:///a", name="a").to_wire()["type"] == "resource_link"
    with pytest.raises(InvalidRequest, match="mime_type"):
        Image.from_path(blob)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        Image.from_path(tmp_path / "none.png")


async def test_a_prompt_is_made_of_text_and_blocks(endpoint: Endpoint) -> None:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        session = await client.create_session("mock")
        result = await session.prompt(["hello", Text(" you"), Image.from_bytes(PNG)])
    assert result.stop_reason == "end_turn"


def test_servers_are_given_as_types_by_name_or_as_acp_has_them() -> None:
    stdio: dict[str, Any] = {
        "name": "docs", "command": "docs-mcp", "args": ["-v"], "env": [{"name": "A", "value": "b"}],
    }  # fmt: skip
    http = {"type": "http", "name": "web", "url": "https://x", "headers": []}
    typed = [
        McpStdio(name="docs", command="docs-mcp", args=["-v"], env={"A": "b"}),
        McpHttp(name="web", url="https://x"),
    ]
    by_name = {
        "docs": {"type": "stdio", "command": "docs-mcp", "args": ["-v"], "env": {"A": "b"}},
        "web": {"url": "https://x", "headers": {}},
    }
    assert acp_servers(typed) == [stdio, http]
    assert acp_servers(by_name) == acp_servers({"mcpServers": by_name}) == [stdio, http]
    assert acp_servers([stdio, http]) == [stdio, http]
    assert "A" not in repr(typed[0]).replace("McpStdio", "")
    assert acp_servers("docs") == "docs"


async def test_servers_by_name_reach_the_session(endpoint: Endpoint) -> None:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        await client.create_session(
            "mock", mcp_servers=[McpHttp(name="web", url="http://127.0.0.1:9")]
        )
        with pytest.raises(InvalidRequest, match="url"):
            await client.create_session("mock", mcp_servers={"web": {"url": "no url"}})


async def test_an_event_is_one_json_whichever_way_it_is_written(endpoint: Endpoint) -> None:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        session = await client.create_session("mock")
        await session.prompt("tool")
        events = [event async for event in session.events()]
    for event in events:
        assert (
            json.loads(event.model_dump_json()) == event.to_wire() == event.model_dump(mode="json")
        )
    assert not {name for name in dir(events[0]) if name in ("always_written", "data_fields")}
