"""Whether a pattern of a rule is about the commands of a tool call.

To forbid, the command is taken apart as a shell would, and what stays hidden counts as a match. To allow,
it has to be one simple command, seen in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from sandbox_agent_core.tool_facts import ToolFacts

from sandbox_agent_server.sessions.requests.shell import Commands, read_commands

__all__ = ["forbids", "permits"]

_SHELL_SYNTAX: Final = re.compile(r"[;&|<>`\n\r]|\$\(|\$\{")
_ON_FILES: Final = frozenset({"edit", "delete", "move"})
_GLOB: Final = re.compile(r"[*?\[]")


def forbids(pattern: str, facts: ToolFacts) -> bool:
    if facts.is_command_unknown:
        return True
    if any(_is_in(pattern, line) for one in facts.tellings for line in one.commands):
        return True
    # An unknown tool with arguments: any of them may be a command.
    return any(
        _is_one_of(pattern, read_commands(text).lines)
        for one in facts.tellings
        for text in one.texts
    )


def permits(pattern: str, facts: ToolFacts) -> bool:
    told = [one for one in facts.tellings if one.commands]
    if not told or facts.is_cut or not facts.commands or _ON_FILES.intersection(facts.kinds):
        return False
    return all(
        # What a person was shown is a rule for just that, whatever in it a glob would take apart.
        one.command == pattern or all(_is_simply(pattern, line) for line in one.commands)
        for one in told
    )


def _is_simply(pattern: str, line: str) -> bool:
    # `git *` must not let `git status; rm -rf /` through: what a shell would take apart is allowed by
    # its exact text only.
    return line == pattern or (not _SHELL_SYNTAX.search(line) and fnmatchcase(line, pattern))


def _is_in(pattern: str, line: str) -> bool:
    if fnmatchcase(line, pattern) or fnmatchcase(line.strip(), pattern):
        return True
    commands = read_commands(line)
    return _is_one_of(pattern, commands.lines) or _may_be_hidden(pattern, commands)


def _is_one_of(pattern: str, lines: Iterable[str]) -> bool:
    # With a blank at its end `rm` is an `rm *` whose arguments come from elsewhere, as behind `xargs`.
    return any(fnmatchcase(line, pattern) or fnmatchcase(f"{line} ", pattern) for line in lines)


def _may_be_hidden(pattern: str, commands: Commands) -> bool:
    if "" in commands.beginnings:
        return True  # it may be any program
    literal = _literal(pattern)
    if literal and any(literal.startswith(known) for known in commands.beginnings):
        return True
    program = next(iter(pattern.split()), "").rpartition("/")[2]
    if not _literal(program):
        return bool(commands.words)
    return any(fnmatchcase(word, program) for word in commands.words)


def _literal(pattern: str) -> str:
    """What every text that matches begins with."""
    return _GLOB.split(pattern, maxsplit=1)[0]
