"""A command line as a shell would cut it: simple commands of plain words, and command lines within it. Lenient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Scanner", "SimpleCommand", "Word"]

_BLANKS: Final = " \t\v\f"
_ENDS: Final = ";&|()\n\r"
_NAME: Final = re.compile(r"\w+|[@*#?!$-]")
_REDIRECTION: Final = re.compile(r"<<<|<<-?|[<>][<>&|]*")
_ESCAPED_IN_QUOTES: Final = '"\\$`\n'


@dataclass(slots=True)
class Word:
    text: str = ""
    certain: str | None = None
    """What it begins with, when what follows is known to a shell only."""
    glob_at: int | None = None
    """Where file names may come in."""

    def becomes_uncertain(self) -> None:
        if self.certain is None:
            self.certain = self.text


@dataclass(slots=True)
class SimpleCommand:
    words: list[Word] = field(default_factory=list)
    is_fed: bool = False
    """It reads something that is not the terminal."""


class Scanner:
    def __init__(self, line: str) -> None:
        self.inner: list[str] = []
        """What is run to make a word of it: `$(…)`, backquotes, `<(…)`."""
        self.is_open = False
        """Quotes or brackets do not end: the line could not be read as it was meant."""
        self._line = line
        self._at = 0
        self._command = SimpleCommand()
        self._word: Word | None = None
        self._is_target = False
        """The next word is where a redirection goes."""

    def commands(self) -> Iterator[SimpleCommand]:
        line = self._line
        while self._at < len(line):
            char = line[self._at]
            if char in _ENDS:
                yield from self._end_command()
                self._at += 1
                is_pipe = char == "|" and line[self._at : self._at + 1] != "|"
                self._command.is_fed = is_pipe and line[self._at - 2 : self._at - 1] != "|"
            elif char in _BLANKS:
                self._at += 1
                if self._end_word() in ("{", "}"):
                    self._command.words.pop()
                    yield from self._end_command()
            elif char in "<>":
                self._redirection()
            else:
                self._part(char)
        yield from self._end_command()

    def _end_command(self) -> Iterator[SimpleCommand]:
        self._end_word()
        self._is_target = False
        done, self._command = self._command, SimpleCommand()
        if done.words:
            yield done

    def _end_word(self) -> str | None:
        word, self._word = self._word, None
        if word is None:
            return None
        if self._is_target:
            self._is_target = False
            return None
        self._command.words.append(word)
        return word.text

    def _redirection(self) -> None:
        found = _REDIRECTION.match(self._line, self._at)
        assert found is not None
        if self._line[found.end() : found.end() + 1] == "(":
            self._at = found.end()
            self._add_inner(self._bracketed("(", ")"))
            return
        if self._word is not None and self._word.text.isdigit():
            self._word = None  # the number of a descriptor
        self._end_word()
        self._at = found.end()
        self._command.is_fed = self._command.is_fed or found[0].startswith("<")
        # What follows `<<<` is what is read, so it is looked at as words.
        self._is_target = found[0] != "<<<"

    def _part(self, char: str) -> None:
        word = self._word = self._word or Word()
        line = self._line
        if char == "\\":
            self._at += 2
            word.text += line[self._at - 1 : self._at].replace("\n", "")
        elif char == "'":
            word.text += self._until("'")
        elif char == '"':
            self._at += 1
            self._quoted(word)
        elif char in "$`":
            self._substitution(word)
        else:
            if char in "*?[" and word.glob_at is None:
                word.glob_at = len(word.text)
            if char == "{" and line[self._at + 1 : self._at + 2] not in ("", "}", *_BLANKS, "\n"):
                word.becomes_uncertain()
            word.text += char
            self._at += 1

    def _quoted(self, word: Word) -> None:
        line = self._line
        while self._at < len(line):
            char = line[self._at]
            if char == '"':
                self._at += 1
                return
            if char == "\\" and line[self._at + 1 : self._at + 2] in _ESCAPED_IN_QUOTES:
                self._at += 2
                word.text += line[self._at - 1 : self._at].replace("\n", "")
            elif char in "$`":
                self._substitution(word)
            else:
                word.text += char
                self._at += 1
        self.is_open = True

    def _substitution(self, word: Word) -> None:
        """`$x`, `${x}`, `$(…)`, backquotes, `$'…'`: what comes of it only the shell knows."""
        line, start = self._line, self._at
        following = line[start + 1 : start + 2]
        if line[start] == "`":
            self._add_inner(self._until("`"))
        elif following == "(":
            self._at += 1
            self._add_inner(self._bracketed("(", ")"))
        elif following == "{":
            self._at += 1
            self._add_inner(self._bracketed("{", "}"))
        elif following == "'":
            self._at += 1
            text = self._until("'", escapes=True)
            word.text += text
            if "\\" not in text:
                return
        elif following == '"':
            self._at += 1
            return
        elif (name := _NAME.match(line, start + 1)) is not None:
            self._at = name.end()
        else:
            word.text += "$"
            self._at += 1
            return
        word.becomes_uncertain()
        if following != "'":
            word.text += line[start : self._at]

    def _add_inner(self, text: str) -> None:
        self.inner.append(text)

    def _until(self, quote: str, *, escapes: bool = False) -> str:
        """What is between here and the next of these quotes."""
        start = self._at = self._at + 1
        line = self._line
        while self._at < len(line) and line[self._at] != quote:
            self._at += 2 if line[self._at] == "\\" and (escapes or quote == "`") else 1
        self.is_open = self.is_open or self._at >= len(line)
        text = line[start : self._at]
        self._at += 1
        return text

    def _bracketed(self, opening: str, closing: str) -> str:
        """What is between here, where a bracket opens, and where it closes."""
        start, line, depth = self._at + 1, self._line, 0
        while self._at < len(line):
            char = line[self._at]
            if char == "\\":
                self._at += 1
            elif char == "'":
                self._until("'")
                continue
            elif char == opening:
                depth += 1
            elif char == closing:
                depth -= 1
            self._at += 1
            if depth == 0:
                return line[start : self._at - 1]
        self.is_open = True
        return line[start:]
