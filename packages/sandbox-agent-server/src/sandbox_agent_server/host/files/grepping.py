"""Text in files: by ripgrep where it is on the PATH, else by a worker of our own.

Either is a process of its own, which is killed when it has found enough or takes too long: a regular expression that
never ends cannot be stopped in a thread.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.errors import FileSystemError, SearchPatternInvalid

from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.threads import FileThreads
from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.limits import HostLimits
from sandbox_agent_server.runtime.errors import ProcessStartFailed
from sandbox_agent_server.runtime.pipe_ends import PipeReader
from sandbox_agent_server.runtime.process import Process

__all__ = ["TextQuery", "grep_files"]

_MAX_RECORD_BYTES: Final = 4 * 1024 * 1024
"""A longer line of a file is not told."""
_MAX_TEXT_CHARS: Final = 1000
_MAX_ANSWER_CHARS: Final = 8 * 1024 * 1024
_MAX_STDERR_BYTES: Final = 4096
_WORKER: Final = "sandbox_agent_server.host.files.grep_worker"
_RIPGREP: Final = (
    "--no-config", "--json", "--sort", "path", "--hidden", "--no-ignore-global", "--no-ignore-parent",
    "--no-require-git", "--no-messages", "--glob", "!.git",
)  # fmt: skip
_BAD_PATTERN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TextQuery:
    pattern: str
    is_literal: bool = False
    ignores_case: bool = False
    glob: str | None = None
    """Only files that it fits."""
    with_ignored: bool = False
    limit: int
    offset: int = 0


async def grep_files(
    paths: Paths, threads: FileThreads, path: str, query: TextQuery, limits: HostLimits
) -> dict[str, Any]:
    """The members of a FoundText.

    Raises:
        SearchPatternInvalid: no regular expression, or no glob. PathNotFound, NotADirectory, PathForbidden.
    """
    ripgrep = shutil.which("rg")
    argv = _command(ripgrep, query, limits)
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    directory, cwd = await threads.run_undoing(lambda held: os.close(held[0]), _held, paths, path)
    try:
        process = await Process.spawn(argv, cwd=cwd, env=env)
    except ProcessStartFailed as exc:
        raise FileSystemError(f"the search could not be started: {exc.message}") from exc
    finally:
        os.close(directory)
    matches = _Matches(path, query)
    try:
        end = await _records(process, matches.take, limits.search_timeout_s)
    finally:
        await process.end()
    if not matches.found and not matches.seen and end.failed_with is not None:
        raise SearchPatternInvalid(end.failed_with)
    answer: dict[str, Any] = {
        "matches": matches.found,
        "engine": "python" if ripgrep is None else "ripgrep",
    }
    truncated = "limit" if matches.is_full else "timeout" if end.is_late else None
    if truncated is not None:
        answer |= {"truncated": truncated, "nextOffset": query.offset + len(matches.found)}
    return answer


def _held(paths: Paths, path: str) -> tuple[int, str]:
    """The directory, open, and how a process that is started enters that very one, whatever the path is by then."""
    with paths.directory(path) as opened:
        held = os.dup(opened)
    by_descriptor = f"/proc/{os.getpid()}/fd/{held}"
    return held, by_descriptor if Path(by_descriptor).is_dir() else path


def _command(ripgrep: str | None, query: TextQuery, limits: HostLimits) -> list[str]:
    if ripgrep is None:
        told = {
            "pattern": query.pattern,
            "isLiteral": query.is_literal,
            "ignoresCase": query.ignores_case,
            "glob": query.glob,
            "withIgnored": query.with_ignored,
            "maxFileBytes": limits.max_search_file_bytes,
        }
        return [sys.executable, "-m", _WORKER, dumps(told).decode()]
    argv = [ripgrep, *_RIPGREP, "--max-filesize", str(limits.max_search_file_bytes)]
    argv += ["--fixed-strings"] * query.is_literal
    argv += ["--ignore-case"] * query.ignores_case
    argv += ["--no-ignore"] * query.with_ignored
    argv += [f"--glob={query.glob}"] if query.glob else []
    return [*argv, f"--regexp={query.pattern}", "--", "./"]


@dataclass(frozen=True, slots=True)
class _End:
    is_late: bool
    failed_with: str | None
    """What a program said that took no pattern."""


async def _records(process: Process, take: Callable[[bytes], bool], timeout_s: float) -> _End:
    """Hand over line by line, until the program has ended, `take` wants no more, or the time is over."""
    ended = asyncio.Event()
    buffer = bytearray()
    stderr = bytearray()

    is_enough = False

    def on_data(data: bytes) -> None:
        nonlocal is_enough
        if ended.is_set():
            return
        *lines, rest = (bytes(buffer) + data).split(b"\n")
        buffer[:] = rest[-_MAX_RECORD_BYTES:]
        for line in lines:
            if line and not take(line):
                is_enough = True
                ended.set()
                return

    def on_error(data: bytes) -> None:
        stderr.extend(data[: _MAX_STDERR_BYTES - len(stderr)])

    assert process.stderr is not None
    out = PipeReader(process.stdout, process.exited, on_data=on_data, on_end=ended.set)
    err = PipeReader(process.stderr, process.exited, on_data=on_error, on_end=lambda: None)
    is_late = False
    try:
        process.stdin.close()
        async with asyncio.timeout(timeout_s):
            await ended.wait()
            if not is_enough:
                await asyncio.wait([process.exited])
    except TimeoutError:
        is_late = True
    finally:
        out.close()
        err.close()
    status = process.exited.result() if process.exited.done() else None
    is_refused = status is not None and status.exit_code == _BAD_PATTERN
    text = stderr.decode("utf-8", "replace").strip()
    return _End(is_late, (text or "the pattern is not valid") if is_refused else None)


class _Matches:
    def __init__(self, path: str, query: TextQuery) -> None:
        self._path = path.rstrip("/")
        self._query = query
        self._chars = 0
        self.found: list[dict[str, Any]] = []
        self.seen = 0
        self.is_full = False

    def take(self, line: bytes) -> bool:
        """A record as ripgrep writes it. False: enough."""
        try:
            record = loads(line)
        except ValueError:
            return True  # the rest of one that was too long
        if record.get("type") != "match":
            return True
        self.seen += 1
        if self.seen <= self._query.offset:
            return True
        if len(self.found) >= self._query.limit or self._chars > _MAX_ANSWER_CHARS:
            self.is_full = True
            return False
        match = self._match(record["data"])
        self._chars += len(match["text"])
        self.found.append(match)
        return True

    def _match(self, data: dict[str, Any]) -> dict[str, Any]:
        raw = _bytes(data["lines"])
        spans = [
            (_chars(raw[: one["start"]]), _chars(raw[: one["end"]]))
            for one in data["submatches"][:100]
        ]
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        # A long line is told from shortly before the first match.
        start = max(0, spans[0][0] - 100) if spans and len(text) > _MAX_TEXT_CHARS else 0
        shown = text[start : start + _MAX_TEXT_CHARS]
        name = os.fsdecode(_bytes(data["path"])).removeprefix("./")
        return {
            "path": f"{self._path}/{name}",
            "line": data["line_number"],
            "column": spans[0][0] + 1 if spans else 1,
            "text": shown,
            "ranges": [
                (first - start, last - start) for first, last in spans if last - start <= len(shown)
            ],
        }


def _bytes(value: dict[str, str]) -> bytes:
    text = value.get("text")
    return base64.b64decode(value["bytes"]) if text is None else text.encode()


def _chars(raw: bytes) -> int:
    return len(raw.decode("utf-8", "replace"))
