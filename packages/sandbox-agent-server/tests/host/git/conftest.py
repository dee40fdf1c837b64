"""Repositories made by the real git, and the service that looks at them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.git.service import GitService
from sandbox_agent_server.limits import Limits
from support.optional import skip_without

MakeService = Callable[..., GitService]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's own settings, and a name for commits."""
    if shutil.which("git") is None:
        skip_without("git is not installed")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ada@example.org")
    return home


@pytest.fixture
def make_service(tmp_path: Path) -> MakeService:
    def make(*, root: Path | None = None, **limits: float) -> GitService:
        return GitService(
            os.environ,
            Limits.model_validate(limits),
            paths=Paths(root),
            data_dir=tmp_path / "data",
        )

    return make


@pytest.fixture
def service(make_service: MakeService) -> GitService:
    return make_service()


class Repo:
    """A repository of the user's, worked on by their git."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *args: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *args],
            cwd=cwd or self.path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def commit(self, message: str = "work") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """With one commit of `a.txt` (three lines) and `dir/b.txt`."""
    repo = Repo(tmp_path / "repo")
    repo.write("a.txt", "one\ntwo\nthree\n")
    repo.write("dir/b.txt", "b\n" * 20)
    repo.commit("first")
    return repo


@pytest.fixture
def make_repo(tmp_path: Path) -> Callable[[str], Repo]:
    return lambda name: Repo(tmp_path / name)
