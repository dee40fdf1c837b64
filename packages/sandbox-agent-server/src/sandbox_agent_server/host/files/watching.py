"""Directories that are watched: one watcher of the kernel for a tree, however many read.

A thread for each tree takes the changes and hands them to the loop. A reader that does not keep up, and everybody after
a burst that the kernel may have cut, is told to look again instead of what happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from sandbox_agent_core.api.files import ChangeKind
from sandbox_agent_core.errors import FileSystemError, LimitReached, WatchLimitReached
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.renaming import is_scratch
from sandbox_agent_server.host.files.threads import FileThreads
from sandbox_agent_server.limits import HostLimits

__all__ = ["Change", "Watches"]

_DEBOUNCE_MS: Final = 200
"""As long as changes keep coming they are gathered, at most for so long."""
_STEP_MS: Final = 20
"""Quiet for so long ends the gathering."""
_LOOK_MS: Final = 2000
"""So often it is looked whether the directory is still there."""
_MAX_CHANGES: Final = 4096
"""Of one batch, and that wait for a reader: more is a rescan. The kernel's own queue has 16 384."""
_ADDED: Final = 1
_KINDS: Final[dict[int, ChangeKind]] = {_ADDED: "added", 2: "modified", 3: "removed"}
_USER_WATCHES: Final = Path("/proc/sys/fs/inotify/max_user_watches")

Change = tuple[ChangeKind, str]


class Notifier(Protocol):
    def watch(self, debounce_ms: int, step_ms: int, timeout_ms: int, stop_event: Any) -> Any: ...

    def close(self) -> None: ...


class Reader:
    """What a reader has not taken yet."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._waiting: dict[Change, None] = {}
        self._is_rescan = False
        self._is_ended = False
        self._news = asyncio.Event()

    def put(self, changes: list[Change]) -> None:
        if len(self._waiting) + len(changes) > _MAX_CHANGES:
            self.rescan()
        elif not self._is_rescan and changes:
            self._waiting |= dict.fromkeys(changes)
            self._news.set()

    def rescan(self) -> None:
        self._waiting.clear()
        self._is_rescan = True
        self._news.set()

    def end(self) -> None:
        self._is_ended = True
        self._news.set()

    async def take(self, *, timeout_s: float) -> list[Change] | None:
        """What has happened, empty when nothing did in that time; None at the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        self._news.clear()
        taken: list[Change] = [("rescan", self.path)] if self._is_rescan else list(self._waiting)
        self._waiting.clear()
        self._is_rescan = False
        if self._is_ended and not taken:
            return None
        if self._is_ended:
            self._news.set()
        return taken


@dataclass(eq=False, slots=True)
class _Tree:
    path: str
    is_recursive: bool
    directories: int
    notifier: Notifier
    stop: threading.Event = field(default_factory=threading.Event)
    readers: set[Reader] = field(default_factory=set)

    def has(self, path: str, *, recursive: bool) -> bool:
        """Whether somebody who asks for this gets it here."""
        if self.path == path:
            return self.is_recursive or not recursive
        return self.is_recursive and path.startswith(self.path.rstrip("/") + "/")


class Watches:
    def __init__(self, paths: Paths, threads: FileThreads, limits: HostLimits) -> None:
        self._paths = paths
        self._threads = threads
        self._limits = limits
        self._trees: set[_Tree] = set()
        self._opening = asyncio.Lock()
        self.make: Callable[[str, bool], Notifier] = _notifier

    @property
    def trees(self) -> int:
        return len(self._trees)

    @contextlib.asynccontextmanager
    async def read(self, path: str, *, recursive: bool) -> AsyncIterator[Reader]:
        """Everything that happens from now on in a directory, and with `recursive` below it.

        Raises:
            LimitReached: too many trees, or directories in them. WatchLimitReached: the kernel has no more.
            PathNotFound, NotADirectory, PathForbidden.
        """
        real = str(await self._threads.run(self._paths.resolve_directory, path))
        async with self._opening:
            tree = next((one for one in self._trees if one.has(real, recursive=recursive)), None)
            if tree is None:
                tree = await self._open(real, recursive=recursive)
            reader = Reader(real)
            tree.readers.add(reader)
        try:
            yield reader
        finally:
            tree.readers.discard(reader)
            if not tree.readers:
                self._trees.discard(tree)
                tree.stop.set()

    def end(self) -> None:
        """All of it, when the server stops; readers come to their ends."""
        for tree in list(self._trees):
            self._tell(tree, [], False)

    async def _open(self, path: str, *, recursive: bool) -> _Tree:
        limits = self._limits
        if len(self._trees) >= limits.max_watched_trees:
            raise LimitReached(
                f"{len(self._trees)} directories are watched; watch fewer, or one above them",
                limit="max_watched_trees",
                value=limits.max_watched_trees,
            )
        taken = sum(tree.directories for tree in self._trees)
        count = await self._threads.run(
            _count, path, limits.max_watched_directories - taken, recursive=recursive
        )
        _check_count(taken + count, limits)
        notifier = await self._threads.run_undoing(
            lambda made: made.close(), self.make, path, recursive
        )
        tree = _Tree(path, recursive, count, notifier)
        self._trees.add(tree)
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=self._follow, args=(tree, loop), name=f"watch {path}", daemon=True
        ).start()
        return tree

    def _follow(self, tree: _Tree, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of the tree's own."""
        try:
            while not tree.stop.is_set():
                seen = tree.notifier.watch(_DEBOUNCE_MS, _STEP_MS, _LOOK_MS, tree.stop)
                is_there = os.path.isdir(tree.path)  # noqa: PTH112 - no Path is needed for it
                changes = [] if isinstance(seen, str) else [*_read(seen, deep=tree.is_recursive)]
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(self._tell, tree, changes, is_there)
                if not is_there:
                    return
        except WatchfilesRustInternalError:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._tell, tree, [], False)
        finally:
            tree.notifier.close()

    def _tell(self, tree: _Tree, changes: list[Change], is_there: bool) -> None:
        for reader in tree.readers:
            if len(changes) > _MAX_CHANGES:
                reader.rescan()
            elif reader.path == tree.path:
                reader.put(changes)
            else:
                inside = reader.path + "/"
                reader.put(
                    [one for one in changes if one[1].startswith(inside) or one[1] == reader.path]
                )
            if not is_there:
                reader.end()
        if not is_there:
            self._trees.discard(tree)


def _read(seen: set[tuple[int, str]], *, deep: bool) -> Iterator[Change]:
    if deep and len(seen) <= _MAX_CHANGES:
        seen = seen | {(_ADDED, path) for path in _in_new_directories(seen)}
    for number, path in sorted(seen, key=lambda one: (one[1], one[0])):
        if not is_scratch(path.rpartition("/")[2]):
            yield _KINDS[number], path


def _in_new_directories(seen: set[tuple[int, str]]) -> Iterator[str]:
    """What was put into a directory before the kernel watched that, of which it tells nothing."""
    count = 0
    for number, path in seen:
        if number != _ADDED or os.path.islink(path):  # noqa: PTH114
            continue
        for directory, directories, files in os.walk(path):  # of a file it is nothing
            for name in (*directories, *files):
                yield f"{directory}/{name}"
                count += 1
            if count > _MAX_CHANGES:
                return


def _notifier(path: str, recursive: bool) -> Notifier:
    """Raises: WatchLimitReached, FileSystemError."""
    try:
        made: Notifier = RustNotify([path], False, False, _LOOK_MS, recursive, True)
    except (WatchfilesRustInternalError, OSError) as exc:
        text = str(exc)
        if any(words in text for words in ("os error 24", "os error 28", "limit")):
            raise WatchLimitReached(
                f"the kernel has no more watchers for {path!r} ({text}): close some, or raise "
                "`fs.inotify.max_user_instances` and `fs.inotify.max_user_watches` with sysctl"
            ) from exc
        raise FileSystemError(f"{path!r} cannot be watched: {text}", path=path) from exc
    return made


def _count(path: str, most: int, *, recursive: bool) -> int:
    """How many directories are to be watched, `most` and one when there are more."""
    if not recursive:
        return 1
    count = 0
    for _ in os.walk(path):
        count += 1
        if count > most:
            break
    return count


def _check_count(count: int, limits: HostLimits) -> None:
    """Raises: LimitReached, WatchLimitReached."""
    if count > limits.max_watched_directories:
        raise LimitReached(
            f"there would be more than {limits.max_watched_directories} directories to watch; watch a part of it",
            limit="max_watched_directories",
            value=limits.max_watched_directories,
        )
    with contextlib.suppress(OSError, ValueError):
        kernel = int(_USER_WATCHES.read_text(encoding="ascii"))
        if count > kernel:
            raise WatchLimitReached(
                f"the kernel watches {kernel} directories for a user; raise `fs.inotify.max_user_watches` with sysctl",
                limit="fs.inotify.max_user_watches",
                value=kernel,
            )
