"""A line of the log is one record, whatever was put into it."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from sandbox_agent_server.cli.logs import _Json, _Text

FORGED = "x\n2026-11-28T10:00:00.000+00:00 info    all is well\r\x1b[2J\u2028\u0085y"


def record_of(message: str, *, fails: bool = False) -> logging.LogRecord:
    exc_info = None
    if fails:
        try:
            raise ValueError(message)
        except ValueError:
            exc_info = sys.exc_info()
    return logging.LogRecord("test", logging.WARNING, "", 0, "%s", (message,), exc_info)


@pytest.mark.parametrize("formatter", [_Text(), _Json()], ids=["text", "json"])
def test_what_somebody_wrote_begins_no_line_and_commands_no_terminal(
    formatter: logging.Formatter,
) -> None:
    line = formatter.format(record_of(FORGED))
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_a_tab_and_letters_of_any_script_stay() -> None:
    assert _Text().format(record_of("a\tb é 🦊")).endswith("a\tb é 🦊")


def test_a_traceback_is_indented_and_so_is_what_an_error_says() -> None:
    first, *rest = _Text().format(record_of(FORGED, fails=True)).split("\n")
    assert "all is well" in first
    assert rest[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") for line in rest)
    assert "Traceback" in json.loads(_Json().format(record_of(FORGED, fails=True)))["exception"]
