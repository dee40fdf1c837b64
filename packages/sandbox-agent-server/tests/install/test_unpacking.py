"""Whatever is in an archive, nothing is written outside of the directory."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from sandbox_agent_core.errors import InstallFailed
from sandbox_agent_server.install import unpacking
from sandbox_agent_server.install.unpacking import unpack
from support.npm_registry import archive_of

ROOM = 1024 * 1024


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def archive_with(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_files_come_out_of_their_top_directory_with_their_mode(tmp_path: Path) -> None:
    archive = write(
        tmp_path / "a.tgz", archive_of({"bin/run*": b"#!/bin/sh", "read/me": b"x"}, top="anything")
    )
    seen: list[int] = []
    unpack(archive, tmp_path / "out", max_bytes=ROOM, on_bytes=seen.append)
    assert (tmp_path / "out/bin/run").read_bytes() == b"#!/bin/sh"
    assert os.access(tmp_path / "out/bin/run", os.X_OK)
    assert not os.access(tmp_path / "out/read/me", os.X_OK)
    assert sum(seen) == 10


@pytest.mark.fault("a package writes outside of its directory", "refused")
@pytest.mark.parametrize(
    "name", ["/etc/evil", "package/../../evil", "../evil", "package/a/../../../x"]
)
def test_a_path_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    archive = write(tmp_path / "a.tgz", archive_with(tarfile.TarInfo(name), b"evil"))
    with pytest.raises(InstallFailed, match="outside"):
        unpack(archive, tmp_path / "out", max_bytes=ROOM)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.fault("a package holds links or devices", "refused")
@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("package/link")
    member.type, member.linkname = kind, "/etc/passwd"
    archive = write(tmp_path / "a.tgz", archive_with(member))
    with pytest.raises(InstallFailed, match="no file"):
        unpack(archive, tmp_path / "out", max_bytes=ROOM)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_archive_of_zeros_ends_at_the_limit(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.tgz", archive_of({"zeros": bytes(ROOM + 1)}))
    assert archive.stat().st_size < ROOM / 100
    with pytest.raises(InstallFailed, match="max_install_bytes") as caught:
        unpack(archive, tmp_path / "out", max_bytes=ROOM)
    assert caught.value.details["limit"] == "max_install_bytes"


def test_too_many_files_end_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_FILES", 3)
    archive = write(tmp_path / "a.tgz", archive_of({str(number): b"" for number in range(4)}))
    with pytest.raises(InstallFailed, match="3 files"):
        unpack(archive, tmp_path / "out", max_bytes=ROOM)


def pax(path: Path, *headers: tuple[bytes, int]) -> Path:
    """An archive of these headers, `(type, size)`, and a file behind them."""
    with gzip.open(path, "wb") as packed:
        for kind, size in headers:
            header = tarfile.TarInfo("package/header")
            header.type, header.size = kind, size
            packed.write(header.tobuf(tarfile.USTAR_FORMAT))
            packed.write(b"30 comment=" + b"x" * 18 + b"\n" + bytes(size - 30))
            packed.write(bytes(-size % 512))
        packed.write(tarfile.TarInfo("package/a").tobuf())
    return path


@pytest.mark.fault(
    "a package with headers of hundreds of megabytes, or directories thousands deep",
    "the installation is refused, in a few megabytes of memory",
)
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_any_size_is_refused_without_holding_it(tmp_path: Path, kind: bytes) -> None:
    archive = pax(tmp_path / "a.tgz", (kind, 64 * ROOM))
    assert archive.stat().st_size < ROOM / 4
    tracemalloc.start()
    try:
        with pytest.raises(InstallFailed, match="header"):
            unpack(archive, tmp_path / "out", max_bytes=ROOM)
        assert tracemalloc.get_traced_memory()[1] < 4 * ROOM
    finally:
        tracemalloc.stop()


def test_headers_of_headers_are_refused(tmp_path: Path) -> None:
    archive = pax(tmp_path / "a.tgz", *[(tarfile.XHDTYPE, 512)] * 3000)
    with pytest.raises(InstallFailed):
        unpack(archive, tmp_path / "out", max_bytes=ROOM)


@pytest.mark.parametrize("depth", [unpacking.MAX_DEPTH + 1, 1000, 5000])
@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.REGTYPE])
def test_directories_without_end_are_refused(tmp_path: Path, depth: int, kind: bytes) -> None:
    member = tarfile.TarInfo("package/" + "/".join("d" * depth))
    member.type = kind
    archive = write(tmp_path / "a.tgz", archive_with(member))
    with pytest.raises(InstallFailed, match="deep"):
        unpack(archive, tmp_path / "out", max_bytes=ROOM)


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no tar"), archive_of({"a": os.urandom(4000)})[:2000]],
    ids=["empty", "text", "no-tar", "cut"],
)
def test_a_damaged_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InstallFailed, match="damaged"):
        unpack(write(tmp_path / "a.tgz", content), tmp_path / "out", max_bytes=ROOM)
