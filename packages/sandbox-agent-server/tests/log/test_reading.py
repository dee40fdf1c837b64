"""Whatever a bad disk did to the inside of a log, readers get every entry that is whole, and no gap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_log import open_log, read_all, say
from sandbox_agent_core.frames import LogEntry, extensions
from sandbox_agent_core.projection import project
from sandbox_agent_server.log import file as file_module
from sandbox_agent_server.log.log import Cursor, SessionLog
from sandbox_agent_server.log.views import encode

WORDS = [f"word {number} " + "x" * 40 for number in range(1, 41)]


def lines_of(directory: Path) -> list[bytes]:
    log = open_log(directory)
    for word in WORDS:
        say(log, word)
    log.close()
    return log.file.path.read_bytes().splitlines(keepends=True)


def damaged_log(directory: Path, lines: list[bytes]) -> SessionLog:
    path = directory / "ses_1" / "log.jsonl"
    path.write_bytes(b"".join(lines))
    return open_log(directory)


async def shown(log: SessionLog, after: int = 0) -> list[tuple[int, str]]:
    """`(seq, word)`, and `""` where it is damaged."""
    entries = [entry.to_log_entry("ses_1") for entry in await read_all(log, after)]
    return [
        (one.seq, "" if one.method == extensions.LOG_DAMAGED else one.payload["params"]["word"])
        for one in entries
    ]


def expected(*lost: int, after: int = 0) -> list[tuple[int, str]]:
    return [(seq, "" if seq in lost else word) for seq, word in enumerate(WORDS, 1) if seq > after]


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n", b"\n", b"\0" * 200 + b"\n", b"[]\n", b"null\n", b'{"seq":20}\n', b'"\xff\xfe"\n',
        b'{"seq":"20","time":"2026-11-23T12:00:00.044Z","sender":"server","payload":{}}\n',
        b'{"seq":20,"time":"2026-11-23T12:00:00.044Z","sender":"server","payload":[]}\n',
        b'{"seq":20,"time":"2026-99-23T12:00:00.044Z","sender":"server","payload":{}}\n',
        b'{"seq":20,"time":7,"sender":"server","payload":{}}\n',
        b'{"seq":20,"time":"2026-11-23T12:00:00.044Z","sender":"server","payload":{\n',
        b'{"seq":31,"time":"2026-11-23T12:00:00.044Z","sender":"server","payload":{}}\n',
        b"two\nlines\n", b"[" * 100_000 + b"\n",
    ],
)  # fmt: skip
async def test_a_line_that_is_damaged_costs_itself_alone(tmp_path: Path, line: bytes) -> None:
    lines = lines_of(tmp_path)
    lines[19] = line
    log = damaged_log(tmp_path, lines)
    for after in (0, 18, 19, 20, 30):
        assert await shown(log, after) == expected(20, after=after)
    log.close()


async def test_lines_that_are_gone_or_run_together_are_said_to_be_lost(tmp_path: Path) -> None:
    lines = lines_of(tmp_path)
    log = damaged_log(tmp_path, lines[:9] + lines[12:])
    assert await shown(log) == expected(10, 11, 12)
    log.close()

    torn = [*lines[:9], lines[9].rstrip(b"\n") + b"\0\0", *lines[10:]]
    log = damaged_log(tmp_path, torn)
    assert await shown(log) == expected(10, 11)
    log.close()


async def test_a_line_too_many_is_none(tmp_path: Path) -> None:
    lines = lines_of(tmp_path)
    log = damaged_log(tmp_path, [*lines[:9], lines[4], b"junk\n", *lines[9:]])
    assert await shown(log) == expected()
    log.close()


async def test_what_is_lost_is_an_event_with_its_time_and_size(tmp_path: Path) -> None:
    lines = lines_of(tmp_path)
    time = json.loads(lines[19])["time"]
    lines[19] = lines[19].replace(b"payload", b'pay"oad')
    log = damaged_log(tmp_path, lines)
    (entry,) = [one for one in await read_all(log) if one.seq == 20]
    event: Any = project(entry.to_log_entry("ses_1"))
    assert (event.type, event.lost_bytes) == ("log.damaged", len(lines[19]) - 1)
    assert event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z") == time
    for view in ("universal", "frames"):
        for _, shown_line in encode(await read_all(log), "ses_1", view, deltas=True):  # type: ignore[arg-type]
            json.loads(shown_line)
    log.close()


@pytest.mark.parametrize("day", ["2026-01-31", "2026-11-30", "2026-11-29", "2028-02-29"])
async def test_the_last_days_of_a_month_are_days_too(tmp_path: Path, day: str) -> None:
    lines = lines_of(tmp_path)
    date = json.loads(lines[19])["time"][:10].encode()
    lines[19] = lines[19].replace(date, day.encode()).replace(b"payload", b'pay"oad')
    log = damaged_log(tmp_path, lines)
    (entry,) = [one for one in await read_all(log) if one.seq == 20]
    assert project(entry.to_log_entry("ses_1")).time.date().isoformat() == day  # type: ignore[union-attr]
    log.close()


@pytest.mark.parametrize(
    "day", ["2026-02-29", "2026-02-30", "2026-04-31", "2026-13-01", "2026-11-00"]
)
async def test_a_day_that_is_none_is_no_time(tmp_path: Path, day: str) -> None:
    lines = lines_of(tmp_path)
    date = json.loads(lines[19])["time"][:10].encode()
    lines[19] = lines[19].replace(date, day.encode()).replace(b"payload", b'pay"oad')
    log = damaged_log(tmp_path, lines)
    (entry,) = [one for one in await read_all(log) if one.seq == 20]
    assert project(entry.to_log_entry("ses_1")).time.year == 1970  # type: ignore[union-attr]
    log.close()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_wherever_it_is_damaged_and_however_it_is_read_there_is_no_gap(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("log")
    lines = lines_of(directory)
    content = bytearray(b"".join(lines))
    # The last line is whole, and its beginning too: else it is cut off when the log is opened.
    last = len(content) - len(lines[-1]) - 1
    start = data.draw(st.integers(0, last - 1))
    size = data.draw(st.integers(1, min(3000, last - start)))
    content[start : start + size] = data.draw(
        st.sampled_from([b"\0" * size, b"\n" * size, b"9" * size, b'{"seq":1,\n' * (size // 10)])
    )
    limit = data.draw(st.integers(1, 50))
    max_bytes = data.draw(st.sampled_from([1, 200, 1000, 100_000]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_module, "_MARK_EVERY_BYTES", 500)
        log = damaged_log(directory, [bytes(content)])
        cursor, found = Cursor(log, data.draw(st.integers(0, 10))), []
        first = cursor.after + 1
        while entries := cursor._read(limit, max_bytes):
            assert len(entries) <= limit
            found += [entry.to_log_entry("ses_1") for entry in entries]
    assert [one.seq for one in found] == list(range(first, len(WORDS) + 1))
    hit = {
        seq for seq, (begin, end) in _spans(lines).items() if begin < start + size and end > start
    }
    for one in found:
        if one.seq not in hit:
            assert one == _whole(lines[one.seq - 1])
    log.close()


def _whole(line: bytes) -> LogEntry:
    return LogEntry.from_wire("ses_1", json.loads(line))


def _spans(lines: list[bytes]) -> dict[int, tuple[int, int]]:
    spans, offset = {}, 0
    for seq, line in enumerate(lines, 1):
        # The newline before it is as much its own as the one at its end.
        spans[seq] = (offset - 1, offset + len(line))
        offset += len(line)
    return spans
