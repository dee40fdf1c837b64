"""Bodies of `/v1/git`: a repository brought in, and what has changed in one."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from sandbox_agent_core.api.base import RequestBody, ResponseBody
from sandbox_agent_core.changes import ChangedFile, ChangeTotals

__all__ = [
    "GitCloneProgress",
    "GitCloneRequest",
    "GitCloneResult",
    "GitCredentials",
    "GitDiff",
    "GitStatus",
    "SessionDiff",
]

_Text = Annotated[str, Field(min_length=1, max_length=4096)]


class GitCredentials(RequestBody):
    """For this one clone: neither kept nor written into the repository."""

    username: str | None = Field(None, min_length=1, max_length=1024)
    password: SecretStr | None = None
    token: SecretStr | None = None
    """In place of a password. Without a `username` it is sent as that of `x-access-token`, which GitHub, GitLab,
    Gitea and Azure take."""

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if (self.password is None) == (self.token is None):
            raise ValueError("give either `password` or `token`")
        if self.password is not None and self.username is None:
            raise ValueError("`password` needs a `username`")
        return self


class GitCloneRequest(RequestBody):
    url: _Text
    """`https://…`, `http://…`, `ssh://…`, `git://…`, `user@host:path`, `file://…`, or a directory of the sandbox."""
    path: _Text | None = None
    """Where to: a directory that is not there yet, or is empty. Absent: one named as the repository is, in the
    server's working directory."""
    ref: _Text | None = None
    """A branch, a tag or a full commit id. Absent: the repository's own default branch."""
    depth: Annotated[int, Field(ge=1)] | None = None
    """Only so many commits of history."""
    filter: Annotated[str, Field(pattern=r"^[a-z:0-9+=kmg]{1,100}$")] | None = None
    """A partial clone, e.g. `blob:none`: the rest is fetched when git needs it."""
    sparse: list[_Text] | None = None
    """Only these directories are checked out (and the files beside them)."""
    submodules: bool = False
    """Clone those too, at any depth."""
    credentials: GitCredentials | None = None


class GitCloneResult(ResponseBody):
    path: str
    """The work tree, absolute."""
    url: str
    """As it is written in the repository's configuration: without credentials."""
    head: str | None = None
    """The commit that is checked out; absent when the repository is empty."""
    branch: str | None = None
    """Absent when a tag or a commit is checked out."""


class GitCloneProgress(ResponseBody):
    phase: str
    """`connecting`, `counting`, `compressing`, `receiving`, `resolving`, `checking_out`, `submodule`, or what the
    remote calls it."""
    percent: int | None = None
    done: int | None = None
    """Objects or files."""
    total: int | None = None
    received_bytes: int | None = None


class GitStatus(ResponseBody):
    """What differs from a commit: in commits, in the index, in the work tree, and untracked, all together."""

    path: str
    """The root of the work tree, absolute."""
    branch: str | None = None
    """Absent when a commit is checked out by its id."""
    head: str | None = None
    """Its commit; absent before the first one."""
    upstream: str | None = None
    ahead: int | None = None
    """Commits that `upstream` has not."""
    behind: int | None = None
    base: str | None = None
    """The commit that all is compared with; absent when everything is new."""
    files: list[ChangedFile] = Field(default_factory=list)
    totals: ChangeTotals = Field(default_factory=ChangeTotals)
    truncated: bool = False
    """There are more files than are listed here."""


class GitDiff(ResponseBody):
    """As `GitStatus`, with the patch."""

    path: str
    base: str | None = None
    files: list[ChangedFile] = Field(default_factory=list)
    totals: ChangeTotals = Field(default_factory=ChangeTotals)
    patch: str = ""
    """Unified, as `git diff` writes it; `git apply` takes it when it is not `truncated`. What is binary is only named.
    Bytes that are no UTF-8 are replaced by U+FFFD."""
    truncated: bool = False
    """There are more files than are listed here, or the patch ends before its end, after a whole file's."""


class SessionDiff(ResponseBody):
    """What turns of a session have changed, from before the first of them to after the last."""

    path: str | None = None
    """The directory that the files are relative to; absent when nothing was changed."""
    turn_ids: list[str] = Field(default_factory=list)
    """The turns that changed something, oldest first."""
    files: list[ChangedFile] = Field(default_factory=list)
    totals: ChangeTotals = Field(default_factory=ChangeTotals)
    patch: str = ""
    """As that of a `GitDiff`."""
    truncated: bool = False
    """There are more files than are listed here, or the patch ends before its end."""
    skipped: str | None = None
    """Why there is nothing to tell of a turn, or of some of them."""
