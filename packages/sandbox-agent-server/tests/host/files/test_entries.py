"""Listing, moving and removing, on trees that are large, deep or changed meanwhile."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from sandbox_agent_core.errors import InvalidRequest, LimitReached, PathExists
from sandbox_agent_server.host.files import renaming
from sandbox_agent_server.host.files.entries import Entries
from sandbox_agent_server.host.files.paths import Paths


@pytest.fixture
def entries() -> Entries:
    return Entries(Paths(), max_entries=20)


@pytest.fixture(params=["kernel", "stand-in"])
def _renaming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "stand-in":

        def missing(*_: object) -> None:
            raise OSError(errno.ENOSYS, "not here")

        monkeypatch.setattr(renaming, "_renameat2", missing)


def test_a_large_directory_is_told_in_pages(entries: Entries, tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"{number:02}").touch()
    with pytest.raises(LimitReached):
        entries.in_directory(str(tmp_path))
    seen: list[str] = []
    while page := entries.in_directory(str(tmp_path), after=seen[-1] if seen else None, limit=10):
        seen += [one["name"] for one in page]
    assert seen == [f"{number:02}" for number in range(25)]


def test_a_link_is_told_about_or_followed(entries: Entries, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("directory")
    link = str(tmp_path / "link")
    assert entries.stat(link)["entryType"] == "directory"
    itself = entries.stat(link, follow=False)
    assert (itself["kind"], itself["symlinkTarget"]) == ("symlink", "directory")


def test_times_of_any_age_are_told(entries: Entries, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.touch()
    os.utime(old, ns=(0, -1_500_000_000))
    assert entries.stat(str(old))["modified"] == "1969-12-31T23:59:58.500000000+00:00"


def test_a_tree_that_is_deeper_than_any_path_is_removed(entries: Entries, tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1010):
        os.mkdir("deeper", dir_fd=here)
        below = os.open("deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    entries.remove(str(tmp_path / "deeper"), recursive=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_renaming")
@pytest.mark.parametrize("source", ["file", "empty", "full"])
@pytest.mark.parametrize("target", ["file", "empty", "full", "link"])
def test_anything_takes_the_place_of_anything(
    entries: Entries, tmp_path: Path, source: str, target: str
) -> None:
    def make(kind: str, path: Path) -> None:
        if kind == "file":
            path.write_text(path.name)
        elif kind == "link":
            path.symlink_to("nowhere")
        else:
            path.mkdir()
            if kind == "full":
                (path / path.name).touch()

    make(source, tmp_path / "a")
    make(target, tmp_path / "b")
    with pytest.raises(PathExists):
        entries.move(str(tmp_path / "a"), str(tmp_path / "b"))
    entries.move(str(tmp_path / "a"), str(tmp_path / "b"), overwrite=True)
    assert [one.name for one in tmp_path.iterdir()] == ["b"]
    if source == "file":
        assert (tmp_path / "b").read_text() == "a"
    else:
        assert [one.name for one in (tmp_path / "b").iterdir()] == ["a"][: source == "full"]


@pytest.mark.usefixtures("_renaming")
def test_a_directory_goes_neither_into_itself_nor_over_what_it_is_in(
    entries: Entries, tmp_path: Path
) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    for source, target in (("a", "a/b/new"), ("a/b", "a"), ("a/b/c", "a")):
        with pytest.raises(InvalidRequest):
            entries.move(str(tmp_path / source), str(tmp_path / target), overwrite=True)
    assert (tmp_path / "a/b/c").is_dir()
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
