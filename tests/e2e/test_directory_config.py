"""`/v1/config/*` over the wire, and what sessions in a configured directory get."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_client import McpLocalConfig, McpRemoteConfig, SandboxAgentSync, SkillSource
from sandbox_agent_client.cli.main import app
from sandbox_agent_client.errors import ConfigNotFound, InvalidRequest
from support.server import ServerProcess
from typer.testing import CliRunner

LOCAL = {"type": "local", "command": "npx", "args": ["-y", "x"], "env": {"A": "1"}}
SKILLS = {
    "sources": [{"type": "github", "source": "a/b", "ref": "main", "subpath": "x", "skills": ["k"]}]
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("server")
    script = directory / "given.py"
    script.write_text(AGENT, encoding="utf-8")
    config = f"[agents.given]\ncommand = {json.dumps([sys.executable, str(script)])}\n"
    process = ServerProcess(directory, config=config).start()
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
    [
        ("mcp", "mcpName", LOCAL, "servers"),
        ("skills", "skillName", SKILLS, "skills"),
        ("skills", "skillName", {"sources": []}, "skills"),
    ],
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


AGENT = """
import json, sys

def send(**frame):
    print(json.dumps({"jsonrpc": "2.0", **frame}), flush=True)

for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            send(id=frame["id"], result={"protocolVersion": 1})
        case "session/new":
            opened = frame["params"]
            send(id=frame["id"], result={"sessionId": "given"})
        case "session/prompt":
            said = json.dumps({"servers": opened["mcpServers"], "prompt": frame["params"]["prompt"]})
            update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": said}}
            send(method="session/update", params={"sessionId": "given", "update": update})
            send(id=frame["id"], result={"stopReason": "end_turn"})
"""


@pytest.fixture
def client(server: ServerProcess) -> Iterator[SandboxAgentSync]:
    with SandboxAgentSync.connect(server.url, token=server.token) as client:
        yield client


def given_to(client: SandboxAgentSync, cwd: Path, **options: Any) -> tuple[Any, dict[str, Any]]:
    """What a session in that directory was given, as its info and its agent tell it."""
    session = client.create_session("given", cwd=cwd, **options)
    said = json.loads(session.prompt("what").text)
    info = session.refresh()
    client.delete_session(session.id)
    return info, said


def test_sessions_get_the_servers_of_their_directory_and_of_its_repository(
    server: ServerProcess, client: SandboxAgentSync, tmp_path: Path
) -> None:
    inner = tmp_path / "repository" / "inner"
    inner.mkdir(parents=True)
    (inner.parent / ".git").mkdir()
    (inner.parent / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    for directory, name, entry in (
        (tmp_path, "outside", LOCAL),
        (inner.parent, "both", LOCAL),
        (inner.parent, "above", LOCAL),
        (inner.parent, "off", {**LOCAL, "enabled": False}),
        (inner.parent, "asked", LOCAL),
        (
            inner,
            "both",
            {"type": "stdio", "command": "inner", "cwd": "sub", "env": {"KEY": "${A_KEY}"}},
        ),
        (
            inner,
            "remote",
            {
                "type": "remote",
                "url": "https://x.test/mcp",
                "bearerTokenEnvVar": "A_KEY",
                "envHeaders": {"x-k": "B_KEY"},
            },
        ),
        (
            inner,
            "unset",
            {"type": "sse", "url": "https://x.test", "bearerTokenEnvVar": "NOBODY_SETS_THIS"},
        ),
    ):
        assert (
            ask(server, "PUT", "mcp", entry, directory=str(directory), mcpName=name).status_code
            == 204
        )
    own = {"name": "asked", "command": "mine", "args": [], "env": []}
    env = {"A_KEY": "sk-secret-a", "B_KEY": "sk-secret-b"}
    info, said = given_to(client, inner, mcp_servers=[own], env=env)
    servers = {one["name"]: one for one in said["servers"]}
    assert sorted(servers) == ["above", "asked", "both", "remote"] == sorted(info.mcp_servers)
    assert servers["asked"] == own
    assert servers["both"]["args"][-2:] == [str(inner / "sub"), "inner"]
    # Masked on their way back: the agent repeats what it was given.
    assert "sk-secret" not in json.dumps(said)
    assert [one["name"] for one in servers["remote"]["headers"]] == ["x-k", "Authorization"]
    assert len(info.warnings) == 1
    assert "NOBODY_SETS_THIS" in info.warnings[0]


def test_what_did_not_come_through_the_server_counts_only_where_the_workspace_is_trusted(
    client: SandboxAgentSync, tmp_path: Path
) -> None:
    folder = tmp_path / ".sandbox-agent" / "config"
    folder.mkdir(parents=True)
    (folder / "mcp.json").write_text(json.dumps({"planted": LOCAL}))
    info, said = given_to(client, tmp_path, trust_workspace=False)
    assert said["servers"] == []
    assert "'planted'" in info.warnings[0]
    info, said = given_to(client, tmp_path, trust_workspace=True)
    assert (info.mcp_servers, info.warnings) == (["planted"], [])
    assert said["servers"][0]["env"][0]["name"] == "A"


def test_an_agent_without_skills_is_told_of_them(
    server: ServerProcess, client: SandboxAgentSync, tmp_path: Path
) -> None:
    folder = tmp_path / "skills" / "greeting"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(
        "---\nname: greeting\ndescription: How to greet.\nallowed-tools: Bash\n---\nSay ahoy.\n"
    )
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "run.sh").write_text("true")
    entry = {
        "sources": [{"type": "local", "source": "skills"}, {"type": "local", "source": "none"}]
    }
    assert (
        ask(server, "PUT", "skills", entry, directory=str(tmp_path), skillName="mine").status_code
        == 204
    )
    session = client.create_session("given", cwd=tmp_path)
    told = json.loads(session.prompt("what").text)["prompt"][0]["text"]
    info = session.refresh()
    assert info.skills == ["greeting"]
    assert "'none'" in info.warnings[0]
    assert "- greeting: How to greet. (read " in told
    file = Path(told.split("(read ")[1].split(")")[0])
    assert (
        file.read_text() == '---\nname: "greeting"\ndescription: "How to greet."\n---\nSay ahoy.\n'
    )
    assert sorted(one.name for one in file.parent.iterdir()) == ["SKILL.md", "run.sh"]
    client.delete_session(session.id)
    assert not file.exists()


def test_the_client_and_its_commands_speak_of_the_same(
    server: ServerProcess, client: SandboxAgentSync, tmp_path: Path
) -> None:
    def cli(*arguments: str) -> str:
        env = {"SANDBOX_AGENT_TOKEN": str(server.token), "COLUMNS": "120"}
        where = ("--url", server.url, "-C", str(tmp_path))
        done = CliRunner().invoke(app, [*arguments[:2], *where, *arguments[2:]], env=env)
        assert done.exit_code == 0, done.output
        return done.output

    cli(
        "mcp",
        "add",
        "files",
        "--env",
        "KEY",
        "--env",
        "PLAIN=text",
        "--timeout",
        "30s",
        "--",
        "npx",
        "-y",
        "some-server",
    )
    files = client.config.mcp.get(tmp_path, "files")
    assert files == McpLocalConfig(
        command="npx",
        args=["-y", "some-server"],
        env={"KEY": "${KEY}", "PLAIN": "text"},
        timeout_ms=30000,
    )
    cli(
        "mcp",
        "add",
        "tracker",
        "https://x.test/mcp",
        "--bearer-env",
        "T",
        "--transport",
        "sse",
        "--header",
        "a=sk-1",
    )
    assert client.config.mcp.list(tmp_path) == {
        "files": files,
        "tracker": McpRemoteConfig(
            url="https://x.test/mcp",
            transport="sse",
            headers={"a": "sk-1"},
            bearer_token_env_var="T",
        ),
    }
    shown = cli("mcp", "list")
    assert "npx -y some-server" in shown
    assert "https://x.test/mcp" in shown
    as_json = [json.loads(line) for line in cli("mcp", "list", "--json").splitlines()]
    assert as_json[0]["env"] == {"KEY": "${KEY}", "PLAIN": "***"}
    assert "sk-1" not in json.dumps(as_json)
    cli("mcp", "remove", "tracker")
    assert list(client.config.mcp.list(tmp_path)) == ["files"]
    client.config.mcp.set(tmp_path, "as", {"url": "https://x.test"})
    client.config.mcp.delete(tmp_path, "as")
    with pytest.raises(ConfigNotFound):
        client.config.mcp.get(tmp_path, "as")
    with pytest.raises(InvalidRequest, match="http"):
        client.config.mcp.set(tmp_path, "as", {"url": "ftp://x.test"})

    cli("skills", "add", "acme/tools/python@v2", "--skill", "lint")
    assert client.config.skills.get(tmp_path, "python").sources == [
        SkillSource(type="github", source="acme/tools/python@v2", skills=["lint"])
    ]
    client.config.skills.set(
        tmp_path, "more", ["./here", "git@x.test:a/b.git", "https://x.test/a.git"]
    )
    assert [one.type for one in client.config.skills.list(tmp_path)["more"].sources] == [
        "local",
        "git",
        "git",
    ]
    assert "acme/tools/python@v2" in cli("skills", "list")
    cli("skills", "remove", "python")
    assert list(client.config.skills.list(tmp_path)) == ["more"]
