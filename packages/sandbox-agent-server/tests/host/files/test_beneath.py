"""Opening beneath a directory: by the kernel and by walking, which have to agree."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandbox_agent_server.host.files import beneath
from sandbox_agent_server.host.files.beneath import O_PATH, open_beneath, walk_beneath

Open = Callable[..., int]


@pytest.fixture(params=["kernel", "walk", "no openat2"])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Open:
    if request.param == "walk":
        return walk_beneath
    if request.param == "no openat2":

        def missing(*_: object) -> int:
            raise OSError(errno.ENOSYS, "not here")

        monkeypatch.setattr(beneath, "_openat2", missing)
    return open_beneath


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    inside = tmp_path / "root"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "file").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (inside / "up").symlink_to("../secret")
    (inside / "abroad").symlink_to(tmp_path)
    (inside / "home").symlink_to(inside / "a")
    (inside / "near").symlink_to("a/b/../file")
    (inside / "loop").symlink_to("loop")
    os.symlink("a/file/", inside / "slashed")  # noqa: PTH211 - a Path has no slash at its end
    (inside / "a" / "b" / "two-up").symlink_to("../../..")
    descriptor = os.open(inside, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def text(descriptor: int) -> str:
    with os.fdopen(descriptor) as file:
        return file.read()


def number(opened: Open, *arguments: object, **how: object) -> int | None:
    try:
        os.close(opened(*arguments, **how))
    except OSError as exc:
        return exc.errno
    return None


def test_what_is_beneath_is_opened(opened: Open, root: int) -> None:
    for path in ("a/file", "a/./file", "a/b/../file", "near", "a/b/../../near"):
        assert text(opened(root, path, os.O_RDONLY)) == "inside"


def test_what_leads_out_is_refused(opened: Open, root: int) -> None:
    for path in (
        "..", "../secret", "a/../../secret", "up", "abroad", "abroad/secret", "a/b/two-up/secret", "/etc/passwd",
    ):  # fmt: skip
        assert number(opened, root, path, os.O_RDONLY) == errno.EXDEV, path


def test_an_absolute_link_back_inside_is_followed_when_it_is_known_where_the_root_is(
    opened: Open, root: int, tmp_path: Path
) -> None:
    assert number(opened, root, "home/file", os.O_RDONLY) == errno.EXDEV
    inside = str(tmp_path / "root")
    assert text(opened(root, "home/file", os.O_RDONLY, root_path=inside)) == "inside"
    assert number(opened, root, "abroad/secret", os.O_RDONLY, root_path=inside) == errno.EXDEV


def test_errors_are_those_of_the_system(opened: Open, root: int) -> None:
    assert number(opened, root, "nothing", os.O_RDONLY) == errno.ENOENT
    assert number(opened, root, "nothing/below", os.O_RDONLY) == errno.ENOENT
    assert number(opened, root, "a/file/below", os.O_RDONLY) == errno.ENOTDIR
    assert number(opened, root, "loop", os.O_RDONLY) == errno.ELOOP
    assert number(opened, root, "near", os.O_RDONLY | os.O_NOFOLLOW) == errno.ELOOP


def test_a_file_is_made_where_it_belongs(opened: Open, root: int, tmp_path: Path) -> None:
    os.close(opened(root, "a/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))
    assert (tmp_path / "root/a/new").stat().st_mode & 0o777 == 0o640


def test_no_descriptor_is_left_behind(opened: Open, root: int) -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    os.close(opened(root, "a/b/../b/../file", O_PATH))
    for path in ("a/b/../../../secret", "a/b/nothing", "loop"):
        number(opened, root, path, os.O_RDONLY)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_renaming_and_linking_meanwhile_lets_nobody_out(
    opened: Open, root: int, tmp_path: Path
) -> None:
    inside, stop = tmp_path / "root", threading.Event()
    (inside / "swap").mkdir()
    (inside / "swap" / "secret").write_text("inside")

    def swap() -> None:
        while not stop.is_set():
            (inside / "swap").rename(inside / "away")
            (inside / "swap").symlink_to(tmp_path)
            (inside / "swap").unlink()
            (inside / "away").rename(inside / "swap")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        seen = set()
        for _ in range(500):
            with contextlib.suppress(OSError):
                seen.add(text(opened(root, "swap/secret", os.O_RDONLY)))
        assert seen <= {"inside"}
    finally:
        stop.set()
        thread.join()


PARTS = st.sampled_from(
    ["a", "b", "file", "..", ".", "", "up", "abroad", "home", "near", "loop", "slashed", "two-up", "secret", "root"]
)  # fmt: skip


@given(parts=st.lists(PARTS, max_size=8))
@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
def test_kernel_and_walk_agree_on_any_path(root: int, parts: list[str]) -> None:
    path = "/".join(parts) or "."

    def outcome(opened: Open) -> object:
        try:
            descriptor = opened(root, path, O_PATH)
        except OSError as exc:
            return exc.errno
        try:
            return os.fstat(descriptor).st_ino
        finally:
            os.close(descriptor)

    assert outcome(walk_beneath) == outcome(open_beneath)
