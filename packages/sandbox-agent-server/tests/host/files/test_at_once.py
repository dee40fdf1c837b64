"""What is told of a file without a thread: the same as with one, and never at the price of waiting."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_server.host.files import local_mounts
from sandbox_agent_server.host.files.at_once import AtOnce
from sandbox_agent_server.host.files.entries import described
from sandbox_agent_server.host.files.files import Files
from sandbox_agent_server.host.files.local_mounts import LocalMounts
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.reading import OpenFile
from sandbox_agent_server.limits import HostLimits

_MNT_DETACH = 2
_PARTS = st.sampled_from(
    ["a", "b", "file", "empty", "..", ".", "up", "abroad", "home", "loop", "fifo", "secret", "root"]
)


@pytest.fixture(params=["a root", "no root"])
def paths(request: pytest.FixtureRequest, tmp_path: Path) -> Paths:
    inside = tmp_path / "root"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "file").write_bytes(bytes(range(256)) * 20)
    (inside / "empty").touch()
    (tmp_path / "secret").write_text("outside")
    (inside / "up").symlink_to("../secret")
    (inside / "abroad").symlink_to(tmp_path)
    (inside / "home").symlink_to(inside / "a")
    (inside / "loop").symlink_to("loop")
    os.mkfifo(inside / "fifo")
    return Paths(inside) if request.param == "a root" else Paths(home=inside)


def outcome(do: Callable[[], object]) -> object:
    try:
        return do()
    except SandboxAgentError as exc:
        return exc.code


def contents(file: OpenFile) -> bytes:
    try:
        in_memory = file.read_cached(1000, 1000)
        read = file.read(1000, 1000)
        assert in_memory in (None, read)
        return file.etag.encode() + read
    finally:
        file.close()


@given(parts=st.lists(_PARTS, max_size=6))
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
def test_what_is_told_at_once_is_what_a_thread_tells(paths: Paths, parts: list[str]) -> None:
    path, at_once = "/".join([paths.home, *parts]), AtOnce(paths)
    told = at_once.status(path)
    if told is not None:
        assert described(path, told) == outcome(lambda: described(path, paths.status(path)))
    if (file := at_once.open_file(path)) is not None:
        assert contents(file) == outcome(lambda: contents(OpenFile.opened(paths, path)))


def test_what_was_just_used_is_told_at_once(paths: Paths) -> None:
    if not is_local(paths.home):
        pytest.skip("temporary files are on no file system of this machine, or its kernel is old")
    path = f"{paths.home}/a/file"
    at_once = AtOnce(paths)
    status = at_once.status(path)
    assert status is not None
    assert status.st_size == 5120
    file = at_once.open_file(path)
    assert file is not None
    assert contents(file) == contents(OpenFile.opened(paths, path))


def test_nothing_but_a_file_is_opened(paths: Paths) -> None:
    at_once = AtOnce(paths)
    for name in ("fifo", "a", "nothing", "loop"):
        assert at_once.open_file(f"{paths.home}/{name}") is None


def test_no_descriptor_is_left_behind(paths: Paths) -> None:
    at_once = AtOnce(paths)
    before = len([*Path("/proc/self/fd").iterdir()])
    for name in ("a/file", "fifo", "a", "nothing", "up", "loop"):
        at_once.status(f"{paths.home}/{name}")
        if (file := at_once.open_file(f"{paths.home}/{name}")) is not None:
            file.close()
    assert len([*Path("/proc/self/fd").iterdir()]) == before
    del at_once
    assert len([*Path("/proc/self/fd").iterdir()]) < before


def test_only_file_systems_of_this_machine_are_local() -> None:
    mounts = b"""\
22 1 0:1 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a
23 22 0:2 / /proc rw - proc proc rw
24 22 8:1 / /data rw,relatime shared:2 master:1 - ext4 /dev/sda1 rw
25 22 0:3 / /far rw - nfs4 host:/x rw
26 22 0:4 / /mnt/a\\040b rw - fuse.sshfs host: rw
27 22 0:5 / /tmp rw - tmpfs tmpfs rw
28 22 0:6 / /inner rw - overlay overlay rw,lowerdir=/far
29 22 8:1 / /cut rw - ext4"""
    assert set(local_mounts._local(mounts)) == {b"22", b"24", b"27"}


def test_what_is_mounted_later_is_known(tmp_path: Path) -> None:
    mounts = LocalMounts()
    with descriptor_of(tmp_path) as above:
        was_local = mounts.has(above)
    with mounted("tmpfs", tmp_path, "size=64k"):
        with descriptor_of(tmp_path) as inside:
            assert mounts.has(inside)
        with mounted("proc", tmp_path), descriptor_of(tmp_path) as inside:
            assert not mounts.has(inside)
    with descriptor_of(tmp_path) as above:
        assert mounts.has(above) == was_local


async def test_a_file_system_that_does_not_answer_holds_up_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "hangs").mkdir()
    (tmp_path / "file").write_text("x")
    files = Files(Paths(home=tmp_path), HostLimits())
    try:
        nobody = os.open("/dev/fuse", os.O_RDWR)
    except OSError as exc:
        pytest.skip(f"no /dev/fuse: {exc}")
    try:
        options = f"fd={nobody},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
        with mounted("fuse", tmp_path / "hangs", options):
            asked = [asyncio.create_task(files.stat(str(tmp_path / "hangs"))) for _ in range(2)]
            await files.run(lambda: None)  # by now threads have both
            assert (await files.stat(str(tmp_path / "file")))["size"] == 1
            assert files.at_once.open_file(str(tmp_path / "hangs/file")) is None
            assert not any(task.done() for task in asked)
    finally:
        os.close(nobody)  # which ends the waiting
    async with asyncio.timeout(30):
        await asyncio.gather(*asked, return_exceptions=True)


def is_local(path: str) -> bool:
    with descriptor_of(Path(path)) as descriptor:
        return LocalMounts().has(descriptor)


@contextmanager
def descriptor_of(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_PATH)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def mounted(kind: str, place: Path, options: str = "") -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"test", bytes(place), kind.encode(), 0, options.encode()) != 0:
        pytest.skip(f"mounting {kind} is not allowed here: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        libc.umount2(bytes(place), _MNT_DETACH)
