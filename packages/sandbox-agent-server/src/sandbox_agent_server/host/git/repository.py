"""Which repository a directory belongs to, found by ourselves: git would believe its configuration."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import GitRefNotFound, GitRepositoryNotFound

from sandbox_agent_server.host.git.command import LOCAL_ONLY, Git

__all__ = ["MERGE_BASE", "Repository", "find_repository", "not_found", "read_small"]

MERGE_BASE: Final = "merge-base"
_MAX_POINTER_BYTES: Final = 16 * 1024
_TRUNKS: Final = ("@{upstream}", "origin/HEAD", "origin/main", "origin/master", "main", "master")


@dataclass(frozen=True, slots=True)
class Repository:
    work_tree: Path
    git_dir: Path
    """Of this work tree: its HEAD and index."""
    common_dir: Path
    """Of all work trees of the repository: its refs and objects."""

    async def ask(self, git: Git, *args: str, may_fail: bool = False) -> str | None:
        """What git says of refs and commits. None when it fails and may. Raises: GitFailed, Timeout."""
        env = {**LOCAL_ONLY, "GIT_DIR": str(self.git_dir), "GIT_WORK_TREE": str(self.work_tree)}
        output = await git.run(*args, cwd=self.work_tree, env=env, may_fail=may_fail)
        return output.text if output.exit_code == 0 else None

    async def commit(self, git: Git, ref: str) -> str | None:
        """The id of the commit that `ref` names; None for HEAD before the first one.

        Raises: GitRefNotFound.
        """
        if ref == MERGE_BASE:
            return await self._merge_base(git)
        found = await self._find(git, ref)
        if found is None and ref != "HEAD":
            raise GitRefNotFound(
                f"the repository {str(self.work_tree)!r} has no branch, tag or commit {ref!r}",
                ref=ref,
            )
        return found

    async def _find(self, git: Git, ref: str) -> str | None:
        return await self.ask(
            git, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", may_fail=True
        )  # fmt: skip

    async def _merge_base(self, git: Git) -> str | None:
        """Where the current branch left the one it is to go back into."""
        for trunk in _TRUNKS:
            if (tip := await self._find(git, trunk)) is not None:
                break
        else:
            raise GitRefNotFound(
                f"the repository {str(self.work_tree)!r} has neither an upstream nor a branch `main` or `master` to "
                "compare with; give `base` a branch, tag or commit",
                ref=MERGE_BASE,
            )
        found = await self.ask(git, "merge-base", "HEAD", tip, may_fail=True)
        if found is None:
            raise GitRefNotFound(f"the branch has nothing in common with {trunk!r}", ref=trunk)
        return found


def find_repository(directory: Path, *, within: Callable[[Path], bool]) -> Repository | None:
    """That of `directory`, which is resolved and exists, or the nearest above. Blocks.

    `within`: whether a resolved path may be used. What is beyond is not looked at, and a repository that keeps its
    history there is none.
    """
    for place in (directory, *directory.parents):
        if not within(place):
            return None
        if (found := _repository_at(place, within)) is not None:
            return found
    return None


def not_found(path: Path) -> GitRepositoryNotFound:
    return GitRepositoryNotFound(
        f"{str(path)!r} is in no git repository; `git init` makes one", path=str(path)
    )


def _repository_at(place: Path, within: Callable[[Path], bool]) -> Repository | None:
    entry = place / ".git"
    git_dir = entry
    if (pointer := read_small(entry)) is not None:
        # A further work tree, or a submodule.
        if not pointer.startswith("gitdir:"):
            return None
        git_dir = place / pointer.removeprefix("gitdir:").strip()
    git_dir = git_dir.resolve()
    if not (git_dir / "HEAD").is_file():
        return None
    common = read_small(git_dir / "commondir")
    common_dir = git_dir if common is None else (git_dir / common.strip()).resolve()
    objects = (common_dir / "objects").resolve()
    if not objects.is_dir() or not all(map(within, (git_dir, common_dir, objects))):
        return None
    if not _alternates_are_within(objects, within):
        return None
    return Repository(place, git_dir, common_dir)


def _alternates_are_within(objects: Path, within: Callable[[Path], bool], depth: int = 5) -> bool:
    listed = read_small(objects / "info/alternates") or ""
    for line in filter(None, listed.split("\n")):
        if line.startswith("#"):
            continue
        other = (objects / line).resolve()
        if not within(other) or (depth and not _alternates_are_within(other, within, depth - 1)):
            return False
    return True


def read_small(path: Path) -> str | None:
    """The text of a small regular file; None for anything else. A FIFO would be waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_POINTER_BYTES:
            return None
        return os.read(descriptor, _MAX_POINTER_BYTES).decode("utf-8", "surrogateescape")
    finally:
        os.close(descriptor)
