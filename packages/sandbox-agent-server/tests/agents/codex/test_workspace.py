"""What Codex is told of a workspace."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from sandbox_agent_core.errors import WorkspaceNotTrusted
from sandbox_agent_server.agents.codex.workspace import (
    check_workspace,
    has_settings,
    memory,
    trust_setting,
)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / 'a "quoted" repository.x' / "inner"
    path.mkdir(parents=True)
    git = path.parent / ".git"
    git.mkdir()
    (git / "HEAD").touch()
    return path


@pytest.mark.parametrize("is_trusted", [True, False])
def test_the_setting_names_the_workspace_and_its_repository(
    workspace: Path, is_trusted: bool
) -> None:
    level = "trusted" if is_trusted else "untrusted"
    told = tomllib.loads(trust_setting(workspace, is_trusted=is_trusted))["projects"]
    assert told[str(workspace)] == told[str(workspace.parent)] == {"trust_level": level}


def test_settings_are_found_above_the_workspace(workspace: Path) -> None:
    settings = workspace.parent / ".codex" / "config.toml"
    settings.parent.mkdir()
    settings.touch()
    assert has_settings(workspace, home=None)


def test_rules_that_allow_are_refused_also_where_it_is_trusted(workspace: Path) -> None:
    rules = workspace / ".codex" / "rules" / "default.rules"
    rules.parent.mkdir(parents=True)
    rules.write_text('prefix_rule(pattern=["rm"], decision="forbidden")', encoding="utf-8")
    check_workspace(workspace, home=None)
    rules.write_text('prefix_rule(pattern=["rm"], decision="allow")', encoding="utf-8")
    with pytest.raises(WorkspaceNotTrusted):
        check_workspace(workspace, home=None)


def test_memory_is_that_of_the_repository(workspace: Path) -> None:
    assert memory(workspace) is None
    (workspace.parent / "AGENTS.md").write_text("outer", encoding="utf-8")
    (workspace / "AGENTS.md").write_text("inner", encoding="utf-8")
    text = memory(workspace) or ""
    assert text.index("outer") < text.index("inner")


def test_the_folders_that_its_own_sandbox_makes_are_no_settings(workspace: Path) -> None:
    (workspace / ".codex").mkdir()
    assert not has_settings(workspace, home=None)
    (workspace / ".codex" / "config.toml").touch()
    assert has_settings(workspace, home=None)
