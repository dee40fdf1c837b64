"""What comes from the client: prompts, session parameters, and the command line made of them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.agent_options import ClaudeOptions
from sandbox_agent_core.errors import WorkspaceNotTrusted
from sandbox_agent_server.agents.claude import DEFINITION
from sandbox_agent_server.agents.claude.content import prompt_content
from sandbox_agent_server.agents.claude.launch import (
    check_workspace,
    command_line,
    environment,
    find,
    mcp_config,
    mcp_config_file,
    version_at,
)
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.session_params import SessionParams, read_mcp_servers

ID = "11111111-1111-4111-8111-111111111111"


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (text("hi"), [text("hi")]),
        (
            {"type": "image", "mimeType": "image/png", "data": "AA"},
            [
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AA"},
                }
            ],
        ),
        (
            {"type": "image", "uri": "https://x.test/a.png"},
            [{"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}],
        ),
        (
            {"type": "resource_link", "uri": "file:///a%20b.txt", "name": "a b"},
            [text('@"/a b.txt"')],
        ),
        ({"type": "resource_link", "uri": "file:///a.txt"}, [text("@/a.txt")]),
        (
            {"type": "resource_link", "uri": "https://x.test", "name": "X"},
            [text("[X](https://x.test)")],
        ),
        (
            {"type": "resource", "resource": {"uri": "file:///a", "text": "body"}},
            [text('<context uri="file:///a">\nbody\n</context>')],
        ),
    ],
)
def test_a_block_of_a_prompt(block: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    assert prompt_content([block]) == expected


def test_embedded_files_come_after_the_text() -> None:
    resource = {"type": "resource", "resource": {"uri": "file:///a", "text": "body"}}
    assert prompt_content([resource, text("/compact")])[0] == text("/compact")


@pytest.mark.parametrize(
    "prompt",
    [
        None,
        [],
        "hi",
        [7],
        [{"type": "audio", "data": "AA"}],
        [{"type": "image", "mimeType": "image/tiff", "data": "AA"}],
        [{"type": "image"}],
        [{"type": "resource", "resource": {"uri": "x", "blob": "AA", "mimeType": "video/mp4"}}],
    ],
)
def test_a_prompt_that_claude_cannot_take(prompt: Any) -> None:
    with pytest.raises(InvalidParams):
        prompt_content(prompt)


def test_mcp_servers_of_all_kinds() -> None:
    servers = [
        {"name": "a", "command": "run", "args": ["-x"], "env": [{"name": "K", "value": "V"}]},
        {
            "type": "http",
            "name": "b",
            "url": "https://b.test",
            "headers": [{"name": "H", "value": "1"}],
        },
        {"type": "sse", "name": "c", "url": "https://c.test", "headers": {"H": "2"}},
    ]
    assert {each.name: mcp_config(each) for each in read_mcp_servers(servers)} == {
        "a": {"type": "stdio", "command": "run", "args": ["-x"], "env": {"K": "V"}},
        "b": {"type": "http", "url": "https://b.test", "headers": {"H": "1"}},
        "c": {"type": "sse", "url": "https://c.test", "headers": {"H": "2"}},
    }


@pytest.mark.parametrize(
    "params",
    [
        {"sessionId": "--dangerously-skip-permissions"},
        {"sessionId": "my chat"},
        {"sessionId": None},
        {"sessionId": ID, "cwd": "relative"},
        {"sessionId": ID, "mcpServers": {"a": 1}},
        {"sessionId": ID, "mcpServers": [{"name": "a", "type": "acp"}]},
        {"sessionId": ID, "additionalDirectories": ["--model"]},
    ],
)
def test_parameters_that_must_not_reach_the_command_line(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        SessionParams.read(params, is_resumed=True, cwd=Path("/repo"))


def read(**params: Any) -> SessionParams:
    return SessionParams.read(params, is_resumed=False, cwd=Path("/repo"))


def test_the_command_line_of_a_new_session() -> None:
    params = read(_meta={"model": "--opus"}, additionalDirectories=["/more"])
    argv = command_line(
        ["claude"],
        params,
        session_id=ID,
        mcp_config=Path("/m.json"),
        can_bypass=True,
        extra=["-x"],
    )
    assert argv[-11:] == [
        "--session-id",
        ID,
        "--model=--opus",
        "--allow-dangerously-skip-permissions",
        "--mcp-config=/m.json",
        "--setting-sources=user",
        "--add-dir",
        "/more",
        "--add-dir",
        "/repo",
        "-x",
    ]


def test_the_command_line_of_a_resumed_session() -> None:
    params = SessionParams.read({"sessionId": ID}, is_resumed=True, cwd=Path("/repo"))
    argv = command_line(["claude"], params, session_id=ID, mcp_config=None, can_bypass=False)
    assert argv[argv.index("--resume") + 1] == ID


def test_options_of_the_session_are_one_word_each() -> None:
    argv = command_line(
        ["claude"],
        read(),
        session_id=ID,
        mcp_config=None,
        can_bypass=False,
        options=ClaudeOptions(max_turns=3, fallback_model="--x"),
    )
    assert argv[-2:] == ["--max-turns=3", "--fallback-model=--x"]


def test_settings_of_a_trusted_workspace_are_read_and_may_not_settle_what_is_asked_for(
    tmp_path: Path,
) -> None:
    def rules_in(workspace: Path) -> dict[str, Any]:
        servers = [{"name": "stamper", "command": "x"}]
        params = SessionParams.read({"mcpServers": servers}, is_resumed=False, cwd=workspace)
        argv = command_line(
            ["claude"],
            params,
            session_id=ID,
            mcp_config=None,
            can_bypass=False,
            trust_workspace=True,
        )
        assert "--setting-sources" not in argv
        assert argv[-2:] == ["--permission-mode", "default"]
        settings: dict[str, Any] = json.loads(argv[argv.index("--settings") + 1])
        rules: dict[str, Any] = settings["permissions"]
        return rules

    workspace = tmp_path / "inner"
    workspace.mkdir()
    (tmp_path / ".git").mkdir()
    assert rules_in(workspace) == {"defaultMode": "default"}
    (tmp_path / ".claude").mkdir()
    assert {"Bash", "Edit", "Write", "mcp__stamper"} <= set(rules_in(workspace)["ask"])


def test_a_hook_that_would_answer_instead_of_a_person_is_refused_also_in_a_trusted_workspace(
    tmp_path: Path,
) -> None:
    settings = tmp_path / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"hooks": {"SessionStart": []}}', encoding="utf-8")
    check_workspace(tmp_path, home=None)
    settings.write_text('{"hooks": {"PermissionRe\\u0071uest": []}}', encoding="utf-8")
    with pytest.raises(WorkspaceNotTrusted) as refusal:
        check_workspace(tmp_path, home=None)
    assert refusal.value.details["files"] == [str(settings)]


@pytest.mark.parametrize("value", ["be brief", {"append": "be brief"}])
def test_a_system_prompt_is_not_on_the_command_line(value: Any) -> None:
    params = read(_meta={"systemPrompt": value})
    assert params.system_prompt == "be brief"
    argv = command_line(["claude"], params, session_id=ID, mcp_config=None, can_bypass=False)
    assert "be brief" not in argv


def test_root_is_told_that_it_is_in_a_sandbox_and_the_session_has_the_last_word() -> None:
    assert environment({"A": "1"}, uid=0)["IS_SANDBOX"] == "1"
    assert "IS_SANDBOX" not in environment({}, uid=1000)
    assert environment({"DISABLE_AUTOUPDATER": "0"}, uid=0)["DISABLE_AUTOUPDATER"] == "0"


def test_the_configuration_of_mcp_servers_is_for_nobody_else() -> None:
    config = mcp_config_file(read_mcp_servers([{"name": "a", "command": "x"}]))
    assert config is not None
    try:
        assert stat.S_IMODE(config.path.stat().st_mode) == 0o600
        assert json.loads(config.path.read_text(encoding="utf-8")) == {
            "mcpServers": {"a": {"type": "stdio", "command": "x", "args": [], "env": {}}}
        }
    finally:
        config.remove()
        config.remove()
    assert not config.path.exists()


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_claude_is_found_on_the_path_and_where_its_installer_puts_it(tmp_path: Path) -> None:
    on_path = program(tmp_path / "bin/claude")
    at_home = program(tmp_path / "home/.local/bin/claude")
    env = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home")}
    found, without_path = find(env), find(env | {"PATH": "/nowhere"})
    assert found is not None
    assert found.path == str(on_path)
    assert without_path is not None
    assert without_path.path == str(at_home)
    assert find({"PATH": "/nowhere"}) is None


def test_the_version_is_read_from_where_claude_is_installed(tmp_path: Path) -> None:
    versions = program(tmp_path / "versions/2.1.330")
    (tmp_path / "claude").symlink_to(versions)
    package = program(tmp_path / "node_modules/@anthropic-ai/claude-code/bin/claude")
    manifest = {"name": "@anthropic-ai/claude-code", "version": "2.1.9"}
    (package.parent.parent / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert version_at(str(tmp_path / "claude")) == "2.1.330"
    assert version_at(str(package)) == "2.1.9"
    assert version_at("/bin/sh") is None


def test_the_definition_lets_keys_in_and_the_editor_of_somebody_else_out() -> None:
    assert {"ANTHROPIC_*", "CLAUDE_CODE_OAUTH_*", "CLAUDE_CONFIG_DIR"} <= set(DEFINITION.env_names)
    assert "CLAUDE_CODE_*" not in DEFINITION.env_names
    assert DEFINITION.name == "claude"
