"""The files of a work tree as a tree of git, whatever is committed, staged, ignored by nobody or untracked.

All of it happens in a repository of our own, which borrows the objects of the user's. So nothing of theirs changes,
and nothing of their configuration is read: it can name programs (hooks, monitors, filters, diff drivers), and an
agent may have written it. Drivers that the user has for all repositories (Git LFS) work as ever.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.errors import GitFailed, LimitReached

from sandbox_agent_server.host.git.command import LOCAL_ONLY, MAX_OUTPUT_BYTES, Git, GitOutput
from sandbox_agent_server.host.git.repository import Repository, read_small
from sandbox_agent_server.limits import HostLimits

__all__ = ["WorkTree"]

_KEPT_SETTINGS: Final = frozenset(
    {
        "core.autocrlf",
        "core.eol",
        "core.filemode",
        "core.ignorecase",
        "core.precomposeunicode",
        "core.safecrlf",
        "core.symlinks",
        "extensions.objectformat",
    }
)
_HEAD: Final = "ref: refs/heads/none\n"


_NESTED_AT_MOST: Final = 64
_STAND_IN: Final = "\0 %d bytes, changed at %d ns: too large to be kept or compared\n"
"""With a zero byte, so that git takes it for the binary that it stands for."""


@dataclass(slots=True)
class _Seen:
    changed: list[bytes]
    """Paths that are not as in the index, those that are gone among them."""
    no_files: list[bytes]
    """What took the place of a file and cannot be read: a FIFO, a device."""
    large: dict[bytes, tuple[int, int, int]]
    """What is only seen from outside: `(mode, size, time)`."""


class WorkTree:
    """A directory, and a repository of ours that knows its files. Used by one at a time."""

    def __init__(
        self,
        git: Git,
        store: Path,
        work_tree: Path,
        repository: Repository | None,
        limits: HostLimits,
        *,
        excluded: Iterable[Path] = (),
    ) -> None:
        """`store`: where ours is kept; made when it is missing. `excluded`: directories that are not looked at."""
        self.path = work_tree
        self._git = git
        self._store = store
        self._repository = repository
        self._limits = limits
        self._excluded = [
            path for path in excluded if path != work_tree and path.is_relative_to(work_tree)
        ]
        self._tree: str | None = None
        self._large: dict[bytes, tuple[int, int, int]] = {}

    async def tree(self) -> str:
        """The id of the tree of all files that are not ignored, as they are now.

        A file larger than `max_diff_file_bytes`, or one that may not be read, stands there with its size and time only.

        Raises:
            LimitReached: there is more to read than is allowed. GitFailed, GitNotInstalled, Timeout.
        """
        if not await asyncio.to_thread((self._store / "HEAD").exists):
            await self._set_up()
        candidates = await self._candidates()
        seen = await asyncio.to_thread(self._look, candidates) if candidates else _Seen([], [], {})
        if gone := seen.no_files + [path for path in seen.large if path not in self._large]:
            await self.run("update-index", "-z", "--force-remove", "--stdin", stdin=_listed(gone))
        if seen.changed:
            how = ("--add", "--remove", "--replace", "-z", "--stdin")
            await self.run("update-index", *how, stdin=_listed(seen.changed))
        if self._tree is None or gone or seen.changed or seen.large != self._large:
            self._tree = await self._write(seen.large)
            self._large = seen.large
        return self._tree

    async def has(self, *trees: str) -> bool:
        """Whether these are still kept. Raises: GitFailed, Timeout."""
        if not await asyncio.to_thread((self._store / "HEAD").exists):
            return False
        asked = "".join(f"{tree}\n" for tree in trees).encode()
        answer = await self.run("cat-file", "--batch-check=%(objecttype)", stdin=asked)
        return answer.stdout.split() == [b"tree"] * len(trees)

    async def empty_tree(self) -> str:
        return (await self.run("hash-object", "-t", "tree", "-w", "--stdin")).text

    async def run(
        self,
        *args: str,
        stdin: bytes = b"",
        max_bytes: int = MAX_OUTPUT_BYTES,
        index: Path | None = None,
    ) -> GitOutput:
        """Run git on the repository of ours. Raises: GitFailed, GitNotInstalled, Timeout."""
        env = self._env if index is None else {**self._env, "GIT_INDEX_FILE": str(index)}
        return await self._git.run(*args, cwd=self.path, env=env, stdin=stdin, max_bytes=max_bytes)

    @property
    def _env(self) -> dict[str, str]:
        found = {
            **LOCAL_ONLY,
            "GIT_DIR": str(self._store),
            "GIT_WORK_TREE": str(self.path),
            "GIT_INDEX_FILE": str(self._store / "index"),
        }
        if self._repository is not None:
            borrowed = str(self._repository.common_dir / "objects")
            found["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = _quoted(borrowed)
        return found

    async def _candidates(self) -> list[bytes]:
        """What may differ from the index: changed, gone or new."""
        found, nested = await self._listed("-m", "-d")
        for count, place in enumerate(nested):
            if count == _NESTED_AT_MOST:
                break
            # A repository in the work tree, which git takes for somebody else's. To us its files are files, too.
            below = os.fsdecode(place)
            more, deeper = await self._listed(
                GIT_WORK_TREE=str(self.path / below), GIT_INDEX_FILE=str(self._store / "no-index")
            )
            found += [place + path for path in more]
            nested += [place + path for path in deeper]
        return list(dict.fromkeys(found))

    async def _listed(self, *kinds: str, **env: str) -> tuple[list[bytes], list[bytes]]:
        """Files, and repositories below."""
        where = Path(env.get("GIT_WORK_TREE", self.path))
        output = await self._git.run(
            *("ls-files", "-z", "-o", "--exclude-standard", *kinds),
            cwd=where,
            env={**self._env, **env},
        )
        if output.is_cut:
            raise self._too_much("max_diff_tree_files", self._limits.max_diff_tree_files)
        paths = [path for path in output.stdout.split(b"\0") if path]
        return (
            [path for path in paths if not path.endswith(b"/")],
            [path for path in paths if path.endswith(b"/")],
        )

    def _look(self, candidates: list[bytes]) -> _Seen:
        """Blocks. Raises: LimitReached."""
        seen = _Seen([], [], {})
        size = 0
        if len(candidates) > self._limits.max_diff_tree_files:
            raise self._too_much("max_diff_tree_files", self._limits.max_diff_tree_files)
        root = os.fsencode(self.path) + b"/"
        for path in candidates:
            where = root + path
            try:
                status = os.lstat(where)
            except OSError:
                seen.changed.append(path)
                continue
            if stat.S_ISREG(status.st_mode):
                if status.st_size > self._limits.max_diff_file_bytes or not os.access(
                    where, os.R_OK
                ):
                    mode = 0o100755 if status.st_mode & 0o100 else 0o100644
                    seen.large[path] = (mode, status.st_size, status.st_mtime_ns)
                    continue
                size += status.st_size
            elif not (stat.S_ISLNK(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                seen.no_files.append(path)
                continue
            seen.changed.append(path)
        if size > self._limits.max_diff_tree_bytes:
            raise self._too_much("max_diff_tree_bytes", self._limits.max_diff_tree_bytes)
        return seen

    def _too_much(self, limit: str, value: int) -> LimitReached:
        return LimitReached(
            f"more has changed in {str(self.path)!r} than is looked at (`{limit}`, {value}); name what need not be "
            "seen in a `.gitignore`",
            limit=limit,
            value=value,
        )

    async def _write(self, large: Mapping[bytes, tuple[int, int, int]]) -> str:
        """The tree of the index and of what is not in it.

        Not in it, because git would read all of a file again and again whose entry has no times.
        """
        if not large:
            return (await self.run("write-tree", "--missing-ok")).text
        index = self._store / "index.large"
        await asyncio.to_thread(_copy_with_time, self._store / "index", index)
        files = await asyncio.to_thread(self._stand_ins, large)
        ids = await self.run(
            "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=_lines(map(str, files))
        )
        entries = [
            b"%o %s\t%s" % (mode, id, path)
            for (path, (mode, _, _)), id in zip(large.items(), ids.stdout.split(), strict=True)
        ]
        await self.run("update-index", "-z", "--index-info", stdin=_listed(entries), index=index)
        return (await self.run("write-tree", "--missing-ok", index=index)).text

    def _stand_ins(self, large: Mapping[bytes, tuple[int, int, int]]) -> list[Path]:
        """Blocks."""
        place = self._store / "large"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        files = []
        for number, (_, size, time_ns) in enumerate(large.values()):
            file = place / str(number)
            file.write_text(_STAND_IN % (size, time_ns), encoding="ascii")
            files.append(file)
        return files

    # Making it

    async def _set_up(self) -> None:
        settings = await self._settings()
        await asyncio.to_thread(self._make_store, settings)
        if self._repository is None or not (self._store / "index").exists():
            return
        try:
            flagged = await self.run("ls-files", "-z", "-v")
        except GitFailed:
            # Theirs is damaged: all files are read once.
            (self._store / "index").unlink()
            return
        # Whoever marks a file so does not want its changes to be seen.
        hidden = [one[2:] for one in flagged.stdout.split(b"\0") if one[:1].islower()]
        if hidden:
            how = ("--no-assume-unchanged", "-z", "--stdin")
            await self.run("update-index", *how, stdin=_listed(hidden))

    async def _settings(self) -> dict[str, str]:
        """What of the user's settings says how files are to be read, and what names no program."""
        found: dict[str, str] = {}
        if self._repository is None:
            return found
        config = self._repository.common_dir / "config"
        if await asyncio.to_thread(read_small, config) is None:
            return found
        output = await self._git.run(
            "config", "--no-includes", "-z", "--list", "--file", str(config), cwd=self.path, may_fail=True
        )  # fmt: skip
        for one in output.stdout.split(b"\0"):
            name, _, value = one.decode("utf-8", "replace").partition("\n")
            if name in _KEPT_SETTINGS and value.replace("-", "").isalnum():
                found[name] = value
        return found

    def _make_store(self, settings: Mapping[str, str]) -> None:
        """Blocks."""
        shutil.rmtree(self._store, ignore_errors=True)
        for name in ("objects", "refs", "info"):
            (self._store / name).mkdir(parents=True, mode=0o700)
        lines = [f"[{section}]\n\t{key} = {value}\n" for section, key, value in _split(settings)]
        version = 1 if "extensions.objectformat" in settings else 0
        # With `sparseCheckout` git looks at files that are marked as not checked out and are there all the same.
        core = f"[core]\n\trepositoryFormatVersion = {version}\n\tbare = false\n\tsparseCheckout = true\n"
        (self._store / "config").write_text(core + "".join(lines), encoding="ascii")
        excluded = [f"/{_pattern(path.relative_to(self.path))}/" for path in self._excluded]
        if self._repository is not None:
            info = self._repository.common_dir / "info"
            excluded.insert(0, read_small(info / "exclude") or "")
            attributes = read_small(info / "attributes") or ""
            (self._store / "info/attributes").write_text(attributes, **_AS_IT_IS)
            self._borrow_index(self._repository)
        (self._store / "info/exclude").write_text("\n".join([*excluded, ""]), **_AS_IT_IS)
        # Last: it says that the store is whole.
        (self._store / "HEAD").write_text(_HEAD, encoding="ascii")

    def _borrow_index(self, repository: Repository) -> None:
        """A copy knows when each file was last found to be as committed. Blocks."""
        _copy_with_time(repository.git_dir / "index", self._store / "index")
        for shared in repository.git_dir.glob("sharedindex.*"):
            _copy_with_time(shared, self._store / shared.name)


_AS_IT_IS: Final[dict[str, Any]] = {"encoding": "utf-8", "errors": "surrogateescape"}


def _copy_with_time(source: Path, target: Path) -> None:
    """A regular file; of anything else, nothing. Git compares the time of an index with those of its files."""
    target.unlink(missing_ok=True)
    if not source.is_symlink() and source.is_file():
        with suppress(FileNotFoundError):
            shutil.copyfile(source, target)
            shutil.copystat(source, target)


def _listed(paths: Iterable[bytes]) -> bytes:
    return b"".join(path + b"\0" for path in paths)


def _lines(texts: Iterable[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def _split(settings: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    for name, value in settings.items():
        section, _, key = name.partition(".")
        yield section, key, value


def _pattern(path: Path) -> str:
    return "".join(f"\\{letter}" if letter in "*?[\\" else letter for letter in path.as_posix())


def _quoted(path: str) -> str:
    """As git reads it where paths are separated by colons."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
