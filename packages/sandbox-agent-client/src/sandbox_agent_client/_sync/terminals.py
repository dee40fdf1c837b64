# Generated from `_async/terminals.py` by `scripts/unasync.py`: do not edit.
"""Terminals in the sandbox."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from os import PathLike
from types import TracebackType
from typing import Self

from sandbox_agent_core.api.processes import ProcessInfo
from sandbox_agent_core.api.terminals import TerminalError, TerminalExit, TerminalReady
from sandbox_agent_core.errors import (
    ClientClosed,
    ProcessNotFound,
    ProcessNotRunning,
    SandboxAgentError,
    ServerUnreachable,
)

from sandbox_agent_client._calls import terminals as calls
from sandbox_agent_client._commands import Argv, bytes_of
from sandbox_agent_client._failures import websocket_failures
from sandbox_agent_client._resume import Reconnection
from sandbox_agent_client._sync._backend import (
    ClientConnection,
    Lock,
    finish,
    websocket_receive,
    websocket_socket,
)
from sandbox_agent_client._sync.connection import Connection
from sandbox_agent_client._sync.interrupt import Interrupt
from sandbox_agent_client._sync.processes import END_TIMEOUT_S, ProcessesSync, ProcessSync

__all__ = ["TerminalSync", "TerminalsSync"]

logger = logging.getLogger(__name__)


class TerminalsSync:
    """`client.terminal`: programs on a terminal, to look at and to type into.

    It takes a token with the scope `host`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._processes = ProcessesSync(connection)

    def open(
        self,
        command: Argv | None = None,
        *,
        cwd: str | PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        cols: int = 80,
        rows: int = 24,
    ) -> TerminalSync:
        """Start a program on a terminal of its own: a login shell, unless a `command` is given, which is read as in
        `client.processes.run`.

            with client.terminal.open(cwd="/repo") as terminal:
                terminal.write("make test\\n")
                for data in terminal:
                    sys.stdout.buffer.write(data)

        Leaving the block ends the program. `env` is on top of the server's own, and of `TERM=xterm-256color`.

        Raises:
            ProcessStartFailed: there is no such program, or it cannot be run.
            PathNotFound, NotADirectory, PathForbidden: of `cwd`.
            LimitReached: too many processes run already.
            PermissionDenied: the token has no scope `host`.
        """
        process = self._processes.spawn(
            command if command is not None else list(calls.SHELL),
            cwd=cwd,
            env=calls.terminal_env(env),
            tty=True,
            cols=cols,
            rows=rows,
        )
        terminal = TerminalSync(self._connection, process, ends_with_block=True)
        try:
            terminal.connect()
        except BaseException:
            finish(process.kill, timeout_s=END_TIMEOUT_S)
            raise
        return terminal

    def attach(self, id: str, *, scrollback: bool = True) -> TerminalSync:
        """The terminal of a process that runs already, or has ended: `process.id` of one that was started with
        `tty`. What it has shown last comes first, unless `scrollback` is False. Leaving the block only lets go of it.

        Raises:
            ProcessNotFound: there is none.
            Conflict: it is on no terminal.
        """
        process = self._processes.get(id)
        terminal = TerminalSync(
            self._connection, process, ends_with_block=False, scrollback=scrollback
        )
        terminal.connect()
        return terminal


class TerminalSync:
    """One terminal. An async iterator of the bytes that it shows, to the end of its program.

    A connection that breaks is made again, and nothing of what it shows is lost then; of what was typed in that
    moment nobody knows. Whoever looks holds the program back, as at any terminal, unless others look who are faster.
    """

    process: ProcessSync
    """What runs on it."""
    skipped_bytes: int
    """Output that was not shown, because it came too fast, or was dropped while the connection was down."""

    def __init__(
        self,
        connection: Connection,
        process: ProcessSync,
        *,
        ends_with_block: bool,
        scrollback: bool = True,
    ) -> None:
        self.process = process
        self.skipped_bytes = 0
        self._connection = connection
        self._ends_with_block = ends_with_block
        self._scrollback = scrollback
        self._interrupt = Interrupt()
        self._connecting = Lock()
        self._socket: ClientConnection | None = None
        self._offset: int | None = None
        """Of the next byte, in all that the program writes."""
        self._is_closed = False
        self._shown = self._show()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.process.id}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        finally:
            if self._ends_with_block and not self._connection.is_closed:
                with suppress(ProcessNotFound):
                    finish(self.process.stop, timeout_s=END_TIMEOUT_S)

    def __iter__(self) -> Iterator[bytes]:
        return self._shown

    @property
    def id(self) -> str:
        """Of its process; for `attach`."""
        return self.process.id

    def write(self, data: str | bytes) -> None:
        """Type it.

        Raises:
            ProcessNotRunning: the program has ended.
            ServerUnreachable: the connection did not come back.
            ClientClosed: this was closed.
        """
        rest = bytes_of(data)
        while rest:
            self._send(calls.input_frame(rest[: calls.SLICE_BYTES]))
            rest = rest[calls.SLICE_BYTES :]

    def resize(self, *, cols: int, rows: int) -> None:
        """Set its size, in characters; the program is told. Of several viewers the last one counts.

        Raises: as `write`.
        """
        self._send(calls.resize_frame(cols=cols, rows=rows))

    def wait(self, timeout: float | None = None) -> ProcessInfo:
        """How its program ended: `exit_code`, or `signal`. `timeout` is in seconds.

        Raises:
            Timeout: it has not ended in time.
        """
        return self.process.wait(timeout)

    def close(self) -> None:
        """Let go of it: the program runs on. Closing it twice does nothing."""
        self._is_closed = True
        self._interrupt.set()
        self._connection.interrupts.discard(self._interrupt)
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()

    @property
    def _is_over(self) -> bool:
        return self._is_closed or self._connection.is_closed

    def connect(self) -> None:
        """The first time. Raises: ProcessNotFound, Conflict, ServerUnreachable."""
        self._connection.interrupts.add(self._interrupt)
        self._socket = self._connected()

    def _show(self) -> Generator[bytes, None, None]:
        socket, has_ended = self._socket, False
        while not (has_ended or self._is_closed):
            try:
                with websocket_failures(f"the terminal {self.id}"):
                    if socket is None:
                        raise ServerUnreachable("The connection broke.")
                    message = websocket_receive(socket, timeout_s=None)
            except ServerUnreachable:
                if self._is_over:
                    return
                socket = self._connected_after(socket)
                continue
            if isinstance(message, bytes):
                assert self._offset is not None
                self._offset += len(message)
                yield message
            else:
                has_ended = self._take(message)
        self.close()

    def _take(self, text: str) -> bool:
        """True when it was the last frame."""
        match calls.read_frame(text):
            case TerminalExit():
                return True
            case TerminalError(code="output_skipped") as gap:
                self._offset = gap.offset
                self.skipped_bytes += gap.skipped_bytes or 0
                logger.warning("terminal %s: %s", self.id, gap.message)
            case TerminalError(code=ProcessNotRunning.code):
                pass  # the next frame says how it ended
            case TerminalError() as refused:
                logger.warning("terminal %s: %s", self.id, refused.message)
            case _:
                pass
        return False

    def _send(self, frame: str) -> None:
        socket = self._socket
        while True:
            if self._is_closed:
                if self.process.is_running:
                    self.process.refresh()
                if not self.process.is_running:
                    raise ProcessNotRunning(f"{self.id} has ended: it takes no input")
                raise ClientClosed(f"The terminal {self.id} is closed.")
            try:
                with websocket_failures(f"the terminal {self.id}"):
                    if socket is None:
                        raise ServerUnreachable("The connection broke.")
                    socket.send(frame)
            except ServerUnreachable:
                if self._is_closed:
                    continue
                self.process.refresh()
                if not self.process.is_running:
                    raise ProcessNotRunning(f"{self.id} has ended: it takes no input") from None
                socket = self._connected_after(socket)
            else:
                return

    def _connected_after(self, broken: ClientConnection | None) -> ClientConnection:
        """A connection that stands, in place of this one: made here, or by whoever noticed first.

        Raises:
            ServerUnreachable: it did not come back in time.
            ProcessNotFound: the process is forgotten.
            ClientClosed
        """
        with self._connecting:
            if self._socket is not None and self._socket is not broken:
                return self._socket
            reconnection = Reconnection(timeout_s=self._connection.reconnect_timeout_s)
            while True:
                if self._is_over:
                    raise ClientClosed(f"The terminal {self.id} is closed.")
                try:
                    self._socket = self._connected()
                except SandboxAgentError as exc:
                    delay_s = reconnection.delay_after(exc)
                    logger.info("terminal %s broke off, again in %.1f s", self.id, delay_s)
                    self._interrupt.sleep(delay_s)
                else:
                    return self._socket

    def _connected(self) -> ClientConnection:
        """A new connection, up to its first frame."""
        transport, what = self._connection.transport, f"the terminal {self.id}"
        socket = transport.websocket(
            calls.terminal_path(self.id),
            calls.terminal_query(offset=self._offset, scrollback=self._scrollback),
            what=what,
        )
        try:
            with websocket_failures(what):
                first = websocket_receive(socket, timeout_s=transport.silence_s)
                ready = calls.read_frame(first) if isinstance(first, str) else None
                if not isinstance(ready, TerminalReady):
                    raise ServerUnreachable(f"{what}: the server did not begin with `ready`")
        except BaseException:
            socket.close()
            raise
        # What comes first counts up to there.
        self._offset = ready.offset - ready.scrollback_bytes
        self._interrupt.guard(websocket_socket(socket))
        return socket
