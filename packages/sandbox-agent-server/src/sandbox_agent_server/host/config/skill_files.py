"""A skill: a folder with a `SKILL.md`, found below another one, and copied with what is in it."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Budget", "Skill", "copy_skill", "skills_below"]

_FILE: Final = "SKILL.md"
_MAX_DEPTH: Final = 5
_MAX_FOLDERS: Final = 5000
_MAX_TEXT_BYTES: Final = 1024 * 1024
_NOT_LOOKED_INTO: Final = frozenset({".git", "node_modules", ".venv", "__pycache__"})
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MEMBER: Final = re.compile(r"(name|description)\s*:\s*(.*)")
_FRONT_MATTER: Final = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.S | re.M
)
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Skill:
    name: str
    description: str
    folder: Path
    text: str
    """What follows the front matter."""


class Budget:
    """How much may still be copied."""

    def __init__(self, size_bytes: int, files: int) -> None:
        self._bytes = size_bytes
        self._files = files

    def take(self, size: int) -> None:
        """Raises: ValueError: it is too much."""
        self._bytes -= size
        self._files -= 1
        if self._bytes < 0 or self._files < 0:
            raise ValueError(
                "it has more files or bytes than `max_skill_files` and `max_skill_bytes` allow"
            )


def skills_below(folder: Path) -> Iterator[Skill]:
    """The one that the folder is, or those below it. No link is followed."""
    looked = 0
    for at, folders, files in os.walk(folder):
        looked += 1
        here = Path(at)
        if _FILE in files and (skill := _read(here)) is not None:
            folders.clear()  # what is in a skill is its own
            yield skill
            continue
        if len(here.relative_to(folder).parts) >= _MAX_DEPTH or looked > _MAX_FOLDERS:
            folders.clear()
        folders[:] = sorted(name for name in folders if name not in _NOT_LOOKED_INTO)


def copy_skill(skill: Skill, to: Path, budget: Budget) -> None:
    """Regular files only. Of the front matter, name and description: what it allows its agent is not its to say.

    Raises: OSError, ValueError: it is larger than the budget.
    """
    to.mkdir(parents=True)
    # JSON is YAML.
    head = (
        f"---\nname: {json.dumps(skill.name)}\ndescription: {json.dumps(skill.description)}\n---\n"
    )
    _write(to / _FILE, (head + skill.text).encode("utf-8", "replace"), budget, mode=0o644)
    for at, folders, files in os.walk(skill.folder):
        folders[:] = [
            name
            for name in folders
            if name not in _NOT_LOOKED_INTO and not Path(at, name).is_symlink()
        ]
        here = to / Path(at).relative_to(skill.folder)
        here.mkdir(exist_ok=True)
        for name in files:
            if here / name == to / _FILE:
                continue
            if (found := _regular(Path(at, name), budget)) is not None:
                data, mode = found
                _write(here / name, data, None, mode=0o755 if mode & 0o100 else 0o644)


def _read(folder: Path) -> Skill | None:
    try:
        found = _regular(folder / _FILE, Budget(_MAX_TEXT_BYTES, 1))
    except ValueError:
        return None
    if found is None:
        return None
    text = found[0].decode("utf-8", "replace")
    head = _FRONT_MATTER.match(text)
    told = _members(head[1]) if head else {}
    name = told.get("name", "")
    if not _NAME.fullmatch(name):
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-._")[:64] or "skill"
    body = text[head.end() :] if head else text
    return Skill(name, told.get("description") or _first_line(body) or name, folder, body)


def _members(head: str) -> dict[str, str]:
    """`name` and `description`; of YAML only what people write there."""
    found: dict[str, str] = {}
    lines = head.splitlines()
    for index, line in enumerate(lines):
        if (member := _MEMBER.fullmatch(line.rstrip())) is None:
            continue
        value = member[2].strip()
        if value[:1] in ("", "|", ">"):
            value = " ".join(_indented(lines[index + 1 :]))
        elif len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        else:
            value = " ".join([value.partition(" #")[0].strip(), *_indented(lines[index + 1 :])])
        found[member[1]] = value[:1024].strip()
    return found


def _indented(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if line.strip() and not line[0].isspace():
            return
        if line.strip():
            yield line.strip()


def _first_line(text: str) -> str:
    lines = (line.lstrip("# ").strip() for line in text.splitlines())
    return next((line[:200] for line in lines if line), "")


def _regular(path: Path, budget: Budget) -> tuple[bytes, int] | None:
    """What is in it, and its mode; None when it is a link, a device or cannot be read. Raises: ValueError."""
    try:
        file = os.open(path, _OPEN)
    except OSError:
        return None
    with open(file, "rb") as opened:  # noqa: PTH123 - a descriptor
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            return None
        budget.take(status.st_size)
        return opened.read(status.st_size), status.st_mode


def _write(path: Path, data: bytes, budget: Budget | None, *, mode: int) -> None:
    if budget is not None:
        budget.take(len(data))
    path.write_bytes(data)
    path.chmod(mode)
