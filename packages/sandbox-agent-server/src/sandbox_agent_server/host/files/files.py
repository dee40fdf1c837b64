"""The files of the sandbox, as the routes use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from sandbox_agent_core.errors import LimitReached

from sandbox_agent_server.host.files.at_once import AtOnce
from sandbox_agent_server.host.files.entries import Entries, described
from sandbox_agent_server.host.files.finding import NameQuery, find_files
from sandbox_agent_server.host.files.grepping import TextQuery, grep_files
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.threads import FileThreads
from sandbox_agent_server.host.files.watching import Watches
from sandbox_agent_server.limits import HostLimits

__all__ = ["Files"]

P = ParamSpec("P")
T = TypeVar("T")


class Files:
    """What is behind it blocks, so it is given to `run`; all but `at_once`."""

    def __init__(self, paths: Paths, limits: HostLimits) -> None:
        self.paths = paths
        self.limits = limits
        self.threads = FileThreads(limits.file_threads)
        self.entries = Entries(paths, max_entries=limits.max_list_entries)
        self.at_once = AtOnce(paths)
        self.watches = Watches(paths, self.threads, limits)
        # A search takes its thread for long: reading and writing have theirs.
        self._search_threads = FileThreads(limits.max_searches)
        self._searches = 0

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.threads.run(work, *args, **kwargs)

    async def stat(self, path: str, *, follow: bool = True) -> dict[str, Any]:
        """As that of the entries. Raises: PathNotFound, PathForbidden."""
        if follow and (status := self.at_once.status(path)) is not None:
            return described(path, status)
        return await self.run(self.entries.stat, path, follow=follow)

    def shut_down(self) -> None:
        """Whoever watches comes to an end; uploads that are cut clean up in their threads."""
        self.watches.end()

    async def find(self, path: str, query: NameQuery) -> dict[str, Any]:
        """As `find_files`. Raises: LimitReached."""
        timeout_s = self.limits.search_timeout_s
        with self._search():
            return await self._search_threads.run(
                find_files, self.paths, path, query, timeout_s=timeout_s
            )

    async def grep(self, path: str, query: TextQuery) -> dict[str, Any]:
        """As `grep_files`. Raises: LimitReached."""
        with self._search():
            return await grep_files(self.paths, self.threads, path, query, self.limits)

    @contextmanager
    def _search(self) -> Iterator[None]:
        limit = self.limits.max_searches
        if self._searches >= limit:
            raise LimitReached(
                f"{limit} searches are running; try again when one is done",
                limit="max_searches",
                value=limit,
            )
        self._searches += 1
        try:
            yield
        finally:
            self._searches -= 1
