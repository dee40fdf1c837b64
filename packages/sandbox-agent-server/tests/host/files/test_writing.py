"""A file is written whole or not at all, also when somebody interferes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from sandbox_agent_core.errors import DiskFull, FileChanged, PathExists, PathForbidden
from sandbox_agent_server.host.files import renaming
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.writing import Replacement, WriteOptions


def begun(path: Path, **options: object) -> Replacement:
    reserve = options.pop("reserve_bytes", 0)
    assert isinstance(reserve, int)
    return Replacement(Paths(), str(path), WriteOptions(**options), reserve_bytes=reserve)  # type: ignore[arg-type]


def write(path: Path, content: bytes = b"new", **options: object) -> None:
    file = begun(path, **options)
    try:
        file.write([content])
        file.commit()
    finally:
        file.abort()


def test_nothing_is_seen_before_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a" / "file"
    file = begun(target)
    file.write([b"one, ", b"two"])
    assert not target.exists()
    assert file.commit().size == 8
    assert target.read_bytes() == b"one, two"
    file.abort()
    assert list(target.parent.iterdir()) == [target]


def test_an_abort_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("before")
    file = begun(target)
    file.write([b"x" * 1000])
    file.abort()
    file.abort()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_who_was_faster_is_not_written_over(tmp_path: Path) -> None:
    target = tmp_path / "file"
    file = begun(target, overwrite=False)
    target.write_text("faster")
    with pytest.raises(PathExists):
        file.commit()
    file.abort()
    first = begun(target)
    first.write([b"first"])
    etag = first.commit().etag
    file = begun(target, if_match=etag)
    write(target, b"in between")
    with pytest.raises(FileChanged):
        file.commit()
    file.abort()
    assert target.read_text() == "in between"
    with pytest.raises(FileChanged):
        begun(tmp_path / "gone", if_match="*")
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_file_has_what_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_what_replaces_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    target = tmp_path / "key"
    target.write_text("old")
    target.chmod(0o600)
    file = begun(target)
    (scratch,) = (one for one in tmp_path.iterdir() if one != target)
    assert scratch.stat().st_mode & 0o077 == 0
    file.commit()
    assert target.stat().st_mode & 0o777 == 0o600


def test_set_user_id_does_not_stay_on_other_contents(tmp_path: Path) -> None:
    target = tmp_path / "program"
    target.write_text("old")
    target.chmod(0o4755)
    write(target)
    assert target.stat().st_mode & 0o7777 == 0o755


def test_what_the_server_needs_of_the_disk_is_left(tmp_path: Path) -> None:
    with pytest.raises(DiskFull) as refused:
        write(tmp_path / "file", reserve_bytes=1 << 60)
    assert refused.value.details["limit"] == "disk_reserve_bytes"
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(DiskFull):
        write(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_pseudo_file_of_the_kernel_is_not_written() -> None:
    with pytest.raises(Exception) as refused:  # noqa: PT011 - which one is for the kernel to say
        write(Path("/proc/self/mem"))
    assert isinstance(refused.value, PathForbidden) or "nothing at" in str(refused.value)


def test_without_the_newer_call_of_the_kernel_nothing_is_replaced_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "not here")

    monkeypatch.setattr(renaming, "_renameat2", missing)
    write(tmp_path / "file", b"first", overwrite=False)
    with pytest.raises(PathExists):
        write(tmp_path / "file", b"second", overwrite=False)
    assert (tmp_path / "file").read_bytes() == b"first"
