"""What a sandbox is told of this machine's npm configuration: a registry that it can reach, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox_agent_client.sandboxes.npm_registry import callers_npm_registry


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def npm_that_says(directory: Path, script: str) -> dict[str, str]:
    """An environment in which that is the npm."""
    program = directory / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": str(program.parent)}


@pytest.mark.parametrize(
    ("configured", "handed"),
    [
        ("https://npm.example.org/", "https://npm.example.org/"),
        ("http://npm.example.org:4873/all", "http://npm.example.org:4873/all"),
        ("https://ada:s3cr3t@npm.example.org/", "https://npm.example.org/"),
        ("http://10.0.0.7:4873/", "http://10.0.0.7:4873/"),
        ("http://[fd00::7]:4873/", "http://[fd00::7]:4873/"),
        ("http://localhost:4873/", None),
        ("http://127.0.0.1:4873/", None),
        ("http://[::1]:4873/", None),
        ("ftp://npm.example.org/", None),
        ("http://npm.example.org:nonsense/", None),
        ("undefined", None),
    ],
)
def test_what_only_this_machine_reaches_or_may_know_stays_here(
    configured: str, handed: str | None, home: Path
) -> None:
    (home / ".npmrc").write_text(f"registry={configured}\n//x/:_authToken=s3cr3t\n")
    assert callers_npm_registry({"PATH": "/nowhere"}) == handed
    (home / ".npmrc").unlink()
    assert callers_npm_registry({"PATH": "/nowhere", "npm_config_registry": configured}) == handed


def test_the_environment_comes_before_the_file_and_the_file_before_npm(home: Path) -> None:
    environ = npm_that_says(home, 'echo "https://npm.test/$4"')
    assert callers_npm_registry(environ) == "https://npm.test/--global"
    (home / ".npmrc").write_text("registry=${WHERE}\n")
    environ["WHERE"] = "https://file.test/"
    assert callers_npm_registry(environ) == "https://file.test/"
    environ["NPM_CONFIG_REGISTRY"] = "https://variable.test/"
    assert callers_npm_registry(environ) == "https://variable.test/"


def test_an_npm_that_fails_says_nothing(home: Path) -> None:
    assert callers_npm_registry(npm_that_says(home, "echo https://npm.test/; exit 1")) is None
    assert callers_npm_registry({"PATH": "/nowhere"}) is None
