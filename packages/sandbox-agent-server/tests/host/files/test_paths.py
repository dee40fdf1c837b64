"""What a caller's path means, with a root and without one, and what is never opened."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_core.errors import (
    InvalidRequest,
    NotADirectory,
    NotAFile,
    PathForbidden,
    PathNotFound,
    SandboxAgentError,
)
from sandbox_agent_server.host.files.paths import Paths


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "root"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "file").write_text("inside")
    (inside / "out").symlink_to("/etc")
    (tmp_path / "alias").symlink_to(inside)
    return inside


def test_a_path_is_absolute_or_begins_at_home(tmp_path: Path) -> None:
    paths = Paths(home=tmp_path)
    assert paths.absolute("") == paths.absolute(".") == paths.absolute("~") == str(tmp_path)
    assert paths.absolute("a//b/./c") == paths.absolute("~/a/b/c") == f"{tmp_path}/a/b/c"
    assert paths.absolute("//etc///hosts/") == "/etc/hosts"
    assert paths.absolute("/etc/../etc/hosts") == "/etc/../etc/hosts"
    assert paths.absolute("sub", base="/srv") == "/srv/sub"


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "~/../x", "a\0b", "\ud800", "x" * 4096, "/" + "x/" * 2048]
)
def test_what_no_path_may_be_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest):
        Paths(home=tmp_path).absolute(path)


def test_with_a_root_all_paths_are_beneath_it_by_either_name(root: Path) -> None:
    for name in (root, root.parent / "alias"):
        paths = Paths(name)
        assert paths.absolute("sub") == paths.absolute("~/sub") == f"{root}/sub"
        assert paths.absolute("sub", base="/srv") == f"{root}/sub"
        assert paths.absolute(f"{name}/sub") == f"{root}/sub"
        for outside in ("/etc/passwd", "/", str(root.parent), f"{root}-sibling", f"/x/..{root}"):
            with pytest.raises(PathForbidden):
                paths.absolute(outside)


@pytest.mark.parametrize("way", ["out/passwd", "sub/../../secret"])
def test_with_a_root_nothing_leads_out(root: Path, way: str) -> None:
    (root.parent / "secret").write_text("outside")
    paths = Paths(root)
    path = paths.absolute(f"{root}/{way}")
    for act in (paths.open_file, paths.status, paths.make_directory):
        with pytest.raises(PathForbidden):
            act(path)
    with pytest.raises(PathForbidden), paths.place(path):
        pass


def test_a_link_is_followed_to_where_it_leads_though_nothing_is_there(root: Path) -> None:
    (root / "link").symlink_to("sub/new")
    (root / "absolute").symlink_to(root / "link")
    (root / "leaving").symlink_to("/nowhere/new")
    paths = Paths(root)
    with paths.place(f"{root}/absolute", follow=True) as place:
        assert (place.name, place.path) == ("new", f"{root}/sub/new")
    with paths.place(f"{root}/absolute") as place:
        assert place.name == "absolute"
    with pytest.raises(PathForbidden), paths.place(f"{root}/leaving", follow=True):
        pass
    (root / "loop").symlink_to("loop")
    with pytest.raises(InvalidRequest), paths.place(f"{root}/loop", follow=True):
        pass


@pytest.mark.parametrize("is_rooted", [True, False])
def test_only_a_regular_file_is_opened(root: Path, *, is_rooted: bool) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    (root / "to-device").symlink_to("/dev/zero")
    paths = Paths(root if is_rooted else None, home=root)
    os.close(paths.open_file(f"{root}/sub/file"))
    before = len([*Path("/proc/self/fd").iterdir()])
    for name in ("fifo", "socket", "sub", "to-device"):
        with pytest.raises(PathForbidden if is_rooted and name == "to-device" else NotAFile):
            paths.open_file(f"{root}/{name}")
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_what_is_missing_is_not_found_also_below_a_file(root: Path) -> None:
    paths = Paths(home=root)
    for path in (f"{root}/nothing", f"{root}/nothing/below", f"{root}/sub/file/below"):
        for act in (paths.open_file, paths.status):
            with pytest.raises(PathNotFound):
                act(path)
    with pytest.raises(NotADirectory), paths.directory(f"{root}/sub/file"):
        pass


@pytest.mark.parametrize("is_rooted", [True, False])
def test_directories_are_made_and_may_be_there(root: Path, *, is_rooted: bool) -> None:
    paths = Paths(root if is_rooted else None, home=root)
    for _ in range(2):
        paths.make_directory(f"{root}/x/y/z")
    assert (root / "x/y/z").is_dir()
    for path in (f"{root}/sub/file", f"{root}/sub/file/below"):
        with pytest.raises(NotADirectory):
            paths.make_directory(path)


def test_the_root_itself_is_no_place(root: Path) -> None:
    with pytest.raises(PathForbidden), Paths(root).place(str(root)):
        pass
    with pytest.raises(PathForbidden), Paths().place("/"):
        pass
    with pytest.raises(InvalidRequest), Paths().place(f"{root}/sub/.."):
        pass


def test_a_working_directory_is_the_real_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    (root / "link").symlink_to("sub")
    assert Paths().resolve_directory("link") == Paths().resolve_directory("sub/../sub")
    assert Paths(root).resolve_directory("link") == root / "sub"
    assert Paths().resolve_directory("..") == root.parent
    assert Paths().resolve_directory("out") == Path("/etc").resolve()
    refusals: list[tuple[Paths, str, type[SandboxAgentError]]] = [
        (Paths(root), "..", PathForbidden),
        (Paths(root), "out", PathForbidden),
        (Paths(), "nothing", PathNotFound),
        (Paths(), "sub/file", NotADirectory),
    ]
    for paths, path, error in refusals:
        with pytest.raises(error):
            paths.resolve_directory(path)


@given(parts=st.lists(st.sampled_from(["a", "é", "..", ".", "", "...", "a b", "~"]), max_size=8))
def test_a_path_is_written_as_paths_are(parts: list[str]) -> None:
    given_path = "/".join(parts)
    paths = Paths(home=Path("/home"))
    assert paths.absolute("/" + given_path) == str(Path("/" + given_path.lstrip("/")))
    if not given_path.startswith(("/", "~")):
        assert paths.absolute(given_path, climbs=True) == str(Path("/home", given_path))
