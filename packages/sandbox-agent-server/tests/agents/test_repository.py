"""What is found around a workspace."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox_agent_core.errors import WorkspaceNotTrusted
from sandbox_agent_server.agents.repository import (
    MAX_MEMORY_FILE_BYTES,
    around,
    files_in,
    memory_of,
    refuse_answering,
    refuse_untrusted,
    repository_of,
)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "repository" / "packages" / "one"
    path.mkdir(parents=True)
    return path


def test_a_repository_goes_from_its_root_down_to_the_workspace(workspace: Path) -> None:
    root = workspace.parents[1]
    (root / ".git").write_text("gitdir: elsewhere", encoding="utf-8")  # as in a worktree
    assert repository_of(workspace) == [root, root / "packages", workspace]
    assert repository_of(root) == [root]


def test_without_a_repository_there_is_the_workspace_alone(workspace: Path) -> None:
    assert repository_of(workspace) == [workspace]


def test_everything_above_counts_but_for_the_home(workspace: Path) -> None:
    home = workspace.parents[1]
    (workspace / ".git").mkdir()
    found = around(workspace, home=str(home))
    assert found[0] == Path("/")
    assert home not in found
    assert found[-2:] == [workspace.parent, workspace]
    assert around(home, home=str(home))[-1] == home


def test_what_cannot_be_held_is_named_with_the_remedy(workspace: Path) -> None:
    hidden = workspace / ".agent" / "plugins"
    hidden.parent.mkdir()
    elsewhere = workspace / "innocent"
    elsewhere.mkdir()
    hidden.symlink_to(elsewhere)
    (elsewhere / "x.js").write_text("", encoding="utf-8")
    refuse_untrusted("Agent", files_in([workspace], [".agent/plugin/*"]))
    with pytest.raises(WorkspaceNotTrusted, match="trust_workspace=True") as refusal:
        refuse_untrusted("Agent", files_in([workspace], [".agent/plugins/*"]))
    assert refusal.value.details["files"] == [str(hidden / "x.js")]


def test_a_hook_that_answers_is_found_also_where_its_name_is_written_in_escapes(
    workspace: Path,
) -> None:
    file = workspace / "hooks.json"
    for harmless in ("{}", '{"hooks": {"sessionStart": []}}'):
        file.write_text(harmless, encoding="utf-8")
        refuse_answering([file, workspace / "missing"], ["preToolUse"])
    for answering in ('{"hooks": {"PreToolUse": []}}', '{"pre\\u0054oolUse": []}'):
        file.write_text(answering, encoding="utf-8")
        with pytest.raises(WorkspaceNotTrusted, match="preToolUse"):
            refuse_answering([file], ["preToolUse"])


def test_memory_files_become_one_text_outermost_first(workspace: Path) -> None:
    root = workspace.parents[1]
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").touch()
    (root / "NOTES.md").write_text("outer", encoding="utf-8")
    (workspace / "NOTES.md").write_text("inner", encoding="utf-8")
    text = memory_of(repository_of(workspace), ["NOTES.md"])
    assert text is not None
    assert text.index("outer") < text.index("inner")
    assert memory_of([workspace.parent], ["NOTES.md"]) is None


def test_a_memory_file_that_leads_elsewhere_or_is_too_large_is_left_out(workspace: Path) -> None:
    secret = workspace.parents[1] / "secret"
    secret.write_text("secret", encoding="utf-8")
    (workspace / "LINK.md").symlink_to(secret)
    (workspace / "LARGE.md").write_bytes(b"x" * (MAX_MEMORY_FILE_BYTES + 1))
    assert memory_of([workspace], ["LINK.md", "LARGE.md", "*.md"]) is None
    (workspace / "NEAR.md").symlink_to("REAL.txt")
    (workspace / "REAL.txt").write_text("near", encoding="utf-8")
    assert "near" in (memory_of([workspace], ["*.md"]) or "")
