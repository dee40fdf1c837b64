"""A tree in the order of its paths, on descriptors: no link is followed, and what is ignored is not entered."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sandbox_agent_server.host.files.globs import IgnoreRules
from sandbox_agent_server.host.files.renaming import is_scratch

__all__ = ["Found", "walk"]

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_IGNORE_BYTES: Final = 1024 * 1024
_MAX_DEPTH: Final = 256


@dataclass(frozen=True, slots=True)
class Found:
    directory: int
    """Open while it is looked at."""
    name: str
    parts: tuple[str, ...]
    is_directory: bool

    @property
    def path(self) -> str:
        return "/".join(self.parts)


Rules = Sequence[tuple[int, IgnoreRules]]
"""With the number of parts that their directory is below the top."""


def walk(top: int, *, with_ignored: bool) -> Iterator[Found]:
    """Everything beneath a directory. Without ignored ones: neither `.git` nor what a `.gitignore` names.

    Raises: OSError of `top` only: what may not be read, or is gone by now, is left out.
    """
    yield from _walk(os.open(".", _DIRECTORY, dir_fd=top), (), (), with_ignored=with_ignored)


def _walk(
    directory: int, parts: tuple[str, ...], rules: Rules, *, with_ignored: bool
) -> Iterator[Found]:
    try:
        with os.scandir(directory) as entries:
            names = sorted((one.name, one.is_dir(follow_symlinks=False)) for one in entries)
        if not with_ignored and (own := _rules_in(directory)) is not None:
            rules = [*rules, (len(parts), own)]
        for name, is_directory in names:
            here = (*parts, name)
            if is_scratch(name):
                continue
            if not with_ignored and (name == ".git" or _is_ignored(here, rules, is_directory)):
                continue
            yield Found(directory, name, here, is_directory)
            if is_directory and len(here) < _MAX_DEPTH:
                try:
                    below = os.open(name, _DIRECTORY, dir_fd=directory)
                except OSError:
                    continue
                yield from _walk(below, here, rules, with_ignored=with_ignored)
    except OSError:
        if not parts:
            raise
    finally:
        os.close(directory)


def _is_ignored(parts: tuple[str, ...], rules: Rules, is_directory: bool) -> bool:
    for depth, own in reversed(rules):
        said = own.says(parts[depth:], is_directory=is_directory)
        if said is not None:
            return said
    return False


def _rules_in(directory: int) -> IgnoreRules | None:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        opened = os.open(".gitignore", flags, dir_fd=directory)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return None
        return IgnoreRules(os.read(opened, _MAX_IGNORE_BYTES).decode("utf-8", "surrogateescape"))
    except OSError:
        return None
    finally:
        os.close(opened)
