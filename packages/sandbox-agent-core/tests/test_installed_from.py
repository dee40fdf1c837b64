"""Advice to install another of our packages names where this one came from."""

from __future__ import annotations

import json
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core import installed_from
from sandbox_agent_core.installed_from import pip_install


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        (None, "pip install sandbox-agent-server"),
        (
            {"url": "file:///a%20b/packages/sandbox-agent-core", "dir_info": {"editable": True}},
            "pip install sandbox-agent-server@file:///a%20b/packages/sandbox-agent-server",
        ),
        (
            {
                "url": "file:///d/sandbox_agent_core-1.2.3-py3-none-any.whl",
                "archive_info": {"hash": "sha256=00"},
            },
            "pip install sandbox-agent-server@file:///d/sandbox_agent_server-1.2.3-py3-none-any.whl",
        ),
        # A layout that is not ours to guess at.
        ({"url": "file:///elsewhere/core", "dir_info": {}}, "pip install sandbox-agent-server"),
        (
            {"url": "https://example.org/r.git", "vcs_info": {"vcs": "git"}},
            "pip install sandbox-agent-server",
        ),
    ],
)
def test_the_command_names_the_place(
    recorded: dict[str, Any] | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "METADATA").write_text("Name: sandbox-agent-core\nVersion: 1.2.3\n")
    if recorded is not None:
        (tmp_path / "direct_url.json").write_text(json.dumps(recorded))
    monkeypatch.setattr(installed_from, "distribution", lambda _name: Distribution.at(tmp_path))
    assert pip_install("sandbox-agent-server") == said
