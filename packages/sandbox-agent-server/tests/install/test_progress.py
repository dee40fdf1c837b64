"""A person sees a bar, a file gets a line for each step."""

from __future__ import annotations

import io
import re

import pytest
from sandbox_agent_core.api.agents import InstallProgress
from sandbox_agent_server.cli.progress import ProgressLine

MIB = 1024 * 1024


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def screen(self) -> str:
        """What is on the line at the end."""
        return re.split(r"\r\x1b\[2K", self.getvalue())[-1]


def downloading(done: int, total: int | None = 100 * MIB) -> InstallProgress:
    return InstallProgress(
        agent="claude", step="downloading", version="1.0.0", done_bytes=done, total_bytes=total
    )


def test_a_terminal_shows_a_bar_that_grows_and_goes() -> None:
    terminal = Terminal()
    line = ProgressLine(terminal)
    line(downloading(25 * MIB))
    assert "25%" in terminal.screen()
    assert "25.0 MiB of 100.0 MiB" in terminal.screen()
    line(downloading(100 * MIB))
    assert "[########################] 100%" in terminal.screen()
    line.clear()
    assert terminal.screen() == ""
    assert "\n" not in terminal.getvalue()


def test_a_size_that_nobody_knows_is_no_bar() -> None:
    terminal = Terminal()
    ProgressLine(terminal)(downloading(25 * MIB, None))
    assert terminal.screen() == "claude 1.0.0: downloading 25.0 MiB"


def test_a_narrow_terminal_keeps_to_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    ProgressLine(terminal)(downloading(25 * MIB))
    assert len(terminal.screen()) == 19


def test_a_file_gets_one_line_for_each_step() -> None:
    file = io.StringIO()
    line = ProgressLine(file)
    for done in range(10):
        line(downloading(done * MIB))
    line(InstallProgress(agent="claude", step="finishing", version="1.0.0"))
    line.clear()
    assert file.getvalue().splitlines() == [
        "claude 1.0.0: downloading (100.0 MiB)",
        "claude 1.0.0: finishing",
    ]
