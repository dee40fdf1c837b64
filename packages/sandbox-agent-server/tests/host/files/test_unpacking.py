"""Archives: good ones of several makers, and those that want out, explode, or end too early."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandbox_agent_core.errors import (
    ArchiveInvalid,
    DiskFull,
    InvalidRequest,
    NotADirectory,
    NotAFile,
    PathForbidden,
    PayloadTooLarge,
    SandboxAgentError,
)
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.unpacking import Unpacking
from sandbox_agent_server.limits import HostLimits

LIMITS = HostLimits.model_validate({"disk_reserve_bytes": 0})
MIB = 1024 * 1024


def tar(
    *members: tuple[str, bytes | str | None], format: int = tarfile.PAX_FORMAT, **more: Any
) -> bytes:
    """Of names with contents; None makes a directory, a text a link to it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            for key, value in more.items():
                setattr(info, key, value)
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = more.get("type", tarfile.SYMTYPE), content
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return made.getvalue()


def unpack(
    target: Path,
    data: bytes,
    *,
    step: int = MIB,
    limits: HostLimits = LIMITS,
    is_gzip: bool = False,
) -> dict[str, Any]:
    unpacking = Unpacking(Paths(), str(target), limits, is_gzip=is_gzip)
    try:
        for at in range(0, len(data), step):
            unpacking.feed([data[at : at + step]])
        return unpacking.finish()
    finally:
        unpacking.abort()


def refusal(target: Path, data: bytes, **how: Any) -> SandboxAgentError:
    """It leaves nothing, inside or outside."""
    around = [one for one in sorted(target.parent.rglob("*")) if one != target]
    opened = len([*Path("/proc/self/fd").iterdir()])
    with pytest.raises(SandboxAgentError) as refused:
        unpack(target, data, **how)
    assert [one for one in sorted(target.parent.rglob("*")) if one != target] == around
    # Fewer, when something of another test was collected meanwhile.
    assert len([*Path("/proc/self/fd").iterdir()]) <= opened
    return refused.value


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.mark.parametrize("step", [1, 511, 513, MIB])
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_is_packed_comes_out_however_it_is_cut(target: Path, step: int, format: int) -> None:
    long = "/".join(["long" * 10] * 5)
    members = [("x", None), ("x/1", b"one"), ("2", b"\0" * 1500), (long, b"deep"), ("é", b"")]
    made = unpack(target, tar(*members, format=format, mtime=1_000_000_000), step=step)
    assert made["paths"] == [f"{target}/{name}" for name, _ in members]
    assert not made["truncated"]
    assert (target / "x/1").read_bytes() == b"one"
    assert (target / "2").read_bytes() == b"\0" * 1500
    assert (target / long).read_bytes() == b"deep"
    assert (target / "2").stat().st_mtime == 1_000_000_000
    assert [one.name for one in target.iterdir() if one.name.startswith(".")] == []


@pytest.mark.parametrize("how", ["gnu", "posix", "v7"])
def test_the_program_tar_is_understood(tmp_path: Path, target: Path, how: str) -> None:
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "d/run").write_text("#!/bin/sh\n")
    (source / "d/run").chmod(0o750)
    os.link(source / "d/run", source / "same")
    (source / "link").symlink_to("d/run")
    command = ["tar", f"--format={how}", "-C", str(source), "-cf", "-", "."]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    unpack(target, gzip.compress(data), is_gzip=True)
    assert (target / "d/run").stat().st_mode & 0o777 == 0o750
    assert (target / "same").read_text() == (target / "link").read_text() == "#!/bin/sh\n"
    assert (target / "link").is_symlink()


def test_what_is_there_is_replaced_or_kept(target: Path) -> None:
    (target / "d").mkdir(parents=True)
    (target / "d/kept").write_text("kept")
    (target / "d/old").write_text("old")
    (target / "real").mkdir()
    (target / "link").symlink_to("real")
    unpack(target, tar(("d/old", b"new"), ("d/more/x", b"x"), ("link/in", b"in")))
    assert (target / "d/kept").read_text() == "kept"
    assert (target / "d/old").read_text() == "new"
    assert (target / "d/more/x").read_text() == "x"
    assert (target / "real/in").read_text() == "in"


def test_who_makes_the_directory_meanwhile_keeps_what_is_in_it(target: Path) -> None:
    unpacking = Unpacking(Paths(), str(target), LIMITS, is_gzip=False)
    unpacking.feed([tar(("new", b"new"))])
    assert not target.exists()
    target.mkdir()
    (target / "kept").touch()
    unpacking.finish()
    assert sorted(one.name for one in target.iterdir()) == ["kept", "new"]


def test_a_file_and_a_directory_do_not_replace_each_other(target: Path) -> None:
    (target / "d").mkdir(parents=True)
    (target / "f").write_text("f")
    assert isinstance(refusal(target, tar(("a", b"a"), ("d", b"d"))), NotAFile)
    assert isinstance(refusal(target, tar(("a", b"a"), ("f/x", b"x"))), NotADirectory)


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", b"x")],
        [("a/../../evil", b"x")],
        [("/abs", b"x")],
        [("a\0b", b"x"), ("..", None)],
        [("file", b"x"), ("file/below", b"x")],
        [("l", "nowhere"), ("l/below", b"x")],
    ],
)
def test_a_name_that_leads_out_or_nowhere_refuses_all_of_it(
    target: Path, members: list[tuple[str, bytes | str | None]]
) -> None:
    assert isinstance(refusal(target, tar(("good", b"x"), *members)), ArchiveInvalid)


def test_a_link_that_leads_out_is_left_out_and_said(tmp_path: Path, target: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    links: list[tuple[str, bytes | str | None]] = [
        ("out", "../secret"), ("abs", "/etc/passwd"), ("d/up", "../../secret"), ("fine", "d/../good"),
        ("dangling", "later"), ("good", b"good"),
    ]  # fmt: skip
    made = unpack(target, tar(("d", None), *links))
    assert made["skipped"] == ["out", "abs", "d/up"]
    assert (target / "fine").read_text() == "good"
    assert (target / "dangling").is_symlink()
    assert not (target / "out").is_symlink()


def test_a_chain_of_links_does_not_lead_out(tmp_path: Path, target: Path) -> None:
    """Links of which each looks harmless, as text, and which together climb (CVE-2025-4517)."""
    long = "d" * 247
    members: list[tuple[str, bytes | str | None]] = []
    path = ""
    for step in "abcdefghijklmnop":
        members += [(f"{path}{long}", None), (f"{path}{step}", long)]
        path += f"{step}/"
    climb = f"{path}{'l' * 254}"
    members += [(climb, "../" * 16), ("escape", f"{climb}/../../evil"), ("escape/pwned", b"x")]
    with pytest.raises(SandboxAgentError):
        unpack(target, tar(*members))
    assert not list(tmp_path.rglob("pwned"))
    two: list[tuple[str, bytes | str | None]] = [
        ("a/b", None), ("a/b/top", "../.."), ("up", "a/b/top/.."), ("up/pwned", b"x"),
    ]  # fmt: skip
    with pytest.raises(SandboxAgentError):
        unpack(target, tar(*two))
    made = unpack(target, tar(*two[:-1]))
    assert made["skipped"] == ["up"]
    assert not list(tmp_path.rglob("pwned"))


def test_a_link_that_is_there_already_does_not_lead_out(tmp_path: Path, target: Path) -> None:
    target.mkdir()
    (target / "out").symlink_to(tmp_path)
    assert isinstance(refusal(target, tar(("out/pwned", b"x"))), PathForbidden)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S", b"V"])
def test_devices_pipes_and_sparse_files_are_refused(target: Path, kind: bytes) -> None:
    made = tarfile.TarInfo("special")
    made.type = kind
    data = tar(("good", b"x"))[:1024] + made.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024
    assert isinstance(refusal(target, data), ArchiveInvalid)


@pytest.mark.parametrize("linked", ["/etc/passwd", "../secret", "missing", "d"])
def test_a_hard_link_is_to_a_file_of_the_archive(tmp_path: Path, target: Path, linked: str) -> None:
    (tmp_path / "secret").write_text("secret")
    data = tar(("d/x", b"x"))[:1024] + tar(("hard", linked), type=tarfile.LNKTYPE)
    assert isinstance(refusal(target, data), ArchiveInvalid)


def test_set_user_id_and_owners_are_not_taken_over(target: Path) -> None:
    unpack(target, tar(("f", b"x"), mode=0o6755, uid=12345))
    status = (target / "f").stat()
    assert (status.st_mode & 0o7777, status.st_uid) == (0o755, os.geteuid())


def test_an_archive_that_is_cut_anywhere_is_refused(target: Path) -> None:
    whole = tar(("a", b"a" * 700), ("b", b"b"), ("x" * 150, b"c"))
    end = whole.rstrip(b"\0")
    for at in (0, 100, 512, 700, 1536, 2048, 3000, len(end) - 1):
        assert isinstance(refusal(target, whole[:at]), ArchiveInvalid), at
    packed = gzip.compress(whole)
    for at in (0, 5, len(packed) - 9):
        assert isinstance(refusal(target, packed[:at], is_gzip=True), ArchiveInvalid), at


@pytest.mark.parametrize("data", [b"", b"not a tar", b"x" * 1024, b"\x1f\x8b\x08junk", b"{}" * 600])
@pytest.mark.parametrize("is_gzip", [True, False])
def test_what_is_no_archive_is_refused(target: Path, data: bytes, *, is_gzip: bool) -> None:
    assert isinstance(refusal(target, data, is_gzip=is_gzip), ArchiveInvalid)


def test_bombs_are_refused_by_the_limit_that_they_pass(target: Path) -> None:
    def limited(data: bytes, **how: Any) -> str:
        limits = HostLimits.model_validate({"disk_reserve_bytes": 0, **how.pop("limits", {})})
        error = refusal(target, data, limits=limits, **how)
        assert isinstance(error, PayloadTooLarge)
        name: str = error.details["limit"]
        return name

    zeros = gzip.compress(tar(("zeros", b"\0" * (70 * MIB))), 9)
    assert limited(zeros, is_gzip=True) == "max_archive_ratio"
    twice = gzip.compress(zeros)
    assert isinstance(refusal(target, twice, is_gzip=True), ArchiveInvalid)
    small = tar(("a", b"a" * 5000))
    assert limited(small, limits={"max_archive_bytes": 4096}) == "max_archive_bytes"
    many = tar(*((str(number), b"") for number in range(11)))
    assert limited(many, limits={"max_archive_entries": 10}) == "max_archive_entries"
    assert limited(tar(("a/" * 200 + "b", b""))) == "max_archive_depth"


def test_a_header_that_claims_more_than_there_can_be_is_refused_at_once(target: Path) -> None:
    info = tarfile.TarInfo("huge")
    info.size = 1 << 50
    assert isinstance(refusal(target, info.tobuf(tarfile.GNU_FORMAT)), DiskFull)
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
        info = tarfile.TarInfo("extended")
        info.type, info.size = kind, 150 * MIB
        assert isinstance(refusal(target, info.tobuf(tarfile.GNU_FORMAT)), ArchiveInvalid)
    info = tarfile.TarInfo("negative")
    info.type, info.size = tarfile.XHDTYPE, 17
    record = b"17 size=-5000000\n"
    data = info.tobuf(tarfile.GNU_FORMAT) + record + b"\0" * (512 - 17) + tar(("a", b"a"))
    assert isinstance(refusal(target, data), ArchiveInvalid)


def test_a_name_that_no_file_system_takes_is_refused(target: Path) -> None:
    assert isinstance(refusal(target, tar(("n" * 300, b""))), InvalidRequest)


def test_only_the_first_paths_are_told(target: Path) -> None:
    made = unpack(target, tar(*((f"{number:04}", b"") for number in range(1030))))
    assert (len(made["paths"]), made["truncated"]) == (1024, True)
    assert len(list(target.iterdir())) == 1030


VALID = tar(("d", None), ("d/f", b"content" * 100), ("l", "d/f"), ("p" * 120, b"x"), ("é", b"y"))


@given(
    changes=st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.binary(min_size=1, max_size=8)), max_size=4),
    step=st.integers(1, 2000),
)  # fmt: skip
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
def test_damage_of_any_kind_is_an_error_of_ours_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]], step: int
) -> None:
    data = bytearray(VALID)
    for at, change in changes:
        data[at : at + len(change)] = change
    place = tmp_path_factory.mktemp("fuzz")
    try:
        unpack(place / "target", bytes(data), step=step)
    except SandboxAgentError:
        assert list(place.iterdir()) == []
    else:
        assert [one.name for one in place.iterdir()] == ["target"]
