"""Watching directories: what is told, to how many, and what happens when it is too much."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import LimitReached, NotADirectory, PathNotFound, WatchLimitReached
from sandbox_agent_server.host.files import watching
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.files.threads import FileThreads
from sandbox_agent_server.host.files.watching import Change, Reader, Watches
from sandbox_agent_server.limits import HostLimits


def watches_with(**limits: Any) -> Watches:
    return Watches(Paths(), FileThreads(2), HostLimits.model_validate(limits))


async def until_seen(reader: Reader, *wanted: Change) -> list[Change]:
    """Everything up to the last of these."""
    seen: list[Change] = []
    async with asyncio.timeout(60):
        while not set(wanted) <= set(seen):
            taken = await reader.take(timeout_s=60)
            assert taken is not None
            seen += taken
    return seen


@pytest.fixture
async def watches() -> AsyncIterator[Watches]:
    watches = watches_with()
    yield watches
    assert watches.trees == 0


async def test_what_happens_in_a_tree_is_told(watches: Watches, tmp_path: Path) -> None:
    async with watches.read(str(tmp_path), recursive=True) as reader:
        (tmp_path / "d").mkdir()
        (tmp_path / "d/file").write_text("x")
        await until_seen(reader, ("added", f"{tmp_path}/d/file"))
        (tmp_path / "d/.sandbox-agent-0.part").write_text("on its way")
        (tmp_path / "d/file").unlink()
        seen = await until_seen(reader, ("removed", f"{tmp_path}/d/file"))
        assert not [path for _, path in seen if path.endswith(".part")]


async def test_all_readers_of_a_tree_share_a_watcher(watches: Watches, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "alias").symlink_to("d")
    async with (
        watches.read(str(tmp_path), recursive=True) as all_of_it,
        watches.read(str(tmp_path), recursive=False),
        watches.read(str(tmp_path / "alias"), recursive=True) as part,
    ):
        assert watches.trees == 1
        (tmp_path / "outside").write_text("x")
        (tmp_path / "d/inside").write_text("x")
        await until_seen(all_of_it, ("added", f"{tmp_path}/outside"))
        seen = await until_seen(part, ("added", f"{tmp_path}/d/inside"))
        assert all(path.startswith(f"{tmp_path}/d") for _, path in seen)


async def test_a_reader_that_does_not_keep_up_is_told_to_look_again(tmp_path: Path) -> None:
    reader = Reader(str(tmp_path))
    changes: list[Change] = [("added", f"{tmp_path}/{number}") for number in range(4097)]
    reader.put(changes[:4096])
    reader.put(changes[4096:])
    reader.put([("added", "after")])
    assert await reader.take(timeout_s=1) == [("rescan", str(tmp_path))]
    assert await reader.take(timeout_s=0.001) == []


async def test_a_burst_is_told_as_one_rescan(tmp_path: Path) -> None:
    watches = watches_with()
    release = threading.Event()

    class Burst:
        def watch(self, *_: Any) -> Any:
            release.wait(30)
            release.clear()
            return {(1, f"{tmp_path}/{number}") for number in range(5000)}

        def close(self) -> None: ...

    watches.make = lambda _path, _recursive: Burst()
    async with watches.read(str(tmp_path), recursive=True) as reader:
        release.set()
        assert await reader.take(timeout_s=30) == [("rescan", str(tmp_path))]
    release.set()


async def test_it_ends_when_the_directory_is_gone(watches: Watches, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    async with watches.read(str(tmp_path / "d"), recursive=True) as reader:
        shutil.rmtree(tmp_path / "d")
        async with asyncio.timeout(60):
            while await reader.take(timeout_s=60) is not None:
                pass


async def test_there_is_a_limit_of_trees_and_of_their_directories(tmp_path: Path) -> None:
    for name in ("a", "b", "c/d"):
        (tmp_path / name).mkdir(parents=True)
    watches = watches_with(max_watched_trees=1)
    async with watches.read(str(tmp_path / "a"), recursive=True):
        with pytest.raises(LimitReached) as refused:
            async with watches.read(str(tmp_path / "b"), recursive=True):
                pass
    assert refused.value.details["limit"] == "max_watched_trees"
    watches = watches_with(max_watched_directories=4)
    with pytest.raises(LimitReached) as refused:
        async with watches.read(str(tmp_path), recursive=True):
            pass
    assert refused.value.details["limit"] == "max_watched_directories"
    async with watches.read(str(tmp_path), recursive=False):
        pass


async def test_the_limits_of_the_kernel_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise watching.WatchfilesRustInternalError(
            "Error creating recommended watcher: Too many open files (os error 24)"
        )

    monkeypatch.setattr(watching, "RustNotify", full)
    with pytest.raises(WatchLimitReached, match="max_user_instances"):
        async with watches_with().read(str(tmp_path), recursive=True):
            pass
    (tmp_path / "kernel").write_text("0\n")
    monkeypatch.setattr(watching, "_USER_WATCHES", tmp_path / "kernel")
    with pytest.raises(WatchLimitReached, match="max_user_watches"):
        async with watches_with().read(str(tmp_path), recursive=True):
            pass


async def test_what_is_no_directory_is_not_watched(watches: Watches, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectory):
        async with watches.read(str(tmp_path / "file"), recursive=True):
            pass
    with pytest.raises(PathNotFound):
        async with watches.read(str(tmp_path / "nothing"), recursive=True):
            pass
