"""What is found of OpenCode's in a workspace, and what it is then told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sandbox_agent_server.agents.opencode.launch import environment
from sandbox_agent_server.agents.opencode.variant import KILO, OPENCODE
from sandbox_agent_server.agents.opencode.workspace import has_settings, memory_files, programs


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "repository" / "inner"
    path.mkdir(parents=True)
    git = path.parent / ".git"
    git.mkdir()
    (git / "HEAD").touch()
    return path


@pytest.mark.parametrize("name", ["plugin", "plugins", "tool", "tools"])
def test_programs_are_found_in_every_folder_above(workspace: Path, name: str) -> None:
    file = workspace.parent / ".opencode" / name / "deep" / "x.ts"
    file.parent.mkdir(parents=True)
    file.touch()
    assert programs(OPENCODE, workspace, home=None) == [file]
    assert programs(OPENCODE, workspace, home=str(workspace.parent)) == []
    assert has_settings(OPENCODE, workspace, home=None)


@pytest.mark.parametrize("file", ["opencode.json", ".opencode/opencode.jsonc"])
@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ('{"plugin": ["./x.js"]}', True),
        ('{"pl\\u0075gin": ["./x.js"]}', True),
        ('{"instructions": ["plugin.md"]}', False),
        ('{"permission": {}}', False),
    ],
)
def test_settings_that_name_plugins_are_programs(
    workspace: Path, file: str, text: str, is_found: bool
) -> None:
    path = workspace / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    # A value that begins like the name is taken for it: rather one too many.
    expected = [path] if is_found or '"plugin' in text else []
    assert programs(OPENCODE, workspace, home=None) == expected
    assert has_settings(OPENCODE, workspace, home=None)
    assert has_settings(KILO, workspace, home=None)


def test_memory_files_are_those_of_the_first_name_there_is(workspace: Path) -> None:
    assert memory_files(workspace) == []
    (workspace / "CLAUDE.md").touch()
    assert memory_files(workspace) == [str(workspace / "CLAUDE.md")]
    for directory in (workspace, workspace.parent):
        (directory / "AGENTS.md").touch()
    assert memory_files(workspace) == [
        str(workspace.parent / "AGENTS.md"),
        str(workspace / "AGENTS.md"),
    ]
    (workspace / "AGENTS.md").unlink()
    (workspace / "AGENTS.md").symlink_to(workspace.parent / "AGENTS.md")
    assert memory_files(workspace) == [str(workspace.parent / "AGENTS.md")]


def test_a_workspace_that_is_not_read_has_its_memory_told(workspace: Path) -> None:
    (workspace / "AGENTS.md").touch()
    own = json.dumps({"instructions": ["mine.md"]})
    env = environment(
        OPENCODE,
        {"OPENCODE_CONFIG_CONTENT": own},
        password="p",
        unread_workspace=workspace,
    )
    assert env["OPENCODE_DISABLE_PROJECT_CONFIG"] == "1"
    instructions = json.loads(env["OPENCODE_CONFIG_CONTENT"])["instructions"]
    assert instructions == ["mine.md", str(workspace / "AGENTS.md")]
    assert "OPENCODE_DISABLE_PROJECT_CONFIG" not in environment(OPENCODE, {}, password="p")
