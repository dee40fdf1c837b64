"""What is around a workspace: the repository that it is in, and the files there that agents read or run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import WorkspaceNotTrusted

__all__ = [
    "MAX_FOLDERS",
    "MAX_MEMORY_FILE_BYTES",
    "around",
    "files_in",
    "memory_of",
    "refuse_answering",
    "refuse_untrusted",
    "repository_of",
]

MAX_MEMORY_FILE_BYTES: Final = 64 * 1024
"""Of a memory file that is handed to an agent; a larger one is left out."""
MAX_FOLDERS: Final = 200
"""That are looked through below one that agents read."""
_SHOWN: Final = 5


def around(workspace: Path, *, home: str | None) -> list[Path]:
    """Every directory whose files may count, outermost first: agents differ in where a repository ends,
    and one can have a `.git` of its own making anywhere.

    `home` is the user's own: what is there was not brought along.
    """
    outer = [path for path in workspace.parents if str(path) != home]
    return [*reversed(outer), workspace]


def repository_of(workspace: Path) -> list[Path]:
    """From the root of the repository down to `workspace`; that alone where there is no repository."""
    inner = [workspace, *workspace.parents]
    root = next((at for at, path in enumerate(inner) if _is_root(path / ".git")), 0)
    return inner[root::-1]


def files_in(directories: Iterable[Path], patterns: Sequence[str]) -> list[Path]:
    """The files there that fit, and those below what fits, also through links."""
    return [
        file
        for directory in directories
        for pattern in patterns
        for path in sorted(directory.glob(pattern))
        for file in _files_at(path)
    ]


def memory_of(directories: Sequence[Path], names: Sequence[str]) -> str | None:
    """The memory files of `directories` as one text for an agent that would not read them itself."""
    texts = [f"Instructions from: {path}\n{text}" for path, text in _memories(directories, names)]
    return "\n\n".join(texts) or None


def refuse_untrusted(title: str, files: Sequence[Path]) -> None:
    """Raises: WorkspaceNotTrusted when there is any of `files`, which the agent cannot be kept from running."""
    if not files:
        return
    shown = ", ".join(repr(str(path)) for path in files[:_SHOWN])
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    raise WorkspaceNotTrusted(
        f"{title} would run what the workspace brings along, and cannot be kept from it: {shown}{more}. "
        "Remove it, or make the session with `trust_workspace=True` when you trust this repository.",
        files=[str(path) for path in files],
    )


def _files_at(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    # Links can lead in circles: what is to be found is found long before.
    for folder, _, names in islice(os.walk(path, followlinks=True), MAX_FOLDERS):
        for name in sorted(names):
            yield Path(folder, name)


def _is_root(git: Path) -> bool:
    return git.is_file() or (git / "HEAD").is_file()


def refuse_answering(files: Sequence[Path], events: Sequence[str]) -> None:
    """Hooks that answer in place of whoever is asked, where nothing else would beat them.

    Raises: WorkspaceNotTrusted, whether the workspace is trusted or not.
    """
    for path in files:
        try:
            text = path.read_text(encoding="utf-8", errors="replace").lower()
        except OSError:
            continue
        # A letter can be written as an escape: nobody does that in good faith.
        found = next((event for event in events if event.lower() in text or "\\u" in text), None)
        if found is not None:
            raise WorkspaceNotTrusted(
                f"A hook `{found}` in {str(path)!r} could answer what this session is asked, whoever "
                "should decide. Remove it; trust does not cover that.",
                files=[str(path)],
            )


def _memories(directories: Sequence[Path], names: Sequence[str]) -> Iterator[tuple[Path, str]]:
    for path in files_in(directories, names):
        try:
            # A link could lead to what the agent itself would have to ask for.
            is_inside = path.resolve().is_relative_to(path.parent.resolve())
            if is_inside and path.is_file() and path.stat().st_size <= MAX_MEMORY_FILE_BYTES:
                yield path, path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
