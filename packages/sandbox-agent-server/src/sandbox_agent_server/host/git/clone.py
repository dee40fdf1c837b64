"""A repository brought into the sandbox: whole or not at all."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from sandbox_agent_core.api.git import GitCloneProgress, GitCloneRequest, GitCloneResult
from sandbox_agent_core.errors import (
    NotADirectory,
    PathExists,
    PathForbidden,
    SandboxAgentError,
    Timeout,
)

from sandbox_agent_server.host.git.command import Git
from sandbox_agent_server.host.git.progress import ProgressReader
from sandbox_agent_server.host.git.remote import Remote

__all__ = ["clone"]

_PROTOCOLS: Final = (
    "protocol.allow=never",
    *(f"protocol.{name}.allow=always" for name in ("https", "http", "ssh", "git")),
    # A repository's submodules are not to be directories of this machine.
    "protocol.file.allow=user",
)
_NAMED: Final = ("refs/heads/", "refs/tags/")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


async def clone(
    git: Git,
    remote: Remote,
    target: Path,
    wanted: GitCloneRequest,
    *,
    timeout_s: float,
    on_progress: Callable[[GitCloneProgress], None],
) -> GitCloneResult:
    """Clone into `target`, which is not there yet, or is empty. Whoever is cancelled leaves nothing of it, either.

    Raises:
        PathExists, NotADirectory, PathForbidden: about the target. GitAuthRequired, GitFailed, GitNotInstalled, Timeout.
    """
    made = await asyncio.to_thread(_make, target)
    on_progress(GitCloneProgress(phase="connecting"))
    work = _Clone(git, remote, target, wanted, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            await work.run(ProgressReader(on_progress).feed)
            return await work.result()
    except TimeoutError:
        await asyncio.to_thread(_unmake, target, made)
        raise Timeout(
            f"the clone took longer than {timeout_s:g} s and was stopped; with `depth` 1 or a `filter` there is less "
            "to fetch",
            limit_s=timeout_s,
        ) from None
    except BaseException:
        # In a thread of its own, which nobody's leaving can cut short.
        await asyncio.shield(asyncio.to_thread(_unmake, target, made))
        raise


class _Clone:
    def __init__(
        self,
        git: Git,
        remote: Remote,
        target: Path,
        wanted: GitCloneRequest,
        timeout_s: float,
    ) -> None:
        self._git = git
        self._remote = remote
        self._target = target
        self._wanted = wanted
        self._timeout_s = timeout_s

    async def run(self, on_stderr: Callable[[bytes], None]) -> None:
        wanted = self._wanted
        apart = _fetched_apart(wanted.ref)
        depth = [] if wanted.depth is None else [f"--depth={wanted.depth}"]
        # `--no-local`: history that is shared with a directory of the sandbox would be the agent's to spoil.
        options = ["--progress", "--no-recurse-submodules", "--no-local", *depth]
        if wanted.filter is not None:
            options.append(f"--filter={wanted.filter}")
        if wanted.sparse is not None:
            options.append("--sparse")
        if apart is not None:
            options.append("--no-checkout")
        elif wanted.ref is not None:
            options.append(f"--branch={_short(wanted.ref)}")
        do = partial(self._do, on_stderr=on_stderr)
        await do("clone", *options, "--", self._source, str(self._target))
        if wanted.sparse is not None:
            listed = "".join(f"{path}\n" for path in wanted.sparse).encode()
            await do("sparse-checkout", "set", "--cone", "--stdin", stdin=listed)
        if apart is not None:
            await do("fetch", "--progress", *depth, "origin", apart)
            await do("checkout", "--progress", "--detach", "FETCH_HEAD")
        if wanted.submodules:
            await do("submodule", "update", "--init", "--recursive", "--progress", *depth)

    @property
    def _source(self) -> str:
        directory = self._remote.directory
        return self._remote.url if directory is None else str(directory)

    async def _do(self, *args: str, on_stderr: Callable[[bytes], None], stdin: bytes = b"") -> None:
        await self._git.run(
            *args,
            stdin=stdin,
            cwd=self._target,
            env=self._remote.env,
            config=_PROTOCOLS,
            timeout_s=self._timeout_s,
            on_stderr=on_stderr,
            secrets=self._remote.secrets,
        )

    async def result(self) -> GitCloneResult:
        head = await self._ask("rev-parse", "--verify", "--quiet", "HEAD")
        branch = await self._ask("symbolic-ref", "--short", "--quiet", "HEAD")
        return GitCloneResult(
            path=str(self._target), url=self._remote.url, head=head or None, branch=branch or None
        )

    async def _ask(self, *args: str) -> str:
        return (await self._git.run(*args, cwd=self._target, may_fail=True)).text


def _fetched_apart(ref: str | None) -> str | None:
    """`--branch` takes the names of branches and tags only: not a commit, nor what has a namespace of its own, as the
    pull requests of GitHub."""
    if ref is None or ref.startswith(_NAMED):
        return None
    return ref if _COMMIT.fullmatch(ref) or ref.startswith("refs/") else None


def _short(ref: str) -> str:
    return ref.removeprefix(_NAMED[0]).removeprefix(_NAMED[1])


def _make(target: Path) -> list[Path]:
    """Make the directory. Returns those that were not there, the topmost last. Blocks."""
    missing = []
    try:
        place = target
        while not place.exists():
            missing.append(place)
            place = place.parent
        target.mkdir(parents=True, exist_ok=True)
        with os.scandir(target) as entries:
            is_empty = next(entries, None) is None
    except OSError as exc:
        raise _refused(target, exc) from exc
    if not is_empty:
        raise PathExists(
            f"{str(target)!r} is not empty; clone into a new directory", path=str(target)
        )
    return missing


def _refused(target: Path, exc: OSError) -> SandboxAgentError:
    if isinstance(exc, NotADirectoryError | FileExistsError):
        return NotADirectory(f"{str(target)!r} is, or is in, a file", path=str(target))
    return PathForbidden(f"{str(target)!r} cannot be made: {exc.strerror}", path=str(target))


def _unmake(target: Path, made: list[Path]) -> None:
    """Blocks."""
    for entry in target.iterdir() if target.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    # Others may have put something beside it meanwhile.
    with suppress(OSError):
        for directory in made:
            directory.rmdir()
