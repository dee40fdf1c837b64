"""Toad, an editor for ACP agents that lives in a terminal, and a terminal for it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from uuid import uuid4

from support.agents import AGENTS_DIR
from support.optional import skip_without
from support.server import until

__all__ = ["FOLDER", "PYTHON", "SPEC", "Toad", "installed_toad"]

PYTHON = "3.14"
SPEC = "batrachian-toad==0.6.20"
FOLDER = AGENTS_DIR / f"toad-{SPEC.partition('==')[2]}"
_COLUMNS, _LINES = 110, 36
_EMPTY_LINE = "How can I help you today?"
_POLLS_BETWEEN = 10
_GLANCE_S = 0.1


def installed_toad() -> Path | None:
    program = FOLDER / "bin/toad"
    return program if program.exists() else None


class Toad:
    """One that runs in tmux. `screen` is what a person would see."""

    def __init__(self, tmux: list[str]) -> None:
        self._tmux = tmux

    @classmethod
    @contextmanager
    def running(
        cls, program: Path, command: str, directory: Path, env: Mapping[str, str]
    ) -> Iterator[Toad]:
        if shutil.which("tmux") is None:
            skip_without("tmux is not installed")
        tmux = ["tmux", "-L", f"toad-{uuid4().hex[:8]}", "-f", "/dev/null"]
        given = [f"{name}={value}" for name, value in env.items()]
        toad = ["env", *given, "TERM=xterm-256color", "LANG=C.UTF-8", str(program)]
        line = shlex.join([*toad, "acp", command, str(directory)])
        size = ["-x", str(_COLUMNS), "-y", str(_LINES)]
        subprocess.run([*tmux, "new-session", "-d", *size, line], check=True)
        try:
            yield cls(tmux)
        finally:
            subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)

    @property
    def is_running(self) -> bool:
        done = subprocess.run([*self._tmux, "has-session"], capture_output=True, check=False)
        return done.returncode == 0

    def screen(self) -> str:
        time.sleep(_GLANCE_S)  # each look is a process, and toad needs the machine
        done = subprocess.run(
            [*self._tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False
        )
        return done.stdout

    def shows(self, text: str) -> None:
        """Wait for it."""
        try:
            until(lambda: text in self.screen())
        except AssertionError:
            raise AssertionError(f"{text!r} is not on the screen:\n{self.screen()}") from None

    def press(self, *keys: str) -> None:
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    def prompt(self, text: str) -> None:
        """Type it, again where the line was not listening yet; it is sent once it stands there."""
        self.shows(_EMPTY_LINE)
        polls = count()

        def stands_there() -> bool:
            screen = self.screen()
            if _EMPTY_LINE in screen and next(polls) % _POLLS_BETWEEN == 0:
                self.press("-l", text)
            return f"❯ {text}" in screen and _EMPTY_LINE not in screen

        until(stands_there)
        self.press("Enter")
