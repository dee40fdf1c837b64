"""What the API offers of repositories: clone, status, diff."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox_agent_core.api.git import (
    GitCloneProgress,
    GitCloneRequest,
    GitCloneResult,
    GitDiff,
    GitStatus,
)
from sandbox_agent_core.errors import InvalidRequest, PathForbidden

from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.git.changes import changed_files, patch
from sandbox_agent_server.host.git.clone import clone
from sandbox_agent_server.host.git.command import Git
from sandbox_agent_server.host.git.remote import remote_of
from sandbox_agent_server.host.git.repository import (
    Repository,
    find_repository,
    not_found,
)
from sandbox_agent_server.host.git.trees import WorkTree
from sandbox_agent_server.limits import HostLimits

__all__ = ["GitService"]


class GitService:
    def __init__(
        self,
        environ: Mapping[str, str],
        limits: HostLimits,
        *,
        paths: Paths,
        data_dir: Path,
    ) -> None:
        """`paths`: where callers may go."""
        self.git = Git(environ, timeout_s=limits.git_timeout_s)
        self._limits = limits
        self._data_dir = data_dir
        self._paths = paths

    def may_use(self, path: Path) -> bool:
        """Whether a resolved path is one for callers."""
        return self._paths.root is None or path.is_relative_to(self._paths.root)

    def files_of(self, directory: Path, store: Path) -> WorkTree | None:
        """The work tree that a directory belongs to: its repository's, else itself. None when there is nothing in it.
        `store`: where ours is kept. Blocks. Raises: OSError.
        """
        real = directory.resolve()
        repository = find_repository(real, within=self.may_use)
        root = real if repository is None else repository.work_tree
        if repository is None and not store.exists() and next(real.iterdir(), None) is None:
            return None
        excluded = [self._data_dir.resolve()]
        return WorkTree(self.git, store, root, repository, self._limits, excluded=excluded)

    async def clone(
        self,
        wanted: GitCloneRequest,
        *,
        on_progress: Callable[[GitCloneProgress], None] = lambda _progress: None,
    ) -> GitCloneResult:
        """Raises: InvalidRequest, and what `clone.clone` raises."""
        remote = remote_of(wanted.url, wanted.credentials)
        if remote.directory is not None:
            directory = await asyncio.to_thread(
                self._paths.resolve_directory, str(remote.directory)
            )
            remote = replace(remote, directory=directory)
        target = await asyncio.to_thread(self._target, wanted.path or remote.name)
        return await clone(
            self.git,
            remote,
            target,
            wanted,
            timeout_s=self._limits.git_clone_timeout_s,
            on_progress=on_progress,
        )

    async def status(self, path: str, *, base: str) -> GitStatus:
        """Raises: PathNotFound, NotADirectory, PathForbidden, GitRepositoryNotFound, GitRefNotFound, LimitReached,
        GitFailed, GitNotInstalled, Timeout.
        """
        async with self._opened(path) as (repository, _, work_tree):
            branch, compared = await asyncio.gather(
                self._branch(repository), self._compared(repository, work_tree, base)
            )
            commit, before, after = compared
            changes = await changed_files(
                work_tree, before, after, max_files=self._limits.max_diff_files
            )
            return GitStatus(
                path=str(repository.work_tree),
                **branch,
                base=commit,
                files=changes.files,
                totals=changes.totals,
                truncated=changes.truncated,
            )

    async def diff(
        self, path: str, *, base: str, paths: Sequence[str], context: int, with_files: bool
    ) -> GitDiff:
        """`paths`: only what is there or below, relative to `path`. Raises what `status` raises."""
        async with self._opened(path) as (repository, directory, work_tree):
            narrowed = [_narrowed(one, directory, repository.work_tree) for one in paths]
            commit, before, after = await self._compared(repository, work_tree, base)
            limits = self._limits
            text = await patch(
                work_tree, before, after,
                paths=narrowed, context=context, max_bytes=limits.max_diff_bytes,
            )  # fmt: skip
            found = GitDiff(
                path=str(repository.work_tree),
                base=commit,
                patch=text.text,
                truncated=text.truncated,
            )
            if with_files:
                changes = await changed_files(
                    work_tree, before, after, paths=narrowed, max_files=limits.max_diff_files
                )
                found.files, found.totals = changes.files, changes.totals
                found.truncated = text.truncated or changes.truncated
            return found

    @asynccontextmanager
    async def _opened(self, path: str) -> AsyncIterator[tuple[Repository, Path, WorkTree]]:
        directory = await asyncio.to_thread(self._paths.resolve_directory, path)
        repository = await asyncio.to_thread(find_repository, directory, within=self.may_use)
        if repository is None:
            raise not_found(directory)
        place = self._data_dir / "git"
        await asyncio.to_thread(place.mkdir, parents=True, exist_ok=True, mode=0o700)
        scratch = await asyncio.to_thread(tempfile.TemporaryDirectory, dir=place)
        try:
            work_tree = WorkTree(
                self.git, Path(scratch.name) / "store", repository.work_tree, repository,
                self._limits, excluded=[self._data_dir.resolve()],
            )  # fmt: skip
            yield repository, directory, work_tree
        finally:
            await asyncio.shield(asyncio.to_thread(scratch.cleanup))

    async def _compared(
        self, repository: Repository, work_tree: WorkTree, base: str
    ) -> tuple[str | None, str, str]:
        """The commit, if there is one, and both trees."""
        commit = await repository.commit(self.git, base)
        after = await work_tree.tree()
        return commit, commit or await work_tree.empty_tree(), after

    async def _branch(self, repository: Repository) -> dict[str, Any]:
        async def ask(*args: str) -> str | None:
            return await repository.ask(self.git, *args, may_fail=True) or None

        head, branch, upstream = await asyncio.gather(
            ask("rev-parse", "--verify", "--quiet", "HEAD"),
            ask("symbolic-ref", "--short", "--quiet", "HEAD"),
            ask("rev-parse", "--abbrev-ref", "--verify", "--quiet", "@{upstream}"),
        )
        found: dict[str, Any] = {
            name: value
            for name, value in (("head", head), ("branch", branch), ("upstream", upstream))
            if value is not None
        }
        counted = (
            await ask("rev-list", "--left-right", "--count", "@{upstream}...HEAD")
            if upstream is not None and head is not None
            else None
        )
        if counted is not None:
            behind, ahead = counted.split()
            found |= {"behind": int(behind), "ahead": int(ahead)}
        return found

    def _target(self, path: str) -> Path:
        """Blocks. Raises: InvalidRequest, PathForbidden."""
        given = self._paths.absolute(path, base=str(Path.cwd()), climbs=True)
        try:
            found = Path(given).resolve()
        except (OSError, RuntimeError) as exc:
            raise InvalidRequest(f"`path` {path[:200]!r} leads nowhere: {exc}") from exc
        if not self.may_use(found):
            raise PathForbidden(
                f"{path!r} is not beneath {self._paths.root!r}, the root of this server", path=path
            )
        return found


def _narrowed(path: str, directory: Path, work_tree: Path) -> str:
    """Raises: InvalidRequest."""
    # By the text alone: what was deleted cannot be resolved.
    parts: list[str] = list(Path(directory, path).parts)
    place: list[str] = []
    for part in parts:
        if part == "..":
            place = place[:-1] or place
        else:
            place.append(part)
    found = Path(*place)
    if "\0" in path or not found.is_relative_to(work_tree):
        raise InvalidRequest(f"`paths` has {path[:200]!r}, which is outside of {str(work_tree)!r}")
    return found.relative_to(work_tree).as_posix()
