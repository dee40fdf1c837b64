"""A repository's `.git` is written by the agent, and may name programs. None of them is ours to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import Timeout
from sandbox_agent_server.host.git.service import GitService


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A program that leaves a file when it is run."""
    script = tmp_path / "trap.sh"
    script.write_text(f'#!/bin/sh\necho "$0 $@" >> {tmp_path}/sprung\ncat\n')
    script.chmod(0o755)
    return script


def arm(repo: Any, trap: Path) -> None:
    """Everything that git would run for one who looks at a repository."""
    repo.write(".gitattributes", "*.txt filter=evil diff=evil merge=evil\n")
    repo.commit()
    for name, value in {
        "core.fsmonitor": str(trap),
        "core.hooksPath": str(trap.parent / "hooks"),
        "core.pager": str(trap),
        "core.editor": str(trap),
        "core.sshCommand": str(trap),
        "core.gitProxy": str(trap),
        "core.askPass": str(trap),
        "core.alternateRefsCommand": str(trap),
        "credential.helper": str(trap),
        "diff.external": str(trap),
        "diff.evil.command": str(trap),
        "diff.evil.textconv": str(trap),
        "filter.evil.clean": str(trap),
        "filter.evil.smudge": str(trap),
        "filter.evil.process": str(trap),
        "filter.evil.required": "true",
        "gpg.program": str(trap),
        "protocol.ext.allow": "always",
        "remote.origin.url": f"ext::{trap}",
        "remote.origin.promisor": "true",
        "extensions.partialClone": "origin",
        "remote.origin.uploadpack": str(trap),
        "uploadpack.packObjectsHook": str(trap),
    }.items():
        repo.git("config", name, value)
    hooks = trap.parent / "hooks"
    hooks.mkdir()
    for place in (hooks, repo.path / ".git/hooks"):
        place.mkdir(exist_ok=True)
        for hook in (
            "post-index-change",
            "post-checkout",
            "pre-commit",
            "fsmonitor-watchman",
            "reference-transaction",
        ):
            (place / hook).write_bytes(trap.read_bytes())
            (place / hook).chmod(0o755)


def sprung(trap: Path) -> str:
    file = trap.parent / "sprung"
    return file.read_text() if file.exists() else ""


async def test_no_program_of_a_repository_is_run(
    service: GitService, repo: Any, trap: Path
) -> None:
    arm(repo, trap)
    (trap.parent / "sprung").unlink(missing_ok=True)
    repo.write("a.txt", "changed\n")
    repo.write("new.txt", "new\n")

    found = await service.diff(str(repo.path), base="HEAD", paths=[], context=3, with_files=True)
    await service.status(str(repo.path), base="merge-base")

    assert sprung(trap) == ""
    assert {file.path for file in found.files} == {"a.txt", "new.txt"}
    assert "+changed" in found.patch


async def test_the_traps_are_real(repo: Any, trap: Path) -> None:
    arm(repo, trap)
    repo.write("a.txt", "changed\n")
    repo.git("config", "--unset", "filter.evil.process")
    repo.git("status")
    repo.git("diff")
    assert sprung(trap)


async def test_a_repository_inside_with_traps_of_its_own_is_only_read(
    service: GitService, repo: Any, make_repo: Any, trap: Path
) -> None:
    inner = make_repo("inner")
    inner.write("i.txt", "i\n")
    inner.commit()
    repo.git(
        "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "sub"
    )
    repo.commit()
    module = repo.path / ".git/modules/sub"
    repo.git("config", "--file", str(module / "config"), "core.fsmonitor", str(trap))
    repo.git("config", "--file", str(module / "config"), "filter.evil.clean", str(trap))
    (module / "info").mkdir(exist_ok=True)
    (module / "info/attributes").write_text("* filter=evil\n")
    (repo.path / "sub/i.txt").write_text("changed\n")

    await service.status(str(repo.path), base="HEAD")

    assert sprung(trap) == ""


async def test_a_configuration_cannot_point_at_other_files(
    service: GitService, repo: Any, tmp_path: Path
) -> None:
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "key.txt").write_text("secret\n")
    repo.git("config", "core.worktree", str(secret))
    (repo.path / "link").symlink_to(secret)

    found = await service.diff(str(repo.path), base="HEAD", paths=[], context=3, with_files=True)

    assert [file.path for file in found.files] == ["link"]
    assert "secret" not in found.patch.replace(str(secret), "")


async def test_changes_cannot_be_hidden_by_marks_in_the_index(
    service: GitService, repo: Any
) -> None:
    repo.git("update-index", "--assume-unchanged", "a.txt")
    repo.git("update-index", "--skip-worktree", "dir/b.txt")
    repo.write("a.txt", "hidden\n")
    repo.write("dir/b.txt", "hidden\n")

    found = await service.status(str(repo.path), base="HEAD")

    assert {file.path for file in found.files} == {"a.txt", "dir/b.txt"}


async def test_a_damaged_index_costs_time_and_no_truth(service: GitService, repo: Any) -> None:
    repo.write("a.txt", "changed\n")
    (repo.path / ".git/index").write_bytes(b"garbage")

    found = await service.status(str(repo.path), base="HEAD")

    assert {file.path: file.status for file in found.files} == {"a.txt": "modified"}


async def test_a_repository_that_makes_git_wait_is_given_up(make_service: Any, repo: Any) -> None:
    import os

    (repo.path / "dir/.gitignore").unlink(missing_ok=True)
    os.mkfifo(repo.path / "dir/.gitignore")
    repo.write("dir/new.txt", "n\n")

    with pytest.raises(Timeout):
        await make_service(git_timeout_s=0.5).status(str(repo.path), base="HEAD")
