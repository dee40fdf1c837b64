"""The output of a process as one answer, or followed as server-sent events."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sandbox_agent_core.api.processes import ProcessLogsStream

from sandbox_agent_server.host.processes.output import Batch, Output, is_of
from sandbox_agent_server.host.processes.output_file import Entry
from sandbox_agent_server.host.processes.process import HostProcess
from sandbox_agent_server.http.large_answer import Body, ByteBudget, LargeAnswer
from sandbox_agent_server.http.route import document
from sandbox_agent_server.http.stream import (
    HEARTBEAT,
    Drain,
    SendBody,
    SseResponse,
    StreamCounter,
)
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.limits import Limits

__all__ = ["LogQuery", "follow_output", "output_page"]

_BEFORE_DATA: Final = b'{"sequence":%d,"stream":"%b","timestampMs":%d,"data":"'
_AFTER_DATA: Final = b'","encoding":"base64"}'


@dataclass(frozen=True, slots=True)
class LogQuery:
    stream: ProcessLogsStream
    since: int
    tail: int | None

    async def start(self, output: Output) -> int:
        """The cursor to begin with. Raises: OSError."""
        if self.tail is None:
            return self.since
        if self.tail == 0:
            return max(self.since, output.last_sequence)
        return max(self.since, await output.tail(self.tail, self.stream))


def output_page(
    process: HostProcess, query: LogQuery, budget: ByteBudget, limits: Limits
) -> LargeAnswer:
    max_bytes = min(limits.max_process_page_bytes, process.output.size_bytes)

    async def make() -> Body:
        entries: list[Entry] = []
        gap, size = None, 0
        cursor = await query.start(process.output)
        while size < limits.max_process_page_bytes:
            batches = await process.output.read(cursor)
            if not batches:
                break
            for batch in batches:
                # A page that begins where the oldest was dropped says so; one that was asked for the last
                # few says nothing of those before.
                gap = gap or (batch.gap if query.tail is None else None)
                found = [entry for entry in batch.entries if is_of(entry, query.stream)]
                entries += found
                size += sum(len(entry.data) for entry in found)
                cursor = batch.cursor
                process.output.taken(batch)
        head = b'{"processId":"%b","stream":"%b","nextCursor":%d,%b"entries":[' % (
            process.id.encode(),
            query.stream.encode(),
            cursor,
            b'"gap":%b,' % dumps(document(gap)) if gap is not None else b"",
        )
        heads = [_before(entry) for entry in entries]
        in_all = len(head) + 2 + max(len(entries) - 1, 0)
        in_all += sum(len(before) + len(_AFTER_DATA) for before in heads)
        in_all += sum((len(entry.data) + 2) // 3 * 4 for entry in entries)
        return Body(in_all, size, _pieces(head, entries))

    return LargeAnswer(make, budget, max_bytes=max_bytes)


def follow_output(
    process: HostProcess, query: LogQuery, counter: StreamCounter, limits: Limits
) -> SseResponse:
    output = process.output

    async def events(send: SendBody, drain: Drain) -> None:
        cursor = await query.start(output)
        while True:
            for batch in await output.read(cursor):
                body = _events(batch, query.stream)
                if body:
                    await send(body)
                    await drain()
                output.taken(batch)
                cursor = max(cursor, batch.cursor)
            if cursor < output.last_sequence:
                continue
            if output.is_ended:
                break
            try:
                async with asyncio.timeout(limits.heartbeat_s):
                    await output.wait(cursor)
            except TimeoutError:
                await send(HEARTBEAT)
        await process.wait()
        await send(b"event: exit\ndata: %b\n\n" % dumps(document(process.info)))

    return SseResponse(events, counter)


def _events(batch: Batch, stream: ProcessLogsStream) -> bytes:
    events = []
    if batch.gap is not None:
        before = batch.gap.sequence - 1
        events.append(b"event: gap\nid: %d\ndata: %b\n\n" % (before, dumps(document(batch.gap))))
    events += [
        b"event: log\nid: %d\ndata: %b%b%b\n\n"
        % (entry.sequence, _before(entry), base64.b64encode(entry.data), _AFTER_DATA)
        for entry in batch.entries
        if is_of(entry, stream)
    ]
    return b"".join(events)


def _before(entry: Entry) -> bytes:
    return _BEFORE_DATA % (entry.sequence, entry.stream.encode(), entry.timestamp_ms)


def _pieces(head: bytes, entries: list[Entry]) -> Iterator[bytes]:
    yield head
    for index, entry in enumerate(entries):
        yield (b"," if index else b"") + _before(entry) + base64.b64encode(entry.data) + _AFTER_DATA
    yield b"]}"
