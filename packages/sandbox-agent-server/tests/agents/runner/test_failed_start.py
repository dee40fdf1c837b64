"""An error of a start quotes what the program said, and knows a login and a screen when it sees one."""

from __future__ import annotations

import pytest
from sandbox_agent_core.errors import (
    AgentError,
    AgentProcessExited,
    ModeNotSupported,
    SandboxAgentError,
    Timeout,
)
from sandbox_agent_core.spi.agent import AgentExit
from sandbox_agent_server.agents.acp.reading import unparsed
from sandbox_agent_server.agents.runner.failed_start import MAX_LINES, StartOutput
from sandbox_agent_server.agents.runner.failures import exit_error

HINT = "Run `acme login`."


def explained(error: SandboxAgentError, *lines: bytes, stderr: str = "") -> SandboxAgentError:
    output = StartOutput()
    output.see([unparsed(line, "not JSON") for line in lines])
    return output.explain(error, stderr_tail=stderr, login_hint=HINT)


def test_what_it_wrote_is_quoted_without_its_escapes() -> None:
    error = explained(
        Timeout("late"), b"one", b"\x1b[1mtwo\x1b[0m", b"\x1b]0;t\x07three", b"four", stderr="why\n"
    )
    assert error.message == "late; it wrote: two | three | four; on stderr: why"
    assert error.details == {"output": ["one", "two", "three", "four"], "stderrTail": "why\n"}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"Please log in to continue", HINT),
        (b"Enter your API key:", HINT),
        (b"Open https://example.com/device and enter the verification code ABCD", HINT),
        (b"\x1b[?1049h\x1b[2J\x1b[H welcome", "--acp"),
        ("\u256d\u2500\u2500\u2500\u256e".encode(), "--acp"),
        (b"Press any key", "--acp"),
    ],
)
def test_a_login_and_a_screen_are_recognised(line: bytes, word: str) -> None:
    assert word in explained(Timeout("late"), line).message
    assert word in explained(AgentProcessExited("gone"), line).message


def test_a_login_on_stderr_is_recognised() -> None:
    assert HINT in explained(Timeout("late"), stderr="not authenticated").message


def test_nothing_is_added_to_what_has_nothing_to_do_with_it() -> None:
    error = ModeNotSupported("no such mode", offered=["a"])
    assert explained(error, b"please log in") is error
    refused = explained(AgentError("refused"), b"noise")
    assert refused.message == "refused"
    assert refused.details == {"output": ["noise"]}


def test_what_is_kept_is_bounded() -> None:
    error = explained(Timeout("late"), *[b"x" * 10_000] * 1000)
    assert len(error.details["output"]) == MAX_LINES
    assert len(error.message) < 1000


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        ("just this", "just this"),
        ("one\ntwo\n", "two"),
        (
            "node:fs:1386\n  const result = binding.mkdir(\n           ^\n\nError: ENOTDIR: not a directory, mkdir\n"
            "    at mkdirSync (node:fs:1386:26)\n  errno: -20,\n  code: 'ENOTDIR'\n}\n\nNode.js v20.20.2\n",
            "Error: ENOTDIR: not a directory, mkdir",
        ),
        ("thread 'main' panicked\n   7: main::error\n   8: <unknown>\n", "thread 'main' panicked"),
        ('Traceback:\n  File "error.py", line 1\nValueError: bad\n', "ValueError: bad"),
        ("", ""),
    ],
)
def test_the_end_of_a_process_is_told_with_the_line_that_tells_something(
    stderr: str, line: str
) -> None:
    error = exit_error(AgentExit(exit_code=1, stderr_tail=stderr))
    assert error.message == "the agent's process exited with code 1" + (f": {line}" if line else "")
