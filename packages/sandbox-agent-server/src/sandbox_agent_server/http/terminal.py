"""A terminal over a WebSocket: its output out as it is read, keys and sizes in. Any number may look and type."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, NamedTuple

from sandbox_agent_core.api.base import ResponseBody
from sandbox_agent_core.api.processes import TerminalSize, decode_input
from sandbox_agent_core.api.terminals import (
    TerminalError,
    TerminalExit,
    TerminalInput,
    TerminalReady,
)
from sandbox_agent_core.errors import InvalidRequest, PayloadTooLarge, SandboxAgentError
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox_agent_server.host.processes.process import HostProcess
from sandbox_agent_server.host.processes.registry import Processes
from sandbox_agent_server.host.terminals.scrollback import replayed
from sandbox_agent_server.http.body import parse_json, validate
from sandbox_agent_server.http.presented_token import WEBSOCKET_PROTOCOL
from sandbox_agent_server.http.route import document
from sandbox_agent_server.http.stream import StreamCounter, drain_of, first_of
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.runtime.launching import PtySize

__all__ = ["TerminalQuery", "serve_terminal"]

_KINDS: Final = ("input", "resize", "close")


class TerminalQuery(NamedTuple):
    offset: int | None
    """Of the output: where a client goes on that was here before."""
    with_scrollback: bool


async def serve_terminal(
    websocket: WebSocket,
    process: HostProcess,
    processes: Processes,
    query: TerminalQuery,
    *,
    counter: StreamCounter,
    limits: Limits,
) -> None:
    """Until the process has ended, or the client leaves; the process stays."""
    viewer = _Viewer(websocket, process, processes, limits)
    offered = websocket.scope.get("subprotocols", ())
    with counter.hold(), suppress(WebSocketDisconnect, OSError):
        await websocket.accept(WEBSOCKET_PROTOCOL if WEBSOCKET_PROTOCOL in offered else None)
        await first_of(viewer.show(query), viewer.read_frames())
        await websocket.close()


class _Viewer:
    def __init__(
        self, websocket: WebSocket, process: HostProcess, processes: Processes, limits: Limits
    ) -> None:
        self._websocket = websocket
        self._process = process
        self._processes = processes
        self._limits = limits
        self._output = process.output
        self._drain = drain_of(websocket.scope)

    # Out

    async def show(self, query: TerminalQuery) -> None:
        """From the start, or from where the client was, to the end of the process."""
        if query.offset is None:
            size = self._limits.terminal_scrollback_bytes if query.with_scrollback else 0
            since, offset = await self._show_scrollback(size)
        else:
            offset = min(query.offset, self._output.size_bytes)
            await self._tell(TerminalReady(process_id=self._process.id, offset=offset))
            since = await self._cursor_before(offset)
        await self._follow(since, offset)
        await self._process.wait()
        info = self._process.info
        await self._tell(TerminalExit(exit_code=info.exit_code, signal=info.signal))

    async def _show_scrollback(self, size: int) -> tuple[int, int]:
        """The cursor after what was shown, and the offset."""
        output = self._output
        since, last = output.near_end(size) if size else output.last_sequence, output.last_sequence
        parts: list[bytes] = []
        first, end = None, output.size_bytes
        while since < last:
            for batch in await output.read(since):
                if batch.gap is not None:
                    parts, first = [], None
                for entry in batch.entries:
                    first = entry.offset if first is None else first
                    parts.append(entry.data)
                    end = entry.end
                since = batch.cursor
        data = b"".join(parts)
        is_cut = len(data) > size or bool(first)
        shown = replayed(data[-size:], is_cut=is_cut) if data else b""
        await self._tell(
            TerminalReady(process_id=self._process.id, offset=end, scrollback_bytes=len(shown))
        )
        if shown:
            await self._websocket.send_bytes(shown)
        return since, end

    async def _cursor_before(self, offset: int) -> int:
        """A cursor after which the offset comes, if it is still there."""
        output = self._output
        size = 2 * (output.size_bytes - offset)
        while True:
            since = output.near_end(size) if size else output.last_sequence
            first = next(
                (one for batch in await output.read(since, max_bytes=1) for one in batch.entries),
                None,
            )
            if first is None or first.offset <= offset or since == 0:
                return since
            size *= 4

    async def _follow(self, since: int, offset: int) -> None:
        """In step with the process: as long as this viewer takes what there is, nothing is lost on it."""
        output = self._output
        pace = output.watched(lead_bytes=self._limits.terminal_lead_bytes)
        try:
            async for batch in output.follow(since):
                parts = [one.data for one in batch.entries if one.offset >= offset]
                if len(parts) < len(batch.entries):
                    # The client has the first of them, or half of one.
                    parts = [
                        one.data[max(0, offset - one.offset) :]
                        for one in batch.entries
                        if one.end > offset
                    ]
                elif parts and batch.entries[0].offset > offset:
                    await self._tell_skipped(offset, batch.entries[0].offset)
                if not parts:
                    continue
                offset = batch.entries[-1].end
                await self._websocket.send_bytes(parts[0] if len(parts) == 1 else b"".join(parts))
                try:
                    async with asyncio.timeout(self._limits.terminal_stall_s):
                        await self._drain()
                except TimeoutError:
                    # It takes nothing: nobody waits for it until it does.
                    pace.close()
                    await self._drain()
                    pace = output.watched(lead_bytes=self._limits.terminal_lead_bytes)
                pace.taken(offset)
        finally:
            pace.close()
        if offset < output.size_bytes:
            await self._tell_skipped(offset, output.size_bytes)

    async def _tell_skipped(self, offset: int, to: int) -> None:
        await self._tell(
            TerminalError(
                message=f"{to - offset} bytes of output are not shown: they came faster than they were taken",
                code="output_skipped",
                skipped_bytes=to - offset,
                offset=to,
            )
        )

    async def _tell(self, frame: ResponseBody) -> None:
        await self._websocket.send_text(dumps(document(frame)).decode())

    # In

    async def read_frames(self) -> None:
        """Until the client leaves, or says so. What is wrong with a frame is told, and the next one is read."""
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                text = message.get("text")
                if text is None:
                    raise InvalidRequest("binary input is not supported; use text JSON frames")
                if not await self._carry_out(text):
                    return
            except SandboxAgentError as exc:
                await self._tell(TerminalError(message=exc.message, code=exc.code))

    async def _carry_out(self, text: str) -> bool:
        """False: the client is done."""
        try:
            frame = parse_json(text, self._limits)
        except InvalidRequest as exc:
            raise InvalidRequest(f"invalid terminal frame: {exc.message}") from exc
        kind = frame.pop("type", None) if isinstance(frame, dict) else None
        match kind:
            case "input":
                await self._type(validate(frame, TerminalInput))
            case "resize":
                size = validate(frame, TerminalSize)
                self._process.resize(PtySize(rows=size.rows, cols=size.cols))
            case "close":
                return False
            case _:
                raise InvalidRequest(
                    f"invalid terminal frame: a JSON object with one of {', '.join(_KINDS)} as its `type` is "
                    f"expected, not {str(kind)[:64]!r}"
                )
        return True

    async def _type(self, typed: TerminalInput) -> None:
        try:
            data = decode_input(typed.data, typed.encoding)
        except ValueError as exc:
            raise InvalidRequest(str(exc)) from exc
        limit = self._processes.bounds.now.max_input_bytes_per_request
        if len(data) > limit:
            raise PayloadTooLarge(f"input payload exceeds maxInputBytesPerRequest ({limit})")
        await self._process.write(
            data,
            in_all=max(self._limits.max_unread_input_bytes, limit),
            patience_s=self._limits.process_input_wait_s,
        )
