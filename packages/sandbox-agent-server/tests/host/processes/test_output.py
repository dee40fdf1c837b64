"""The output of a process: every reader gets all of it in order, or is told what is missing."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.api.processes import ProcessGap
from sandbox_agent_server.host.processes.output import Output
from sandbox_agent_server.host.processes.output_file import OutputFile

LIMIT = 100_000


def make(directory: Path, *, max_bytes: int = LIMIT, **options: Any) -> Output:
    return Output(OutputFile(directory, max_bytes=max_bytes), name="proc_1", **options)


async def read_all(output: Output, since: int = 0) -> tuple[bytes, list[ProcessGap]]:
    text, gaps = b"", []
    async for batch in output.follow(since):
        text += b"".join(entry.data for entry in batch.entries)
        gaps += [batch.gap] if batch.gap is not None else []
    return text, gaps


def kept_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*.out"))


async def test_readers_from_anywhere_get_the_same_as_it_comes_and_after_the_end(
    tmp_path: Path,
) -> None:
    output = make(tmp_path)
    readers = [asyncio.create_task(read_all(output)) for _ in range(3)]
    lines = [f"line {number}\n".encode() for number in range(2000)]
    for number, line in enumerate(lines):
        output.write("stderr" if number % 3 else "stdout", line)
        if number % 100 == 0:
            await asyncio.sleep(0)
    output.end()
    for reader in readers:
        assert await reader == (b"".join(lines), [])
    assert await read_all(output) == (b"".join(lines), [])
    assert await read_all(output, since=1500) == (b"".join(lines[1500:]), [])
    assert await read_all(output, since=2000) == (b"", [])
    assert await output.read(10**9) == []


async def test_the_oldest_goes_and_who_asks_for_it_is_told(tmp_path: Path) -> None:
    output = make(tmp_path)
    pieces = [bytes([65 + number % 26]) * 1000 for number in range(1000)]
    for piece in pieces:
        output.write("stdout", piece)
        assert kept_bytes(tmp_path) <= LIMIT
    output.end()
    text, (gap,) = await read_all(output)
    assert (gap.after, gap.sequence) == (0, output.first_sequence)
    assert gap.bytes == 1_000_000 - len(text)
    assert text == b"".join(pieces)[-len(text) :]
    assert len(text) > LIMIT // 2
    late, (gap,) = await read_all(output, since=10)
    assert (late, gap.after, gap.bytes) == (text, 10, None)


async def test_a_tail_is_that_of_its_stream(tmp_path: Path) -> None:
    output = make(tmp_path)
    for number in range(300):
        output.write("stderr" if number in (5, 250) else "stdout", b"x" * 300)
    output.end()
    assert await output.tail(2, "stderr") == 5
    assert await output.tail(1, "stderr") == 250
    assert await output.tail(10, "combined") == 290
    assert await output.tail(1000, "combined") == output.first_sequence - 1
    near = output.near_end(10_000)
    assert 0 < 300 - near < 300
    assert sum(len(e.data) for b in await output.read(near) for e in b.entries) >= 9_000


async def test_a_later_server_reads_what_an_earlier_one_wrote(tmp_path: Path) -> None:
    output = make(tmp_path)
    for number in range(500):
        output.write("pty", b"%d " % number)
    newest = sorted(tmp_path.glob("*.out"))[-1]
    with newest.open("ab") as file:
        file.write(b"half a record")  # the server was killed while it wrote
    file = OutputFile(tmp_path, max_bytes=LIMIT)
    last = file.load()
    assert last is not None
    again = Output(file, name="proc_1", last=last, is_ended=True)
    assert (again.last_sequence, again.size_bytes) == (output.last_sequence, output.size_bytes)
    assert await read_all(again) == (b"".join(b"%d " % number for number in range(500)), [])


async def test_a_full_disk_is_a_gap_for_later_readers_and_nothing_for_who_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = make(tmp_path)
    output.write("stdout", b"before ")

    def is_full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    reader = asyncio.create_task(read_all(output))
    await asyncio.sleep(0)
    with monkeypatch.context() as full:
        full.setattr(os, "writev", is_full)
        output.write("stdout", b"during ")
    output.write("stdout", b"after")
    output.end()
    assert await reader == (b"before during after", [])
    file = OutputFile(tmp_path, max_bytes=LIMIT)
    later = Output(file, name="proc_1", last=file.load(), is_ended=True)
    text, (gap,) = await read_all(later)
    assert (text, gap.after, gap.sequence, gap.bytes) == (b"before after", 1, 3, 7)


async def test_one_that_waits_is_full_until_a_reader_has_taken_it(tmp_path: Path) -> None:
    output = make(tmp_path, waits_at_bytes=50_000)
    told: list[bool] = []
    output.on_room = lambda: told.append(output.is_full)
    reader = output.follow(0)
    for _ in range(60):
        output.write("stdout", b"x" * 1000)
    assert output.is_full
    taken = 0
    while not told:
        taken += sum(len(entry.data) for entry in (await anext(reader)).entries)
        output.write("stdout", b"y")
    assert told == [False]
    await reader.aclose()


async def test_tiny_bounds_keep_the_newest(tmp_path: Path) -> None:
    output = make(tmp_path, max_bytes=1)
    output.write("stdout", b"x" * 1_000_000)
    output.write("stdout", b"end")
    output.end()
    text, (gap,) = await read_all(output)
    assert text.endswith(b"end")
    assert gap.bytes == 1_000_003 - len(text)
    assert kept_bytes(tmp_path) < 10_000
