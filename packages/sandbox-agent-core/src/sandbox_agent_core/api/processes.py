"""Bodies of `/v1/processes`: programs that run in the sandbox, their output and their input."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = [
    "FullLog",
    "InputEncoding",
    "ProcessConfig",
    "ProcessConfigChange",
    "ProcessCreateRequest",
    "ProcessGap",
    "ProcessInfo",
    "ProcessInputRequest",
    "ProcessInputResponse",
    "ProcessListResponse",
    "ProcessLogEntry",
    "ProcessLogStream",
    "ProcessLogsResponse",
    "ProcessLogsStream",
    "ProcessOwner",
    "ProcessRunRequest",
    "ProcessRunResponse",
    "ProcessState",
    "TerminalSize",
    "decode_input",
]

ProcessOwner = Literal["user", "system", "desktop"]
ProcessState = Literal["running", "exited"]
ProcessLogStream = Literal["stdout", "stderr", "pty"]
ProcessLogsStream = Literal["stdout", "stderr", "combined", "pty"]
InputEncoding = Literal["base64", "utf8", "text"]
FullLog = Literal["drop", "wait"]


def _for_a_program(text: str) -> str:
    """What a program can be given."""
    if "\0" in text:
        raise ValueError("it has a NUL in it, which no program can be given")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("it is not valid Unicode: half a surrogate pair")
    return text


def _name(text: str) -> str:
    if not text or "=" in text:
        raise ValueError(f"{text[:64]!r} is no name of a variable")
    return text


Word = Annotated[str, AfterValidator(_for_a_program)]
_Environment = dict[Annotated[Word, AfterValidator(_name)], Word]


class _Program(RequestBody):
    command: Word = Field(
        min_length=1,
        description="The program: its path, or its name on the PATH. No shell reads it; for one, "
        'start `sh` with the arguments `["-c", "…"]`.',
    )
    args: list[Word] = Field(default_factory=list, description="Its arguments, without its name.")
    cwd: Word | None = Field(
        default=None,
        description="Where it runs. Default: the server's working directory, from which a relative one counts, "
        "too; with `--root` both are the root. `~` is the home of the server's user.",
    )
    env: _Environment = Field(
        default_factory=dict, description="On top of the server's own environment.", repr=False
    )


class ProcessRunRequest(_Program):
    timeout_ms: int | None = Field(
        default=None,
        ge=0,
        description="Then it is killed, with all that came from it. Default: `defaultRunTimeoutMs` (30 s); 0 and "
        "what is larger: `maxRunTimeoutMs` (5 min).",
    )
    max_output_bytes: int | None = Field(
        default=None,
        ge=0,
        description="Of stdout and of stderr, each; the rest is read and dropped. Default and most: "
        "`maxOutputBytes` (1 MiB).",
    )
    input: str = Field(default="", description="For its stdin, which then ends.", repr=False)
    input_encoding: InputEncoding = "utf8"
    output_encoding: Literal["utf8", "base64"] = Field(
        default="utf8",
        description="`utf8`: what is no UTF-8 is replaced (U+FFFD). `base64`: the bytes as they are.",
    )


class ProcessRunResponse(ResponseBody):
    exit_code: int | None = Field(
        default=None, description="None: a signal ended it, or the timeout."
    )
    signal: str | None = Field(default=None, description="Which signal ended it: `SIGKILL`.")
    timed_out: bool
    stdout: str
    stderr: str
    stdout_truncated: bool
    stderr_truncated: bool
    duration_ms: int
    output_encoding: Literal["utf8", "base64"] = Field(
        default="utf8", description="Of `stdout` and `stderr`, as it was asked for."
    )


class TerminalSize(RequestBody):
    """Of a terminal, in characters; also the answer to a resize."""

    cols: int = Field(ge=1, le=65535)
    rows: int = Field(ge=1, le=65535)


class ProcessCreateRequest(_Program):
    tty: bool = Field(default=False, description="On a terminal, with `pty` as its one stream.")
    interactive: bool = Field(
        default=False, description="Only noted: that somebody means to type into it."
    )
    cols: int = Field(default=80, ge=1, le=65535, description="Of its terminal.")
    rows: int = Field(default=24, ge=1, le=65535, description="Of its terminal.")
    timeout_ms: int | None = Field(
        default=None,
        ge=1,
        description="Then it is killed, with all that came from it. Default: never.",
    )
    when_log_full: FullLog = Field(
        default="drop",
        description="`drop`: the oldest output goes when there is more than `maxLogBytesPerProcess`. `wait`: "
        "the process is held back until somebody who follows the log has taken what there is; nothing is lost.",
    )


class ProcessInfo(ResponseBody):
    id: str = Field(description="`proc_N`; never given twice.")
    command: str
    args: list[str]
    tty: bool
    interactive: bool
    owner: ProcessOwner
    status: ProcessState
    pid: int | None = Field(default=None, description="While it runs.")
    exit_code: int | None = Field(
        default=None,
        description="None while it runs, when a signal ended it, and when the server ended before it could know.",
    )
    signal: str | None = Field(default=None, description="Which signal ended it: `SIGTERM`.")
    timed_out: bool | None = None
    created_at_ms: int = Field(description="Milliseconds since 1970.")
    exited_at_ms: int | None = None
    cwd: str | None = None
    actor: str | None = Field(
        default=None, description="Whose token started it; none: the server's own."
    )
    output_bytes: int = Field(default=0, description="All that it has written.")


class ProcessListResponse(ResponseBody):
    processes: list[ProcessInfo]


class ProcessLogEntry(ResponseBody):
    """What one read of a process's output brought."""

    sequence: int = Field(description="From 1, over all streams of the process, without gaps.")
    stream: ProcessLogStream
    timestamp_ms: int = Field(description="Milliseconds since 1970.")
    data: str = Field(repr=False)
    encoding: Literal["base64"] = "base64"

    @property
    def bytes(self) -> bytes:
        """What it wrote. A character may be cut at either end."""
        return base64.b64decode(self.data)


class ProcessGap(ResponseBody):
    """Output that was asked for and is dropped: there was more than `maxLogBytesPerProcess`."""

    after: int = Field(description="The cursor that was asked from.")
    sequence: int = Field(description="The first entry that is still there, or will be.")
    bytes: int | None = Field(
        default=None, description="How much is missing from there on; none: not known."
    )


class ProcessLogsResponse(ResponseBody):
    process_id: str
    stream: ProcessLogsStream
    entries: list[ProcessLogEntry]
    next_cursor: int = Field(default=0, description="Ask `since` it for what comes after these.")
    gap: ProcessGap | None = None


class ProcessInputRequest(RequestBody):
    data: str = Field(default="", repr=False)
    encoding: InputEncoding = "base64"
    eof: bool = Field(
        default=False,
        description="It is the last: stdin ends after it (on a terminal: ^D is typed).",
    )

    def decoded(self) -> bytes:
        """Raises: ValueError."""
        return decode_input(self.data, self.encoding)


class ProcessInputResponse(ResponseBody):
    bytes_written: int


class ProcessConfig(ResponseBody):
    """The bounds of processes; they can be set while the server runs, and outlive it."""

    max_concurrent_processes: int = Field(description="That run at the same time.")
    default_run_timeout_ms: int
    max_run_timeout_ms: int
    max_output_bytes: int = Field(description="Of each stream in an answer of `run`.")
    max_log_bytes_per_process: int = Field(description="On the disk.")
    max_input_bytes_per_request: int


class ProcessConfigChange(RequestBody):
    """What is not given stays as it is."""

    max_concurrent_processes: int | None = Field(default=None, ge=1, le=4096)
    default_run_timeout_ms: int | None = Field(default=None, ge=1, le=86_400_000)
    max_run_timeout_ms: int | None = Field(default=None, ge=1, le=86_400_000)
    max_output_bytes: int | None = Field(default=None, ge=1, le=64 * 1024 * 1024)
    max_log_bytes_per_process: int | None = Field(default=None, ge=1, le=16 * 1024**3)
    max_input_bytes_per_request: int | None = Field(default=None, ge=1, le=8 * 1024 * 1024)


def decode_input(data: str, encoding: InputEncoding) -> bytes:
    """Raises: ValueError."""
    if encoding == "base64":
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise ValueError(
                f"`data` is no base64 ({exc}); for plain text say `encoding`: `utf8`"
            ) from exc
    try:
        return data.encode()
    except UnicodeEncodeError as exc:
        raise ValueError("`data` is not valid Unicode: half a surrogate pair") from exc
