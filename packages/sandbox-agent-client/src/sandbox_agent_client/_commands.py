"""Commands and their output as a caller sees them: the same for both clients."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Self

from sandbox_agent_core.api.processes import (
    ProcessGap,
    ProcessInfo,
    ProcessLogEntry,
    ProcessLogStream,
    ProcessRunResponse,
)
from sandbox_agent_core.errors import CommandFailed, InvalidRequest

__all__ = [
    "Argv",
    "Collected",
    "CommandResult",
    "Decoders",
    "OutputChunk",
    "argv_of",
    "bytes_of",
    "result_of",
    "shown",
]

Argv = str | Sequence[str | PathLike[str]]
"""A text is a line for the shell (`sh -c`); a list is a program and its arguments, and no shell reads it."""

LAST_WORDS = 400
"""Characters of what a command wrote, in the message of its failure."""


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """What a process wrote, as it came."""

    stream: ProcessLogStream
    """`stdout`, `stderr`, or `pty` for one on a terminal."""
    data: bytes
    text: str
    """`data` as UTF-8; a character that was cut is in the next chunk of its stream, what is none is `U+FFFD`."""
    sequence: int
    """Cursor: `logs(since=…)` goes on after it."""
    timestamp_ms: int
    """Milliseconds since 1970, by the clock of the sandbox."""
    gap: ProcessGap | None = None
    """What is missing before it, because the log was full."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """How a command ended, and what it wrote."""

    command: str
    exit_code: int | None
    """None: a signal ended it, or the timeout."""
    signal: str | None = None
    """Which signal ended it: `SIGKILL`."""
    timed_out: bool = False
    stdout_bytes: bytes = field(default=b"", repr=False)
    stderr_bytes: bytes = field(default=b"", repr=False)
    stdout_truncated: bool = False
    """It wrote more than was kept."""
    stderr_truncated: bool = False
    duration_s: float = 0.0

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        return self.stderr_bytes.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        """It ended by itself, with 0."""
        return self.exit_code == 0 and not self.timed_out

    def check(self) -> Self:
        """The result itself.

        Raises:
            CommandFailed: it is not `ok`; the message has the last that it wrote.
        """
        if self.ok:
            return self
        words = (self.stderr.strip() or self.stdout.strip())[-LAST_WORDS:]
        raise CommandFailed(
            f"`{self.command}` {self._how_it_ended()}" + (f": {words}" if words else ""),
            command=self.command,
            exitCode=self.exit_code,
            signal=self.signal,
            timedOut=self.timed_out or None,
        )

    def _how_it_ended(self) -> str:
        if self.timed_out:
            return f"took longer than {self.duration_s:.1f} s and was killed"
        if self.signal is not None:
            return f"was ended by {self.signal}"
        return (
            "ended, nobody knows how" if self.exit_code is None else f"ended with {self.exit_code}"
        )


class Decoders:
    """Makes chunks of the entries of a log."""

    def __init__(self) -> None:
        self._of_stream: dict[str, codecs.IncrementalDecoder] = {}
        self._gap: ProcessGap | None = None

    def missing(self, gap: ProcessGap) -> None:
        """Half a character before it has no other half."""
        self._gap = gap
        self._of_stream.clear()

    def chunk(self, entry: ProcessLogEntry) -> OutputChunk:
        decoder = self._of_stream.get(entry.stream)
        if decoder is None:
            decoder = self._of_stream[entry.stream] = codecs.getincrementaldecoder("utf-8")(
                "replace"
            )
        data, gap, self._gap = entry.bytes, self._gap, None
        return OutputChunk(
            entry.stream, data, decoder.decode(data), entry.sequence, entry.timestamp_ms, gap
        )


class Collected:
    """The first bytes of each stream, of a command that is followed."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._streams = {"stdout": bytearray(), "stderr": bytearray()}
        self._truncated: set[str] = set()

    def add(self, chunk: OutputChunk) -> None:
        kept = self._streams.setdefault(chunk.stream, bytearray())
        room = self._max_bytes - len(kept)
        kept += chunk.data[:room]
        if len(chunk.data) > room or chunk.gap is not None:
            self._truncated.add(chunk.stream)

    def result(self, command: str, info: ProcessInfo) -> CommandResult:
        return CommandResult(
            command=command,
            exit_code=info.exit_code,
            signal=info.signal,
            timed_out=bool(info.timed_out),
            stdout_bytes=bytes(self._streams["stdout"]),
            stderr_bytes=bytes(self._streams["stderr"]),
            stdout_truncated="stdout" in self._truncated,
            stderr_truncated="stderr" in self._truncated,
            duration_s=((info.exited_at_ms or info.created_at_ms) - info.created_at_ms) / 1000,
        )


def result_of(command: str, answer: ProcessRunResponse) -> CommandResult:
    """Of an answer in base64, or of a server that knows text only."""
    is_text = answer.output_encoding == "utf8"
    decode = str.encode if is_text else base64.b64decode
    return CommandResult(
        command=command,
        exit_code=answer.exit_code,
        signal=answer.signal,
        timed_out=answer.timed_out,
        stdout_bytes=decode(answer.stdout),
        stderr_bytes=decode(answer.stderr),
        stdout_truncated=answer.stdout_truncated,
        stderr_truncated=answer.stderr_truncated,
        duration_s=answer.duration_ms / 1000,
    )


def argv_of(command: Argv) -> list[str]:
    """Raises: InvalidRequest."""
    if isinstance(command, str):
        if not command.strip():
            raise InvalidRequest("The command is empty.")
        return ["sh", "-c", command]
    argv = [fspath(word) for word in command]
    if not argv or not argv[0]:
        raise InvalidRequest("The command is empty: give a program, and its arguments after it.")
    return argv


def shown(command: Argv) -> str:
    return command if isinstance(command, str) else " ".join(fspath(word) for word in command)


def bytes_of(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)
