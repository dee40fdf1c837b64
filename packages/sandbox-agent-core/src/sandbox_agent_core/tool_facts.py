"""What a tool call is about, for whoever decides on it: what a person is shown is what a rule judges.

Agents tell it in arguments of any shape, in `_meta`, in places and diffs, and in several frames. This is
the one reading of all that. What it does not find is unknown, which is not the same as harmless.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox_agent_core.frames.acp import TOOL_KINDS
from sandbox_agent_core.lenient import as_dict, as_list, as_str, dicts_with
from sandbox_agent_core.patches import patched_paths
from sandbox_agent_core.tool_calls import name_of

__all__ = ["MAX_FACT_CHARS", "MAX_PATHS", "MAX_TELLINGS", "ToolFacts", "facts_of"]

MAX_FACT_CHARS: Final = 64 * 1024
"""Of the commands, texts and paths of one call together; a call that has more is not known in full."""
MAX_PATHS: Final = 256
"""Of one telling; a call that names more is not known in full."""
MAX_TELLINGS: Final = 16
"""How many different earlier tellings of a call are kept; after that it is not known in full."""
_MAX_DEPTH: Final = 8

# The names of arguments, without case, `_` and `-`.
_COMMAND_KEYS: Final = frozenset(
    {
        "bash", "cmd", "cmdline", "command", "commandline", "commands", "commandtext", "exec",
        "script", "scripts", "shell", "shellcommand",
    }
)  # fmt: skip
_ARGUMENTS: Final = ("args", "argv", "arguments")
_BESIDE_COMMANDS: Final = frozenset(
    {*_ARGUMENTS, "chars", "code", "env", "environment", "input", "keys", "stdin"}
)
"""What is run, or changes what is run, when it stands beside a command."""
_PATH_KEYS: Final = frozenset(
    {
        "blockedpath", "changes", "destination", "edits", "filenames", "files", "grantroot", "moves",
        "newname", "oldname", "renames", "uris", "writableroots",
    }
)  # fmt: skip
_PATH_ENDINGS: Final = ("path", "paths", "file", "filename", "uri", "dir", "directory", "folder")
_VAGUE_PATH_KEYS: Final = frozenset(
    {"dest", "dst", "from", "root", "source", "sources", "src", "target", "targets", "to"}
)
"""Of many tools a path, of others a date or a name."""
_MAYBE_PATH: Final = re.compile(r"[/\\.~]")
_PATCH_KEYS: Final = frozenset({"patch", "diff", "unifieddiff", "input", "patchtext"})
_PROSE_KEYS: Final = frozenset(
    {
        "body", "content", "contents", "description", "diff", "explanation", "filetext", "inserttext",
        "instructions", "justification", "message", "newsource", "newstr", "newstring", "newtext", "oldstr",
        "oldstring", "oldtext", "patch", "patchtext", "pattern", "prompt", "query", "reason", "regex",
        "replacement", "summary", "text", "thought", "title", "unifieddiff", "url", "value",
    }
)  # fmt: skip
"""What people read or files will hold: a path in it is not where the call works."""
_PATHS_AS_KEYS: Final = frozenset({"changes", "edits", "files", "moves", "renames"})
_LOOKS_LIKE_PATH: Final = re.compile(r"(?:/|~|\.\.?/|\.[\w.-]+/)[^\n\r]*|\.\.?")
_HAS_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_OF_META: Final = ("metadata", "grantRoot")


@dataclass(frozen=True, slots=True)
class ToolFacts:
    kinds: tuple[str, ...] = ()
    """Every kind that was told of it, as it was told; ACP does not make an agent tell one."""
    names: tuple[str, ...] = ()
    """Every name of the tool that was told."""
    commands: tuple[str, ...] = ()
    """Command lines in its arguments, the first that is told first. All of them may run."""
    texts: tuple[str, ...] = ()
    """Of a call without a command: arguments that may be one for all that we know."""
    paths: tuple[str, ...] = ()
    """The files that it says it works on, as it says them."""
    has_input: bool = False
    """Its arguments were told, whatever they are."""
    is_cut: bool = False
    """There was too much of it to be kept."""
    earlier: tuple[ToolFacts, ...] = ()
    """What was told of it before, where that was something else."""

    @property
    def command(self) -> str | None:
        """All of its command lines, as one text."""
        return "\n".join(self.commands) if self.commands else None

    @property
    def tellings(self) -> tuple[ToolFacts, ...]:
        return (self, *self.earlier)

    @property
    def may_execute(self) -> bool:
        """It is told to be a command, or it is not told what it is."""
        return self._is_unknown or "execute" in self._known_kinds

    @property
    def has_unknown_kind(self) -> bool:
        return not self.kinds or any(kind not in TOOL_KINDS for kind in self.kinds)

    @property
    def is_command_unknown(self) -> bool:
        return self.is_cut or (self.may_execute and not self.commands)

    @property
    def is_path_unknown(self) -> bool:
        needs_one = self._is_unknown or bool(_ON_FILES & self._known_kinds)
        return self.is_cut or (needs_one and not self.paths)

    @property
    def _known_kinds(self) -> set[str]:
        return {kind.lower() for kind in self.kinds}

    @property
    def _is_unknown(self) -> bool:
        """Nobody said what it does. `other` is an answer only beside arguments that can be looked at."""
        return self.has_unknown_kind or ("other" in self.kinds and not self.has_input)

    def then(self, later: ToolFacts) -> ToolFacts:
        """What is known when this was told and then that: kinds and names add up, of the rest the last counts."""
        before = replace(self, earlier=())
        now = ToolFacts(
            kinds=_joined(self.kinds, later.kinds),
            names=_joined(self.names, later.names),
            commands=later.commands or (() if later.texts else self.commands),
            texts=later.texts or (() if later.commands else self.texts),
            paths=later.paths or self.paths,
            has_input=self.has_input or later.has_input,
            is_cut=self.is_cut or later.is_cut,
        )
        if _is_beginning_of(before, now):
            return replace(now, earlier=self.earlier)
        told = replace(now, earlier=(before, *self.earlier))
        if len(self.earlier) >= MAX_TELLINGS or sum(map(_size, told.tellings)) > MAX_FACT_CHARS:
            return replace(now, earlier=self.earlier, is_cut=True)
        return told


_ON_FILES: Final = frozenset({"read", "edit", "delete", "move"})


def facts_of(tool_call: Mapping[str, Any]) -> ToolFacts:
    """Of one telling: an ACP tool call or an update of one, of any shape."""
    kind, name = as_str(tool_call.get("kind")), name_of(tool_call)
    given = tool_call.get("rawInput")
    reading = _Reading()
    for group in ("locations", "content"):
        for item in dicts_with(tool_call.get(group), "path"):
            reading.add_path(item["path"])
    reading.read(given)
    for member in as_dict(tool_call.get("_meta")).values():
        reading.read({key: as_dict(member).get(key) for key in _OF_META})
    can_be_command = not reading.commands and kind in (None, "execute", "other")
    texts = reading.texts if can_be_command or kind not in TOOL_KINDS else {}
    commands = tuple(reading.commands)
    return ToolFacts(
        kinds=() if kind is None else (kind,),
        names=() if name is None else (name,),
        commands=commands,
        texts=() if commands else tuple(texts),
        paths=tuple(reading.paths),
        has_input=bool(given or commands or reading.texts),
        is_cut=reading.is_cut,
    )


class _Reading:
    """Of the arguments of one call. Dictionaries for their order: what is told first is shown first."""

    def __init__(self) -> None:
        self.commands: dict[str, None] = {}
        self.paths: dict[str, None] = {}
        self.texts: dict[str, None] = {}
        self.is_cut = False
        self._chars = 0

    def read(self, arguments: Any) -> None:
        if isinstance(arguments, str):
            self._keep(self.texts, arguments)
        else:
            self._read_object(as_dict(arguments), depth=0)

    def add_path(self, path: str) -> None:
        is_elsewhere = _HAS_SCHEME.match(path) is not None and not _is_file_uri(path)
        if path and not is_elsewhere:
            self.is_cut = self.is_cut or len(self.paths) >= MAX_PATHS
            self._keep(self.paths, path)

    def _read_object(self, given: Mapping[str, Any], *, depth: int) -> None:
        if depth > _MAX_DEPTH:
            self.is_cut = True
            return
        members = [(_bare(key), value) for key, value in given.items()]
        for line in _command_lines(dict(members)):
            self._keep(self.commands, line)
        for key, value in members:
            self._read_member(key, value, depth=depth + 1)

    def _read_member(self, key: str, value: Any, *, depth: int) -> None:
        if self.is_cut:
            return  # it is not known in full, whatever comes
        if isinstance(value, str):
            self._read_text(key, value)
        elif isinstance(value, dict):
            for inner in value:
                if (key in _PATHS_AS_KEYS and not _is_known(inner)) or _looks_like_path(inner):
                    self.add_path(inner)
            self._read_object(value, depth=depth)
        elif isinstance(value, list) and depth > _MAX_DEPTH:
            self.is_cut = True
        else:
            for item in as_list(value):
                if isinstance(item, dict):
                    self._read_object(item, depth=depth + 1)
                else:
                    self._read_member(key, item, depth=depth + 1)

    def _read_text(self, key: str, text: str) -> None:
        if key in _PATCH_KEYS:
            for path in patched_paths(text):
                self.add_path(path)
        if _is_file_uri(text):
            self.add_path(text)
        elif key in _PROSE_KEYS or key in _COMMAND_KEYS or key in _BESIDE_COMMANDS:
            return
        elif _names_path(key, text) or _looks_like_path(text):
            self.add_path(text)
        else:
            self._keep(self.texts, text)

    def _keep(self, where: dict[str, None], text: str) -> None:
        if text in where:
            return
        self._chars += len(text)
        self.is_cut = self.is_cut or self._chars > MAX_FACT_CHARS
        if not self.is_cut:
            where[text] = None


def _command_lines(given: Mapping[str, Any]) -> Iterator[str]:
    """Of one object of arguments, everything that is run or changes what is run."""
    carriers = [key for key in given if key in _COMMAND_KEYS]
    lines = [line for key in carriers for line in _lines(given[key], is_many=key.endswith("s"))]
    if not lines:
        return
    beside = {key: value for key, value in given.items() if key in _BESIDE_COMMANDS}
    words = next((words for key in _ARGUMENTS if (words := _words(beside.get(key)))), [])
    if words and not lines[0].split()[1:]:
        # A program and its arguments, apart.
        lines[0] = f"{lines[0]} {shlex.join(words)}"
        beside = {key: value for key, value in beside.items() if key not in _ARGUMENTS}
    yield from lines
    for key, value in beside.items():
        if key.startswith("env") and isinstance(value, dict):
            yield from (f"{name}={text}" for name, text in value.items())
        else:
            yield from _lines(value)


def _lines(value: Any, *, is_many: bool = False) -> Iterator[str]:
    """Commands: a text, a list of words, a list of commands, or any of these within objects."""
    if isinstance(value, str):
        if value.strip():
            yield value
    elif len(words := _words(value)) > 1 and not is_many:
        yield shlex.join(words)
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            if words or not isinstance(item, str):
                yield from _lines(item)


def _words(value: Any) -> list[str]:
    items = as_list(value)
    return items if all(isinstance(item, str) for item in items) else []


def _bare(key: Any) -> str:
    return str(key).lower().replace("_", "").replace("-", "")


def _names_path(key: str, text: str) -> bool:
    if key in _PROSE_KEYS:
        return False
    return (
        key in _PATH_KEYS
        or key.endswith(_PATH_ENDINGS)
        or (key in _VAGUE_PATH_KEYS and _MAYBE_PATH.search(text) is not None)
    )


def _looks_like_path(text: Any) -> bool:
    return isinstance(text, str) and _LOOKS_LIKE_PATH.fullmatch(text) is not None


def _is_file_uri(text: str) -> bool:
    return text[:5].lower() == "file:"


def _is_known(key: Any) -> bool:
    bare = _bare(key)
    return bare in _PROSE_KEYS or bare in _PATCH_KEYS or _names_path(bare, str(key))


def _size(facts: ToolFacts) -> int:
    return sum(map(len, (*facts.commands, *facts.texts, *facts.paths)))


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _is_beginning_of(before: ToolFacts, now: ToolFacts) -> bool:
    """Arguments come in pieces: the beginning of a command was no other command."""
    pairs = (
        (before.commands or before.texts, now.commands or now.texts),
        (before.paths, now.paths),
    )
    return all(
        len(old) <= len(new) and all(b.startswith(a) for a, b in zip(old, new, strict=False))
        for old, new in pairs
    )
