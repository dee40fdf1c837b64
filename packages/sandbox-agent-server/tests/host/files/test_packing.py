"""A directory as a tar: what programs that read tars get of it, also when it changes meanwhile."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from sandbox_agent_core.errors import NotADirectory, PathNotFound
from sandbox_agent_server.host.files.packing import Packing
from sandbox_agent_server.host.files.paths import Paths


def pack(path: Path, *, is_gzip: bool = False) -> bytes:
    packing = Packing(Paths(), str(path), is_gzip=is_gzip)
    try:
        return b"".join(iter(packing.read, b""))
    finally:
        packing.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "d/empty").mkdir(parents=True)
    (tree / "d/run").write_text("#!/bin/sh\n")
    (tree / "d/run").chmod(0o750)
    (tree / "link").symlink_to("/etc/passwd")
    (tree / ("n" * 200)).write_bytes(b"long")
    (tree / os.fsdecode(b"odd\xff")).write_bytes(b"odd")
    return tree


@pytest.mark.parametrize("is_gzip", [True, False])
def test_the_program_tar_unpacks_it(tree: Path, tmp_path: Path, *, is_gzip: bool) -> None:
    out = tmp_path / "out"
    out.mkdir()
    command = ["tar", "-C", str(out), "-x", *(["-z"] if is_gzip else [])]
    subprocess.run(command, input=pack(tree, is_gzip=is_gzip), check=True)
    assert (
        subprocess.run(["diff", "-r", "--no-dereference", tree, out], check=False).returncode == 0
    )
    assert (out / "d/run").stat().st_mode & 0o777 == 0o750
    assert (out / "link").is_symlink()


def test_a_link_is_packed_and_not_what_it_leads_to(tree: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(tree))) as archive:
        link = archive.getmember("link")
        assert (link.issym(), link.linkname) == (True, "/etc/passwd")


def test_what_is_no_file_is_left_out_and_said(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with tarfile.open(fileobj=io.BytesIO(pack(tree))) as archive:
        assert "pipe" not in archive.getnames()
        assert archive.getmembers()[-1].pax_headers["comment"] == "left out: pipe"


def test_a_file_that_shrinks_is_filled_and_said(tree: Path) -> None:
    (tree / "big").write_bytes(b"1" * 5_000_000)
    (tree / "after").write_bytes(b"after")
    packing = Packing(Paths(), str(tree), is_gzip=False)
    first = packing.read()
    os.truncate(tree / "big", 10)
    rest = b"".join(iter(packing.read, b""))
    packing.close()
    with tarfile.open(fileobj=io.BytesIO(first + rest)) as archive:
        assert archive.getmember("big").size == 5_000_000
        assert "d/run" in archive.getnames()
        assert "changed: big" in archive.getmembers()[-1].pax_headers["comment"]


def test_a_tree_that_is_deeper_than_any_path_is_packed(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with tarfile.open(fileobj=io.BytesIO(pack(tmp_path))) as archive:
        assert len(archive.getnames()) == 30


def test_leaving_halfway_leaves_no_descriptor(tree: Path) -> None:
    (tree / "d/big").write_bytes(b"1" * 3_000_000)
    before = len([*Path("/proc/self/fd").iterdir()])
    packing = Packing(Paths(), str(tree), is_gzip=False)
    packing.read()
    packing.close()
    packing.close()
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_only_a_directory_is_packed(tree: Path) -> None:
    with pytest.raises(NotADirectory):
        pack(tree / "d/run")
    with pytest.raises(PathNotFound):
        pack(tree / "nothing")
