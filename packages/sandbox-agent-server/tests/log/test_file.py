"""The file of a log: a line is in it whole or not at all, and is found again from anywhere."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from disk import Disk
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_agent_core.errors import StorageError
from sandbox_agent_server.log import file as log_file
from sandbox_agent_server.log.file import LOG_NAME, LogFile, Place, Quota

MIB = 1024 * 1024


def line(seq: int, size_bytes: int = 0) -> bytes:
    return b'{"seq":%d,"x":"%b"}' % (seq, b"x" * size_bytes)


def append(file: LogFile, *lines: bytes) -> None:
    file.append(b"".join(one + b"\n" for one in lines), last_seq=file.last_seq + len(lines))


def read_from(file: LogFile, seq: int, *, max_bytes: int = 64 * 1024) -> list[bytes]:
    """As a reader does: from a place near it, slice after slice."""
    place, found = file.find(seq), []
    assert place.seq <= seq
    while lines := file.read(place, max_bytes=max_bytes):
        found += [one for number, one in enumerate(lines, start=place.seq) if number >= seq]
        place = Place(place.seq + len(lines), place.offset + sum(len(one) + 1 for one in lines))
    return found


@pytest.fixture
def file(tmp_path: Path) -> Iterator[LogFile]:
    file = LogFile(tmp_path / "ses_1", Quota())
    yield file
    file.rest()


def opened_again(file: LogFile) -> LogFile:
    return LogFile(file.path.parent, Quota())


def bytes_of(file: LogFile) -> bytes:
    return file.path.read_bytes()


# Appending


def test_nothing_is_made_before_something_is_appended(file: LogFile) -> None:
    assert (file.last_seq, file.size_bytes, file.torn) == (0, 0, None)
    assert read_from(file, 1) == []
    assert not file.path.parent.exists()


def test_what_is_appended_is_nobody_elses_business(file: LogFile) -> None:
    append(file, line(1))
    file.rest()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_opened_again_goes_on_where_it_was(file: LogFile) -> None:
    append(file, line(1), line(2))
    append(file, line(3, 200_000))
    file.rest()

    again = opened_again(file)
    assert (again.last_seq, again.size_bytes, again.torn) == (3, len(bytes_of(file)), None)
    assert again.last_line == line(3, 200_000)
    append(again, line(4))
    again.rest()
    assert read_from(again, 1) == [line(1), line(2), line(3, 200_000), line(4)]


@pytest.mark.parametrize("takes_bytes", [0, 1, 12])
def test_what_was_written_in_part_is_taken_back(
    file: LogFile, disk: Disk, takes_bytes: int
) -> None:
    append(file, line(1))
    before = bytes_of(file)

    with disk.full(takes_bytes=takes_bytes), pytest.raises(StorageError) as caught:
        append(file, line(2), line(3))

    assert caught.value.details["path"] == str(file.path)
    assert bytes_of(file) == before
    assert (file.last_seq, file.size_bytes) == (1, len(before))
    append(file, line(2))
    file.rest()
    assert read_from(opened_again(file), 1) == [line(1), line(2)]


def test_what_could_not_be_taken_back_is_not_read_and_goes_with_the_next_append(
    file: LogFile, disk: Disk
) -> None:
    append(file, line(1))
    disk.truncates = False
    with disk.full(takes_bytes=len(line(2)) + 3), pytest.raises(StorageError):
        append(file, line(2), line(3))
    assert len(bytes_of(file)) > file.size_bytes

    assert read_from(file, 1) == [line(1)]
    with pytest.raises(StorageError):
        append(file, line(2))  # not behind what is no line
    disk.truncates = True
    append(file, line(2, 1))
    file.rest()

    assert bytes_of(file) == line(1) + b"\n" + line(2, 1) + b"\n"


@pytest.mark.fault("a file system that is really full", "an append is whole or not at all")
def test_a_disk_that_is_really_full_loses_nothing_and_tears_nothing(tmp_path: Path) -> None:
    code = f"""
import resource, signal
from pathlib import Path
from sandbox_agent_core.errors import StorageError
from sandbox_agent_server.log.file import LogFile, Quota
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = LogFile(Path({str(tmp_path)!r}), Quota())
line = lambda seq: b'{{"seq":%d,"x":"%b"}}\\n' % (seq, b"x" * 100)
file.append(line(1), last_seq=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, {resource.RLIM_INFINITY}))
file.append(line(2), last_seq=2)
for _ in range(3):
    try:
        file.append(line(3), last_seq=3)
    except StorageError:
        continue
    raise SystemExit("it was written")
resource.setrlimit(resource.RLIMIT_FSIZE, ({resource.RLIM_INFINITY}, {resource.RLIM_INFINITY}))
file.append(line(3), last_seq=3)
file.rest()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)

    file = LogFile(tmp_path, Quota())
    assert (file.last_seq, file.torn) == (3, None)
    assert read_from(file, 1) == [line(1, 100), line(2, 100), line(3, 100)]


def test_what_cannot_be_opened_is_a_storage_error(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "a" / "ses_1", Quota())
    (tmp_path / "a").write_text("in the way")
    with pytest.raises(StorageError):
        append(file, line(1))
    with pytest.raises(StorageError):
        LogFile(tmp_path / "a" / "ses_1", Quota())
    (tmp_path / "ses_2" / LOG_NAME).mkdir(parents=True)
    with pytest.raises(StorageError):
        LogFile(tmp_path / "ses_2", Quota())


# The quota of all logs


def test_at_the_quota_a_log_is_as_on_a_full_disk_until_another_is_deleted(tmp_path: Path) -> None:
    quota = Quota(100)
    one, other = LogFile(tmp_path / "ses_1", quota), LogFile(tmp_path / "ses_2", quota)
    append(one, line(1, 40))
    with pytest.raises(StorageError, match="max_log_bytes"):
        append(other, line(1, 40))
    assert (other.last_seq, quota.used_bytes) == (0, one.size_bytes)

    one.delete()
    assert quota.used_bytes == 0
    append(other, line(1, 40))
    other.rest()


def test_what_was_not_written_is_not_counted(tmp_path: Path, disk: Disk) -> None:
    quota = Quota(1000, used_bytes=10)
    file = LogFile(tmp_path, quota)
    with disk.full(takes_bytes=3), pytest.raises(StorageError):
        append(file, line(1))
    assert quota.used_bytes == 10
    append(file, line(1))
    file.rest()
    assert quota.used_bytes == 10 + file.size_bytes


# What a power failure tears

_WHOLE = line(1) + b"\n" + line(2) + b"\n"


@pytest.mark.parametrize(
    "tail",
    [
        b'{"seq":3,"x":"xx',
        line(3),  # whole, but for its newline
        b"\0" * 5000,
        line(3)[:9] + b"\0" * 40 + b"\n",
        b"\0\0\n\0\0\n",
        b"garbage\n",
        b"\n\n\n",
        b"\xff\xfe\n",
        b"[1]\n7\nnull\n{}\n",
        b'{"seq":"3"}\n',
        b'{"seq":0}\n',
        b'{"seq":-3}\n',
        b"[" * 100_000 + b"\n",
        b"x" * (3 * MIB),
        b"x" * (3 * MIB) + b"\n" + b"{",
    ],
    ids=lambda tail: repr(tail[:20]),
)
def test_what_is_no_line_at_the_end_is_cut_off_by_the_next_append(
    tmp_path: Path, tail: bytes
) -> None:
    path = tmp_path / LOG_NAME
    path.write_bytes(_WHOLE + tail)

    file = LogFile(tmp_path, Quota())
    assert file.torn is not None
    assert (file.torn.dropped_bytes, bool(file.torn.reason)) == (len(tail), True)
    assert (file.last_seq, file.size_bytes, file.last_line) == (2, len(_WHOLE), line(2))
    assert read_from(file, 1) == [line(1), line(2)]
    assert path.read_bytes() == _WHOLE + tail  # reading changes nothing
    append(file, line(3))
    file.rest()
    assert path.read_bytes() == _WHOLE + line(3) + b"\n"


def test_of_a_file_with_nothing_whole_in_it_nothing_remains(tmp_path: Path) -> None:
    (tmp_path / LOG_NAME).write_bytes(b"\0" * 100)
    file = LogFile(tmp_path, Quota())
    assert (file.last_seq, file.size_bytes) == (0, 0)
    append(file, line(1))
    file.rest()
    assert bytes_of(file) == line(1) + b"\n"


@pytest.mark.fault("a log is cut anywhere (a power failure)", "all whole lines are kept")
@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.sampled_from([0, 5, 300]), min_size=1, max_size=6), data=st.data())
def test_cut_anywhere_a_file_keeps_the_lines_that_are_whole(
    sizes: list[int], data: st.DataObject
) -> None:
    lines = [line(seq, size) for seq, size in enumerate(sizes, start=1)]
    whole = b"".join(one + b"\n" for one in lines)
    cut = data.draw(st.integers(0, len(whole)))
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, LOG_NAME).write_bytes(whole[:cut])
        file = LogFile(Path(directory), Quota())
        assert read_from(file, 1) == lines[: whole[:cut].count(b"\n")]
        assert file.last_seq == whole[:cut].count(b"\n")
        assert (file.torn is None) == (file.size_bytes == cut)


# Reading


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.lists(st.sampled_from([0, 10, 3000, 70_000, 200_000]), min_size=1, max_size=5),
        max_size=12,
    ),
    rests=st.sets(st.integers(0, 11)),
    data=st.data(),
)
def test_from_any_entry_on_is_read_what_was_appended(
    steps: list[list[int]], rests: set[int], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = LogFile(Path(directory, "ses_1"), Quota())
        written: list[bytes] = []
        for number, sizes in enumerate(steps):
            step = [line(seq, size) for seq, size in enumerate(sizes, start=len(written) + 1)]
            append(file, *step)
            written += step
            if number in rests:
                file.rest()
        seq = data.draw(st.integers(1, len(written) + 1))
        max_bytes = data.draw(st.sampled_from([1, 100, 64 * 1024, 4 * MIB]))
        assert read_from(file, seq, max_bytes=max_bytes) == written[seq - 1 :]
        file.rest()
        assert read_from(opened_again(file), seq, max_bytes=max_bytes) == written[seq - 1 :]


@pytest.mark.parametrize(
    "is_counted", [True, False], ids=["counted when read", "marked as written"]
)
def test_an_entry_deep_in_a_large_file_is_near_a_mark(
    file: LogFile, monkeypatch: pytest.MonkeyPatch, is_counted: bool
) -> None:
    monkeypatch.setattr(log_file, "_MARK_EVERY_BYTES", 1000)
    for seq in range(1, 401):
        append(file, line(seq, 80))
    if is_counted:
        file.rest()
        append(file, line(401, 80))

    size = len(line(100, 80)) + 1
    for seq in (1, 7, 150, 399, 400):
        place = file.find(seq)
        assert place.seq <= seq < place.seq + 3000 // size
        assert file.read(place, max_bytes=100)[0] == line(place.seq, 80)
    file.rest()


def test_a_line_of_megabytes_between_small_ones_is_read_whole(file: LogFile) -> None:
    lines = [line(1), line(2), line(3, 5 * MIB), line(4), line(5)]
    append(file, *lines)
    file.rest()
    for seq in range(1, 6):
        assert read_from(file, seq, max_bytes=1000) == lines[seq - 1 :]
    assert read_from(file, 6) == []
    assert opened_again(file).last_line == line(5)


def test_who_reads_while_there_is_appended_sees_whole_lines_only(file: LogFile, disk: Disk) -> None:
    append(file, line(1))
    place = file.find(1)
    with disk.full(takes_bytes=10), pytest.raises(StorageError):
        append(file, line(2))
    assert file.read(place, max_bytes=MIB) == [line(1)]

    append(file, line(2))
    behind = Place(3, file.size_bytes)
    assert file.read(behind, max_bytes=MIB) == []
    append(file, line(3))
    file.rest()
    assert file.read(behind, max_bytes=MIB) == [line(3)]


def test_who_reads_while_it_is_counted_does_not_miss_what_is_appended_meanwhile(
    file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(file, *(line(seq, 100) for seq in range(1, 50)))
    file.rest()
    monkeypatch.setattr(log_file, "_MARK_EVERY_BYTES", 500)
    pread = os.pread

    def pread_while_there_is_appended(descriptor: int, size: int, offset: int) -> bytes:
        if file.last_seq < 60:
            append(file, line(file.last_seq + 1, 100))
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread_while_there_is_appended)
    file.find(1)
    monkeypatch.undo()
    append(file, line(61, 100))
    for seq in (1, 48, 52, 61):
        assert read_from(file, seq) == [line(each, 100) for each in range(seq, 62)]
    file.rest()


# Deleting


def test_a_deleted_log_leaves_nothing_and_may_be_deleted_again(file: LogFile) -> None:
    append(file, line(1))
    place = file.find(1)
    file.delete()
    assert not file.path.parent.exists()
    assert (file.last_seq, file.size_bytes) == (0, 0)
    assert file.read(place, max_bytes=10) == []
    file.sync()
    file.delete()


def test_what_cannot_be_deleted_is_a_storage_error(
    file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(file, line(1))

    def refuse(_path: Path) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(log_file.shutil, "rmtree", refuse)
    with pytest.raises(StorageError):
        file.delete()
