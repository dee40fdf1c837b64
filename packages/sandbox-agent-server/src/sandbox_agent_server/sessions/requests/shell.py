"""What a shell would run of a command line: for rules that forbid, so it finds too much rather than too little.

It is no shell. What it cannot tell (a program behind a variable, quotes that do not end) it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

from sandbox_agent_server.sessions.requests.shell_words import Scanner, SimpleCommand, Word

__all__ = ["MAX_FORM_CHARS", "Commands", "read_commands"]

MAX_FORM_CHARS: Final = 128 * 1024
"""Of all forms of one command line, and of the lines within it. What comes after that is a text in which any word
may be run."""
_MAX_DEPTH: Final = 8
"""Of command lines within command lines."""
_MAX_RUN_WORDS: Final = 64
"""Of a command that runs another: so far the other one is looked for."""

_SHELLS: Final = frozenset(
    {
        ".", "alias", "ash", "bash", "cmd", "cmd.exe", "csh", "dash", "eval", "fish", "ksh", "mksh", "nu",
        "powershell", "pwsh", "rbash", "sh", "source", "tcsh", "trap", "zsh",
    }
)  # fmt: skip
"""Their arguments are command lines."""
_RUNNERS: Final = frozenset(
    {
        "builtin", "bunx", "bwrap", "busybox", "caffeinate", "capsh", "chpst", "chroot", "chrt", "command", "coproc",
        "docker", "doas", "entr", "env", "exec", "fakeroot", "fd", "find", "firejail", "flock", "gosu", "ionice",
        "kubectl", "ltrace", "nice", "nohup", "npx", "nsenter", "numactl", "parallel", "pipenv", "pkexec", "podman",
        "poetry", "proxychains", "rlwrap", "runuser", "script", "setarch", "setpriv", "setsid", "ssh", "stdbuf",
        "strace", "su", "sudo", "systemd-run", "taskset", "time", "timeout", "toybox", "unbuffer", "unshare", "uv",
        "watch", "xargs", "xvfb-run",
    }
)  # fmt: skip
"""Somewhere in their arguments is another command."""
_INTERPRETERS: Final = re.compile(
    r"(?:python|pypy|perl|ruby|node|bun|deno|php|lua|awk|gawk|mawk)[\d.]*"
)
_KEYWORDS: Final = frozenset(
    {"!", "case", "do", "elif", "else", "for", "function", "if", "in", "select", "then", "until", "while"}
)  # fmt: skip
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=")
_NOT_IN_WORDS: Final = re.compile(r"[^\w.+*?!-]+")
_QUOTING: Final = str.maketrans("", "", "\\\"'")
_IS_LINE: Final = re.compile(r"[\s;&|<>`$()]")


@dataclass(frozen=True, slots=True)
class Commands:
    lines: tuple[str, ...]
    """Simple commands as plain words with a blank between, in each form by which a rule may name one: with and
    without its directory and the options in front, and what a `sudo` before it runs."""
    beginnings: frozenset[str]
    """Of commands that go on with what only a shell knows: what is certain of them."""
    words: frozenset[str]
    """Of text that could not be taken apart, or is in another language: any of them may be run."""


# A policy asks about the same line for each of its rules.
@lru_cache(maxsize=16)
def read_commands(line: str) -> Commands:
    reading = _Reading()
    reading.read(line, 0)
    if reading.is_full:
        reading.murky.append(line)
    words = (_NOT_IN_WORDS.split(text.translate(_QUOTING)) for text in reading.murky)
    return Commands(
        tuple(reading.lines), frozenset(reading.beginnings), frozenset(chain.from_iterable(words))
    )


class _Reading:
    def __init__(self) -> None:
        self.lines: dict[str, None] = {}
        self.beginnings: set[str] = set()
        self.murky: list[str] = []
        self._form_chars = 0
        self._read_chars = 0

    def read(self, line: str, depth: int) -> None:
        self._read_chars += len(line)
        if depth > _MAX_DEPTH or self._read_chars > MAX_FORM_CHARS:
            self.murky.append(line)
            return
        scanner = Scanner(line)
        for command in scanner.commands():
            if self.is_full:
                break
            self._add(command, depth)
        if scanner.is_open:
            self.murky.append(line)
        for inner in scanner.inner:
            self.read(inner, depth + 1)

    def _add_line(self, *words: str) -> None:
        form = " ".join(words)
        self._form_chars += len(form)
        if not self.is_full:
            self.lines[form] = None

    @property
    def is_full(self) -> bool:
        return self._form_chars > MAX_FORM_CHARS

    def _add(self, command: SimpleCommand, depth: int, *, is_run: bool = False) -> None:
        words = command.words
        while words and (words[0].text in _KEYWORDS or _ASSIGNMENT.match(words[0].text)):
            value = words[0].text.partition("=")[2]
            if words[0].certain is None and _IS_LINE.search(value):
                self.read(value, depth + 1)
            words = words[1:]
        if not words:
            return
        program = words[0].text.rpartition("/")[2]
        self._add_forms(program, words, is_run=is_run)
        if program in _SHELLS and not (is_run and program == "."):
            self._add_shell(SimpleCommand(words[1:], command.is_fed or is_run), depth)
        elif program in _RUNNERS and not is_run:
            self._add_runs(words[1:], depth)
        elif _INTERPRETERS.fullmatch(program):
            self.murky += [word.text for word in words[1:] if _IS_LINE.search(word.text)]

    def _add_forms(self, program: str, words: list[Word], *, is_run: bool) -> None:
        self._add_uncertain(program, words, is_run=is_run)
        arguments = [word.text for word in words[1:]]
        for name in dict.fromkeys((program, words[0].text)):
            self._add_line(name, *arguments)
        # `git -C x push` is `git push`.
        is_value = False
        for index, word in enumerate(arguments[:_MAX_RUN_WORDS]):
            is_option = word.startswith("-")
            if not (is_option or is_value):
                break
            self._add_line(program, *arguments[index + 1 :])
            is_value = is_option

    def _add_uncertain(self, program: str, words: list[Word], *, is_run: bool) -> None:
        first = words[0]
        if first.certain is not None:
            self.beginnings.add("")
            return
        if first.glob_at is not None and first.text not in ("[", "[["):
            known = first.text[: first.glob_at].rpartition("/")[2]
            # Behind a runner most such words are arguments of it: `find . -name *.py`.
            if "/" not in first.text[first.glob_at :] and (known or not is_run):
                self.beginnings.add(known)
        for index, word in enumerate(words):
            if word.certain is not None:
                before = [program, *(each.text for each in words[1:index])]
                self.beginnings.add(" ".join([*before, word.certain]))
                return

    def _add_shell(self, command: SimpleCommand, depth: int) -> None:
        plain = [word for word in command.words if not word.text.startswith(("-", "+"))]
        if (not plain and command.is_fed) or any(word.certain is not None for word in plain):
            self.beginnings.add("")  # it runs what nobody sees here
        for word in plain:
            self.read(word.text, depth + 1)
        if len(plain) > 1:
            self.read(" ".join(word.text for word in plain), depth + 1)  # as `eval` does

    def _add_runs(self, words: list[Word], depth: int) -> None:
        for start, word in enumerate(words[:_MAX_RUN_WORDS]):
            if _IS_LINE.search(word.text):
                self.read(word.text, depth + 1)
            self._add(SimpleCommand(words[start:]), depth + 1, is_run=True)
        if len(words) > _MAX_RUN_WORDS:
            self.murky.append(" ".join(word.text for word in words[_MAX_RUN_WORDS:]))
