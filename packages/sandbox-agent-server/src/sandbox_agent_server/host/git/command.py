"""The git program: started so that nothing which an agent wrote into a repository is run, its output bounded, its
time limited, and its tree ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import GitNotInstalled, Timeout

from sandbox_agent_server.host.git.failures import git_failure
from sandbox_agent_server.runtime.errors import ProcessNotFound, ProcessStartFailed
from sandbox_agent_server.runtime.pipe_ends import PipeReader
from sandbox_agent_server.runtime.process import Process

__all__ = ["LOCAL_ONLY", "MAX_OUTPUT_BYTES", "Git", "GitOutput"]

_MAX_STDERR_BYTES: Final = 64 * 1024
MAX_OUTPUT_BYTES: Final = 64 * 1024 * 1024
_FLAGS: Final = (
    "--no-pager",
    "--literal-pathspecs",
    # A repository's hooks and monitors are programs of whoever wrote its `.git`.
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.askPass="),
    *("-c", "core.quotePath=false"),
    *("-c", "core.gitProxy="),
    *("-c", "diff.ignoreSubmodules=dirty"),
    *("-c", "submodule.recurse=false"),
    *("-c", "protocol.ext.allow=never"),
    # They would go on behind our back.
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
)
_KEPT_VARIABLES: Final = ("GIT_SSL_", "GIT_SSH", "GIT_PROXY_", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_EXEC_PATH")  # fmt: skip
_QUIET: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GCM_INTERACTIVE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_FLUSH": "0",
    "LC_ALL": "C",
}
LOCAL_ONLY: Final = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
"""What looks at a repository reaches for no other: a partial clone would start its remote's transport."""


@dataclass(frozen=True, slots=True)
class GitOutput:
    stdout: bytes
    stderr: str
    exit_code: int | None
    is_cut: bool = False
    """There was more than `max_bytes` of output, and git was stopped."""

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace").strip()


class Git:
    """How git is called: with which of the server's variables, and for how long."""

    def __init__(self, environ: Mapping[str, str], *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._environ = {
            name: value
            for name, value in environ.items()
            if not name.startswith(("GIT_", "SANDBOX_AGENT_")) or name.startswith(_KEPT_VARIABLES)
        } | _QUIET

    async def run(
        self,
        *args: str,
        cwd: Path,
        env: Mapping[str, str] = LOCAL_ONLY,
        stdin: bytes = b"",
        config: Sequence[str] = (),
        may_fail: bool = False,
        max_bytes: int = MAX_OUTPUT_BYTES,
        timeout_s: float | None = None,
        on_stderr: Callable[[bytes], None] = lambda _data: None,
        secrets: Sequence[str] = (),
    ) -> GitOutput:
        """Run `git ARGS`. Its output beyond `max_bytes` is cut. `config`: further `-c`; no secrets, others see them.

        Raises:
            GitFailed, GitAuthRequired: it ended with an error, unless it `may_fail`.
            GitNotInstalled. Timeout.
        """
        flags = [part for one in config for part in ("-c", one)]
        # Git goes to the directory by itself: what starts in ours is started at half the price.
        argv = ["git", "-C", str(cwd), *_FLAGS, *flags, *args]
        patience = self._timeout_s if timeout_s is None else timeout_s
        try:
            process = await Process.spawn(argv, cwd=".", env={**self._environ, **env})
        except ProcessNotFound as exc:
            raise GitNotInstalled(
                "there is no `git` on the server's PATH; install it in the sandbox (`apt-get install git`), or use "
                "an image that has it"
            ) from exc
        except ProcessStartFailed as exc:
            raise git_failure(args, exc.message) from exc
        collected = _Collected(process, stdin, max_bytes, on_stderr)
        try:
            async with asyncio.timeout(patience):
                await collected.ended.wait()
        except TimeoutError:
            raise Timeout(
                f"`git {args[0]}` took longer than {patience:g} s and was stopped", limit_s=patience
            ) from None
        finally:
            await process.end()
            collected.close()
        status = process.exited.result() if process.exited.done() else None
        code = status.exit_code if status is not None else None
        output = GitOutput(
            bytes(collected.stdout),
            collected.stderr.decode("utf-8", "replace"),
            code,
            collected.is_cut,
        )
        if code != 0 and not may_fail and not output.is_cut:
            raise git_failure(args, output.stderr, exit_code=code, secrets=secrets)
        return output


class _Collected:
    """What comes out of a process, up to both ends."""

    def __init__(
        self, process: Process, stdin: bytes, max_bytes: int, on_stderr: Callable[[bytes], None]
    ) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.is_cut = False
        self.ended = asyncio.Event()
        self._max_bytes = max_bytes
        self._on_stderr = on_stderr
        self._open = 2
        self._stdin = _Input(process, stdin)
        assert process.stderr is not None
        self._readers = [
            PipeReader(process.stdout, process.exited, on_data=self._out, on_end=self._end),
            PipeReader(process.stderr, process.exited, on_data=self._err, on_end=self._end),
        ]

    def close(self) -> None:
        self._stdin.close()
        for reader in self._readers:
            reader.close()

    def _out(self, data: bytes) -> None:
        room = self._max_bytes - len(self.stdout)
        self.stdout += data[:room]
        if len(data) > room:
            self.is_cut = True
            self.ended.set()

    def _err(self, data: bytes) -> None:
        self.stderr = (self.stderr + data)[-_MAX_STDERR_BYTES:]
        self._on_stderr(data)

    def _end(self) -> None:
        self._open -= 1
        if not self._open:
            self.ended.set()


class _Input:
    """Its standard input: written as it is taken, then closed."""

    def __init__(self, process: Process, data: bytes) -> None:
        self._pipe = process.stdin
        self._loop = asyncio.get_running_loop()
        self._left = memoryview(data)
        self._is_waiting = False
        self._write()

    def close(self) -> None:
        if not self._pipe.closed:
            if self._is_waiting:
                self._loop.remove_writer(self._pipe.fileno())
            self._pipe.close()

    def _write(self) -> None:
        try:
            while self._left:
                self._left = self._left[os.write(self._pipe.fileno(), self._left) :]
        except BlockingIOError:
            if not self._is_waiting:
                self._is_waiting = True
                self._loop.add_writer(self._pipe.fileno(), self._write)
            return
        except OSError:
            pass  # it does not want any more of it, and says why on stderr
        self.close()
