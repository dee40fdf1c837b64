"""What has changed against a commit, whoever changed it and however."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.api.git import GitStatus
from sandbox_agent_core.errors import (
    GitRefNotFound,
    GitRepositoryNotFound,
    InvalidRequest,
    LimitReached,
    NotADirectory,
    PathForbidden,
    PathNotFound,
)
from sandbox_agent_server.host.git.service import GitService


def kinds(found: Any) -> dict[str, str]:
    return {file.path: file.status for file in found.files}


async def status(service: GitService, path: Path, base: str = "HEAD") -> GitStatus:
    return await service.status(str(path), base=base)


async def diff(service: GitService, path: Path, base: str = "HEAD", **options: Any) -> Any:
    given = {"paths": [], "context": 3, "with_files": True, **options}
    return await service.diff(str(path), base=base, **given)


async def test_what_is_committed_staged_changed_and_untracked_is_seen_together(
    service: GitService, repo: Any
) -> None:
    base = repo.git("rev-parse", "HEAD")
    repo.write("committed.txt", "c\n")
    repo.commit()
    repo.write("staged.txt", "s\n")
    repo.git("add", "staged.txt")
    repo.write("untracked/deep.txt", "u\nu\n")
    repo.write("a.txt", "one\n2\nthree\n")
    (repo.path / "dir/b.txt").unlink()

    found = await status(service, repo.path, base)

    assert kinds(found) == {
        "a.txt": "modified", "committed.txt": "added", "dir/b.txt": "deleted",
        "staged.txt": "added", "untracked/deep.txt": "added",
    }  # fmt: skip
    assert found.totals.to_wire() == {"files": 5, "additions": 5, "deletions": 21}
    assert (found.branch, found.base) == ("main", base)
    assert found.head == repo.git("rev-parse", "HEAD")


async def test_nothing_of_the_users_repository_is_touched(service: GitService, repo: Any) -> None:
    repo.write("staged.txt", "s\n")
    repo.git("add", "staged.txt")
    repo.write("a.txt", "changed\n")
    repo.write("new.txt", "new\n")
    before = snapshot(repo.path)

    await diff(service, repo.path)
    await status(service, repo.path)

    assert snapshot(repo.path) == before


def snapshot(place: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


async def test_nothing_changed_is_nothing(service: GitService, repo: Any) -> None:
    found = await diff(service, repo.path)
    assert (found.files, found.patch, found.truncated) == ([], "", False)


async def test_a_patch_of_everything_applies_to_a_copy_of_the_base(
    service: GitService, repo: Any, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    repo.git("clone", "-q", str(repo.path), str(copy))
    repo.write("a.txt", "one\n2\nthree\nfour")
    repo.write('ünïcode "quoted".txt', "ü\n")
    repo.git("mv", "dir/b.txt", "dir/moved.txt")
    script = repo.write("run.sh", "#!/bin/sh\n")
    script.chmod(0o755)
    (repo.path / "link").symlink_to("a.txt")

    found = await diff(service, repo.path)

    subprocess.run(
        ["git", "apply", "-"], cwd=copy, input=found.patch.encode(), check=True, timeout=60
    )
    assert (copy / "a.txt").read_text() == "one\n2\nthree\nfour"
    assert os.access(copy / "run.sh", os.X_OK)
    assert (copy / "link").is_symlink()
    assert not (copy / "dir/b.txt").exists()
    renamed = next(file for file in found.files if file.path == "dir/moved.txt")
    assert (renamed.status, renamed.old_path) == ("renamed", "dir/b.txt")
    made = next(file for file in found.files if file.path == "run.sh")
    assert made.mode == "100755"


async def test_modes_types_and_binaries_are_told(service: GitService, repo: Any) -> None:
    repo.write("image.png", bytes(range(256)))
    repo.write("becomes-link", "x\n")
    repo.commit()
    repo.write("image.png", bytes(reversed(range(256))))
    (repo.path / "a.txt").chmod(0o755)
    (repo.path / "becomes-link").unlink()
    (repo.path / "becomes-link").symlink_to("a.txt")

    files = {file.path: file for file in (await diff(service, repo.path)).files}

    assert files["image.png"].binary
    assert files["image.png"].additions is None
    mode = files["a.txt"]
    assert (mode.status, mode.old_mode, mode.mode) == ("modified", "100644", "100755")
    assert files["becomes-link"].status == "type_changed"


async def test_ignored_files_are_not_changes_and_ignored_tracked_ones_are(
    service: GitService, repo: Any
) -> None:
    repo.write(".gitignore", "*.log\nnode_modules/\n")
    repo.write("kept.log", "tracked\n")
    repo.git("add", "-f", "kept.log")
    repo.commit()
    repo.write("node_modules/x/index.js", "x\n")
    repo.write("new.log", "x\n")
    repo.write("kept.log", "changed\n")
    (repo.path / ".git/info/exclude").write_text("private\n")
    repo.write("private", "x\n")

    assert kinds(await status(service, repo.path)) == {"kept.log": "modified"}


async def test_before_the_first_commit_everything_is_new(
    service: GitService, make_repo: Any
) -> None:
    repo = make_repo("fresh")
    repo.write("a.txt", "a\n")

    found = await diff(service, repo.path)

    assert kinds(found) == {"a.txt": "added"}
    assert found.base is None
    assert (await status(service, repo.path)).branch == "main"


async def test_merge_base_is_where_the_branch_left_main(service: GitService, repo: Any) -> None:
    fork = repo.git("rev-parse", "HEAD")
    repo.git("checkout", "-q", "-b", "work")
    repo.write("mine.txt", "m\n")
    repo.commit()
    repo.git("checkout", "-q", "main")
    repo.write("theirs.txt", "t\n")
    repo.commit()
    repo.git("checkout", "-q", "work")

    found = await status(service, repo.path, "merge-base")

    assert (found.base, kinds(found)) == (fork, {"mine.txt": "added"})


async def test_upstream_ahead_and_behind(service: GitService, repo: Any, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    repo.git("clone", "-q", str(repo.path), str(clone))
    repo.write("theirs.txt", "t\n")
    repo.commit()
    for number in range(2):
        (clone / f"mine{number}").write_text("m\n")
        repo.git("add", "-A", cwd=clone)
        repo.git("commit", "-q", "-m", "mine", cwd=clone)
    repo.git("fetch", "-q", cwd=clone)

    found = await status(service, clone)

    assert (found.upstream, found.ahead, found.behind) == ("origin/main", 2, 1)


async def test_a_subdirectory_and_a_further_work_tree_belong_to_their_repository(
    service: GitService, repo: Any, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    repo.git("worktree", "add", "-q", str(other), "-b", "other")
    (other / "only-here.txt").write_text("x\n")
    repo.write("dir/c.txt", "c\n")

    below = await status(service, repo.path / "dir")
    beside = await status(service, other)

    assert (below.path, kinds(below)) == (str(repo.path), {"dir/c.txt": "added"})
    assert (beside.path, beside.branch) == (str(other), "other")
    assert kinds(beside) == {"only-here.txt": "added"}


async def test_paths_narrow_and_are_relative_to_the_directory(
    service: GitService, repo: Any
) -> None:
    repo.write("a.txt", "changed\n")
    repo.write("dir/c.txt", "c\n")
    repo.write("dir/*.txt", "star\n")

    here = await diff(service, repo.path / "dir", paths=["c.txt"])
    star = await diff(service, repo.path / "dir", paths=["*.txt"])
    up = await diff(service, repo.path / "dir", paths=["../a.txt"])

    assert [kinds(found) for found in (here, star, up)] == [
        {"dir/c.txt": "added"}, {"dir/*.txt": "added"}, {"a.txt": "modified"},
    ]  # fmt: skip
    with pytest.raises(InvalidRequest):
        await diff(service, repo.path, paths=["../../etc/passwd"])


async def test_conflicts_and_intents_to_add_are_as_they_lie_there(
    service: GitService, repo: Any
) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.write("a.txt", "side\n")
    repo.commit()
    repo.git("checkout", "-q", "main")
    repo.write("a.txt", "main\n")
    repo.commit()
    subprocess.run(["git", "merge", "side"], cwd=repo.path, capture_output=True, check=False)
    repo.write("later.txt", "later\n")
    repo.git("add", "-N", "later.txt")

    found = await diff(service, repo.path)

    assert kinds(found) == {"a.txt": "modified", "later.txt": "added"}
    assert "+<<<<<<< HEAD" in found.patch


async def test_a_submodule_is_its_commit_and_a_nested_repository_its_files(
    service: GitService, repo: Any, make_repo: Any
) -> None:
    inner = make_repo("inner")
    inner.write("i.txt", "i\n")
    inner.commit()
    repo.git(
        "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "sub"
    )
    repo.commit()
    sub = repo.path / "sub"
    (sub / "new.txt").write_text("n\n")
    repo.git("add", "-A", cwd=sub)
    repo.git("commit", "-q", "-m", "in the submodule", cwd=sub)
    nested = make_repo("repo/nested")
    nested.write("committed.txt", "n\n")
    nested.commit()
    nested.write("untracked.txt", "n\n")

    files = {file.path: file for file in (await diff(service, repo.path)).files}

    assert sorted(files) == ["nested/committed.txt", "nested/untracked.txt", "sub"]
    assert files["sub"].status == "modified"


async def test_a_large_file_is_compared_by_size_and_time(make_service: Any, repo: Any) -> None:
    service = make_service(max_diff_file_bytes=1024)
    repo.write("tracked.bin", "t" * 2000)
    repo.commit()
    repo.write("large.txt", "l\n" * 1000)
    repo.write("tracked.bin", "x" * 2000)

    found = await diff(service, repo.path)

    assert {file.path: (file.status, file.binary) for file in found.files} == {
        "large.txt": ("added", True), "tracked.bin": ("modified", True),
    }  # fmt: skip


async def test_more_files_than_are_listed_are_counted(make_service: Any, repo: Any) -> None:
    service = make_service(max_diff_files=3)
    for number in range(5):
        repo.write(f"new{number}.txt", "n\n")

    found = await status(service, repo.path)

    assert (len(found.files), found.totals.files, found.truncated) == (3, 5, True)


async def test_a_patch_that_is_too_large_ends_after_a_whole_file(
    make_service: Any, repo: Any
) -> None:
    service = make_service(max_diff_bytes=4096)
    for number in range(10):
        repo.write(f"new{number}.txt", f"{number}\n" * 500)

    found = await diff(service, repo.path)
    one = await diff(service, repo.path, paths=["new0.txt"], context=0)

    assert found.truncated
    assert 0 < len(found.patch) <= 4096
    assert found.patch.count("diff --git") == found.patch.count("@@ -0,0 +1,500 @@") > 0
    assert found.patch.endswith("\n")
    assert len(found.files) == 10
    assert not one.truncated


async def test_more_than_may_be_looked_at_is_refused_in_words(make_service: Any, repo: Any) -> None:
    for number in range(4):
        repo.write(f"new{number}.txt", "n\n" * 400)
    for limit in ({"max_diff_tree_files": 3}, {"max_diff_tree_bytes": 1024}):
        with pytest.raises(LimitReached, match="gitignore"):
            await status(make_service(**limit), repo.path)


async def test_a_file_that_may_not_be_read_and_a_fifo_do_not_hold_it_up(
    service: GitService, repo: Any
) -> None:
    os.mkfifo(repo.path / "pipe")
    (repo.path / "a.txt").unlink()
    os.mkfifo(repo.path / "a.txt")

    assert kinds(await status(service, repo.path)) == {"a.txt": "deleted"}


async def test_what_is_no_repository_is_said(
    service: GitService, tmp_path: Path, repo: Any
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    with pytest.raises(GitRepositoryNotFound):
        await status(service, plain)
    with pytest.raises(PathNotFound):
        await status(service, plain / "missing")
    with pytest.raises(NotADirectory):
        await status(service, repo.path / "a.txt")
    with pytest.raises(GitRefNotFound):
        await status(service, repo.path, "no-such-branch")
    for trick in ("--output=/tmp/x", "HEAD..", "a\nb", "HEAD:a.txt"):
        with pytest.raises(GitRefNotFound):
            await status(service, repo.path, trick)


async def test_beneath_a_root_nothing_outside_of_it_is_a_repository(
    make_service: Any, repo: Any, tmp_path: Path
) -> None:
    inside = repo.path / "dir"
    service = make_service(root=inside)
    with pytest.raises(GitRepositoryNotFound):
        await status(service, inside)
    with pytest.raises(PathForbidden):
        await status(service, repo.path)
    (inside / ".git").write_text(f"gitdir: {repo.path}/.git\n")
    with pytest.raises(GitRepositoryNotFound):
        await status(service, inside)


async def test_nothing_is_left_behind(service: GitService, repo: Any, tmp_path: Path) -> None:
    await status(service, repo.path)
    with pytest.raises(GitRefNotFound):
        await status(service, repo.path, "nothing")
    assert list((tmp_path / "data/git").iterdir()) == []
