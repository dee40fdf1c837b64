"""The files of the sandbox, as the routes use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from sandbox_agent_server.host.files.entries import Entries
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.threads import FileThreads
from sandbox_agent_server.limits import HostLimits

__all__ = ["Files"]

P = ParamSpec("P")
T = TypeVar("T")


class Files:
    """What is behind it blocks, so it is given to `run`."""

    def __init__(self, paths: Paths, limits: HostLimits) -> None:
        self.paths = paths
        self.limits = limits
        self.threads = FileThreads(limits.file_threads)
        self.entries = Entries(paths, max_entries=limits.max_list_entries)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.threads.run(work, *args, **kwargs)
