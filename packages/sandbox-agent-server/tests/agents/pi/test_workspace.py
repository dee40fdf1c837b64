"""What is found of Pi's in a workspace."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox_agent_server.agents.pi.workspace import programs


def test_extensions_are_found_in_every_folder_above_but_the_home(tmp_path: Path) -> None:
    workspace = tmp_path / "inner"
    file = tmp_path / ".pi" / "extensions" / "deep" / "index.ts"
    file.parent.mkdir(parents=True)
    file.touch()
    workspace.mkdir()
    assert programs(workspace, home=None) == [file]
    assert programs(workspace, home=str(tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ('{"extensions": ["./x.js"]}', True),
        ('{"pac\\u006bages": ["./x"]}', True),
        ('{"shellCommandPrefix": "evil;"}', True),
        ('{"theme": "dark"}', False),
    ],
)
def test_settings_that_name_programs_are_found(tmp_path: Path, text: str, is_found: bool) -> None:
    path = tmp_path / ".pi" / "settings.json"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    assert programs(tmp_path, home=None) == ([path] if is_found else [])
