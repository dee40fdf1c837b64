"""Where what must not be on a command line is kept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sandbox_agent_server.agents import private_file
from sandbox_agent_server.agents.private_file import PrivateFile


def test_it_is_in_memory_where_that_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "memory"
    monkeypatch.setattr(private_file, "_MEMORY", str(memory))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert PrivateFile("", name="a", suffix="").path.parent == tmp_path
    memory.mkdir()
    assert PrivateFile("", name="a", suffix="").path.parent == memory


def test_it_is_for_nobody_else_and_removed_once_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_file, "_MEMORY", str(tmp_path))
    file = PrivateFile("text", name="prompt", suffix=".md")

    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.path.read_text(encoding="utf-8") == "text"
    file.remove()
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_an_agent_made_beside_it_goes_with_it() -> None:
    file = private_file.PrivateFile("secret", name="test", suffix=".json")
    copy = file.path.with_name(f"{file.path.name}.orig")
    copy.write_text("secret", encoding="utf-8")
    file.remove()
    assert not copy.exists()
    assert not file.path.exists()
