"""A session as a text: its events as they are, or a document to read; from a server and from a store."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import httpx
import pytest
from sandbox_agent_client import Endpoint, SandboxAgentSync, SessionSync
from sandbox_agent_client._calls.event_texts import read_texts
from sandbox_agent_client.cli.main import app
from sandbox_agent_client.errors import InternalError, InvalidRequest
from typer.testing import CliRunner

PROMPT = "Say # hello"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept.db"


@pytest.fixture
def session(endpoint: Endpoint, kept: Path) -> SessionSync:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token, persistence=kept) as client:
        made = client.create_session("mock")
        made.prompt(PROMPT)
        yield made


def of_the_api(endpoint: Endpoint, session_id: str) -> str:
    answer = httpx.get(
        f"{endpoint.url}/v1/sessions/{session_id}/events",
        headers={"authorization": f"Bearer {endpoint.token}"},
    )
    assert not answer.json()["hasMore"]
    return answer.text


def test_json_lines_are_the_events_byte_for_byte(endpoint: Endpoint, session: SessionSync) -> None:
    lines = session.export("jsonl").splitlines()
    assert of_the_api(endpoint, session.id).startswith(f'{{"events":[{",".join(lines)}]')
    assert [json.loads(line)["seq"] for line in lines] == [event.seq for event in session.events()]


def test_markdown_is_what_was_said(session: SessionSync) -> None:
    text = session.export()
    assert f"**You**\n\n> {PROMPT}" in text
    assert session.id in text
    with pytest.raises(InvalidRequest):
        session.export("html")  # type: ignore[arg-type]


def test_a_terminal_exports_to_a_file_or_to_its_output(
    at_server: dict[str, str], session: SessionSync, kept: Path, tmp_path: Path
) -> None:
    def export(*arguments: str) -> bytes:
        done = CliRunner().invoke(
            app, ["sessions", "export", session.id, *arguments], env=at_server
        )
        assert done.exit_code == 0, done.output
        return done.stdout_bytes

    events = session.export("jsonl").encode()
    assert export("--format", "jsonl") == events
    file = tmp_path / "session.md"
    assert export("-o", str(file)) == b""
    assert file.read_bytes() == session.export().encode() == export("--store", str(kept))
    assert export("--format", "jsonl", "--store", str(kept)) == events
    nowhere = ["sessions", "export", session.id, "-o", str(tmp_path)]
    assert CliRunner().invoke(app, nowhere, env=at_server).exit_code == 2


def test_a_session_is_a_trajectory_and_a_log_from_a_server_and_from_a_store(
    at_server: dict[str, str], session: SessionSync, kept: Path, tmp_path: Path
) -> None:
    def export(*arguments: str) -> bytes:
        done = CliRunner().invoke(
            app, ["sessions", "export", session.id, *arguments], env=at_server
        )
        assert done.exit_code == 0, done.output
        return done.stdout_bytes

    trajectory = json.loads(session.export("atif"))
    assert [step["source"] for step in trajectory["steps"]] == ["user", "agent"]
    assert trajectory["steps"][0]["message"] == PROMPT
    assert json.loads(export("--format", "atif", "--store", str(kept))) == trajectory
    log = json.loads(session.export("inspect"))
    assert log["samples"][0]["id"] == session.id
    file = tmp_path / "run.eval"
    assert export("--format", "inspect", "-o", str(file)) == b""
    with zipfile.ZipFile(file) as archive:
        assert json.loads(archive.read("header.json"))["eval"] == log["eval"]


def test_pictures_of_a_trajectory_are_beside_its_file(
    at_server: dict[str, str], endpoint: Endpoint, tmp_path: Path
) -> None:
    picture = {"type": "image", "mimeType": "image/png", "data": "iVBORw0KGgo="}
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        made = client.create_session("mock")
        made.prompt(["Look", picture])
    file = tmp_path / "run.json"
    command = ["sessions", "export", made.id, "--format", "atif", "-o", str(file)]
    assert CliRunner().invoke(app, command, env=at_server).exit_code == 0
    _, part = json.loads(file.read_bytes())["steps"][0]["message"]
    assert (tmp_path / part["source"]["path"]).read_bytes() == b"\x89PNG\r\n\x1a\n"
    assert part["source"]["path"].startswith("run.media/")


def test_a_text_is_cut_out_of_its_page_as_it_stands() -> None:
    texts = [
        '{"seq":1,"a":1.0,"b":"]}\\""}',
        '{"seq":2,"c":[{"d":1e400}],"e":"\\ud83e"}',
        '{ "seq" : 3 }',
    ]
    page = f'{{"events":[{",".join(texts)}],"nextCursor":3,"hasMore":true}}'
    found = read_texts(page.encode())
    assert (found.texts, found.next_cursor, found.has_more) == (texts, 3, True)
    empty = read_texts(b'{"events":[],"nextCursor":0,"hasMore":false}')
    assert (empty.texts, empty.has_more) == ([], False)
    for bad in (
        b"",
        b"[]",
        b'{"events":[',
        b'{"events":[{}]}',
        b'{"x":1,"events":[]}',
        b'{"events":[{}',
    ):
        with pytest.raises(InternalError):
            read_texts(bad)
