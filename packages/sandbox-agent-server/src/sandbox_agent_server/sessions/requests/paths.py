"""Where a path of an agent leads: every way in which a tool may read it, through links, and back to the workspace."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import unquote, urlsplit

__all__ = ["MAX_PATH_CHARS", "PROTECTED", "Form", "Place", "Workspace"]

MAX_PATH_CHARS: Final = 4096
"""What a system opens; a longer path leads nowhere."""
PROTECTED: Final = frozenset(
    {
        ".agents/**", ".aider*", ".amp/**", ".claude/**", ".claude.json", ".clinerules", ".clinerules/**",
        ".codex/**", ".continue/**", ".copilot/**", ".cursor/**", ".cursorrules", ".devcontainer/**", ".env",
        ".env.*", ".envrc", ".gemini/**", ".git", ".git/**", ".gitconfig", ".github/agents/**",
        ".github/copilot*", ".github/hooks/**", ".github/instructions/**", ".github/mcp*", ".github/skills/**",
        ".gitmodules", ".husky/**", ".idea/**", ".kilo*", ".kilo*/**", ".mcp.json", ".opencode/**", ".pi/**",
        ".qwen/**", ".roo*", ".roo/**", ".vscode/**", ".windsurf*", "agent.md", "agents.local.md", "agents.md",
        "agents.override.md", "claude.local.md", "claude.md", "copilot-instructions.md", "gemini.md", "kilo.json*",
        "lefthook.y*ml", ".pre-commit-config.y*ml", "mcp.json", "opencode.json*", "qwen.md",
        ".bash_profile", ".bashrc", ".profile", ".ssh/**", ".zprofile", ".zshenv", ".zshrc",
    }
)  # fmt: skip
"""Configuration and hooks, of agents and of what runs by itself: whoever writes them widens what is allowed. At any
depth of the workspace, in any case."""


class Workspace:
    def __init__(
        self,
        cwd: str,
        *,
        additional: Sequence[str] = (),
        resolve: Callable[[str], str] = os.path.realpath,
        home: Callable[[str], str] = os.path.expanduser,
    ) -> None:
        """`additional`: directories that are as the workspace, though what is in them is named by its whole path."""
        self._cwd = _normal(cwd)
        self._resolve = resolve
        self._home = home
        self._real_cwd = self._resolved(self._cwd) or self._cwd
        self._additional = [
            root
            for path in map(_normal, additional)
            for root in dict.fromkeys((path, self._resolved(path) or path))
        ]

    def place(self, path: str) -> Place:
        literal: dict[Form, None] = {}
        resolved: dict[Form, None] = {}
        for reading in dict.fromkeys(_readings(path)):
            joined = posixpath.join(self._cwd, self._at_home(reading))
            literal[self._form(_normal(joined))] = None
            # `link/..` is another directory for a tool that opens it than for one that first takes the dots out.
            for way in (joined, _normal(joined)):
                real = self._resolved(way)
                # One that cannot be resolved leads nowhere that a rule could allow.
                resolved[Form() if real is None else self._form(real)] = None
        return Place(path, tuple(literal), tuple(resolved))

    def _at_home(self, path: str) -> str:
        return self._home(path) if path.startswith("~") else path

    def _resolved(self, path: str) -> str | None:
        if len(path) > MAX_PATH_CHARS:
            return None
        try:
            return _normal(self._resolve(path))
        except (OSError, ValueError):
            return None

    def _form(self, absolute: str) -> Form:
        relatives = [posixpath.relpath(absolute, root) for root in (self._cwd, self._real_cwd)]
        inside = [path for path in relatives if _is_below(path)]
        by_own_name = [_normal(posixpath.join(self._cwd, path)) for path in inside]
        texts = dict.fromkeys((absolute, *by_own_name, *relatives))
        others = (posixpath.relpath(absolute, root) for root in self._additional)
        return Form(tuple(texts), tuple(dict.fromkeys((*inside, *filter(_is_below, others)))))


@dataclass(frozen=True, slots=True)
class Form:
    texts: tuple[str, ...] = ()
    """As a rule may name it: absolute, relative to the workspace, and absolute by the workspace's own name."""
    inside: tuple[str, ...] = ()
    """Relative to the workspace, when it is in it, and to each directory that is as the workspace."""

    @property
    def is_protected(self) -> bool:
        # Of a workspace that is itself below `.claude` what is in it counts, not where it is.
        return any(_PROTECTED.search(text.lower()) for text in self.inside or self.texts)


@dataclass(frozen=True, slots=True)
class Place:
    told: str
    literal: tuple[Form, ...]
    """What its text says."""
    resolved: tuple[Form, ...]
    """Where that leads."""

    @property
    def is_inside(self) -> bool:
        """In the workspace, however it is read."""
        return all(form.inside for form in self.resolved)

    @property
    def is_protected(self) -> bool:
        return any(form.is_protected for form in (*self.literal, *self.resolved))

    def is_all_in(self, pattern: str) -> bool:
        return all(any(fnmatchcase(text, pattern) for text in form.texts) for form in self.resolved)

    def is_partly_in(self, pattern: str) -> bool:
        texts = (text for form in (*self.literal, *self.resolved) for text in form.texts)
        return fnmatchcase(self.told, pattern) or any(fnmatchcase(text, pattern) for text in texts)

    def is_named(self, path: str) -> bool:
        return all(path in form.texts for form in self.resolved)


def _readings(path: str) -> Iterator[str]:
    """As tools read it: as it is, without blanks around it, as a URI, with its escapes undone."""
    for text in (path, path.strip()):
        yield text
        is_uri = text[:5].lower() == "file:"
        if is_uri:
            yield unquote(urlsplit(text).path) or "/"
            yield text[5:]
        if "%" in text:
            yield unquote(text[5:] if is_uri else text)


def _is_below(relative: str) -> bool:
    return relative != ".." and not relative.startswith("../")


def _normal(path: str) -> str:
    # Two slashes in front mean the same as one, but `normpath` keeps them.
    return posixpath.normpath("/" + path.lstrip("/"))


def _expression(pattern: str) -> str:
    escaped = re.escape(pattern.removesuffix("/**")).replace(r"\*", "[^/]*")
    return escaped + ("(?:/|$)" if pattern.endswith("/**") else "$")


_PROTECTED: Final = re.compile("(?:^|/)(?:" + "|".join(map(_expression, sorted(PROTECTED))) + ")")
