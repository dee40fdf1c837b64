# Generated from `_async/git.py` by `scripts/unasync.py`: do not edit.
"""Repositories of the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from os import PathLike

from sandbox_agent_core.api.git import GitCloneProgress, GitCloneResult, GitDiff, GitStatus
from sandbox_agent_core.errors import ServerUnreachable

from sandbox_agent_client._callbacks import check_callback
from sandbox_agent_client._calls import git as calls
from sandbox_agent_client._calls.git import Credentials
from sandbox_agent_client._sync._backend import CALLBACKS_MAY_BE_ASYNC, settle
from sandbox_agent_client._sync.connection import Connection

__all__ = ["GitSync", "OnClone"]

OnClone = Callable[[GitCloneProgress], object]


class GitSync:
    """`client.git`. Paths are the sandbox's; a relative one begins at the server's working directory.

    It takes a token with the scope `host`, and `git` in the sandbox (GitNotInstalled).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def clone(
        self,
        url: str,
        path: str | PathLike[str] | None = None,
        *,
        ref: str | None = None,
        depth: int | None = None,
        filter: str | None = None,
        sparse: Sequence[str] | None = None,
        submodules: bool = False,
        credentials: Credentials | None = None,
        on_progress: OnClone | None = None,
    ) -> GitCloneResult:
        """Clone a repository into `path`, whole or not at all.

            client.git.clone("https://github.com/me/app", "/repo", depth=1, credentials=token)

        `path` is new or empty; without one it is named as the repository is. `ref` is a branch, a tag or a full
        commit id. `credentials` are a token, or a mapping with `token`, or with `username` and `password`; they are
        written nowhere. `on_progress` is told the phases, with their `percent`. Leaving early stops it.

        Raises:
            GitAuthRequired: the repository wants credentials, or refused these.
            GitFailed: git says why: no such repository, no such ref, no network.
            PathExists: there is something in `path`.
            InvalidRequest: it is no address of a repository.
        """
        if on_progress is not None:
            check_callback(
                on_progress,
                "on_progress",
                argument="the progress",
                may_be_async=CALLBACKS_MAY_BE_ASYNC,
            )
        call = calls.clone(
            url,
            path=path,
            ref=ref,
            depth=depth,
            filter=filter,
            sparse=sparse,
            submodules=submodules or None,
            credentials=credentials,
        )
        # As a stream also without a callback: a gateway that sees no byte for minutes cuts the connection.
        with closing(self._connection.transport.events(call)) as events:
            for event in events:
                news = calls.read_clone_event(event)
                if isinstance(news, GitCloneResult):
                    return news
                if news is not None and on_progress is not None:
                    settle(on_progress(news))
        raise ServerUnreachable(
            "The server broke off while it cloned; nothing of it is left there."
        )

    def status(self, path: str | PathLike[str] = ".", *, base: str = "HEAD") -> GitStatus:
        """Which files differ from the commit `base`: committed since, staged, unstaged and untracked, in one list.

        `path` is a directory of the work tree. `base` is a branch, a tag, a commit, or `"merge-base"`: where the
        branch left its upstream, or `main`.

        Raises:
            GitRepositoryNotFound: there is no repository. GitRefNotFound: it has no `base`.
            LimitReached: more has changed than the server looks at.
        """
        return self._connection.call(calls.status(path, base=base))

    def diff(
        self,
        path: str | PathLike[str] = ".",
        *,
        base: str = "HEAD",
        paths: Sequence[str | PathLike[str]] = (),
        context: int = 3,
    ) -> GitDiff:
        """As `status`, with the `patch`. `paths`: only these files, and what is below these directories, relative
        to `path`. `context`: unchanged lines around each change.

        Raises what `status` raises.
        """
        return self._connection.call(calls.diff(path, base=base, paths=paths, context=context))
