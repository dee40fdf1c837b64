"""`client.fs` at a real server: files and directories, both ways, also over connections that break."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cutting_proxy import CuttingProxy
from sandbox_agent_client import Endpoint, SandboxAgent, SandboxAgentSync, errors
from sandbox_agent_client._local_tree import LocalTree, TreeWriter


@pytest.fixture
async def client(endpoint: Endpoint) -> AsyncIterator[SandboxAgent]:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        yield client


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A directory of the sandbox, which is this machine here."""
    path = tmp_path / "remote"
    path.mkdir()
    return path


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "local"
    path.mkdir()
    return path


async def test_a_file_is_written_read_listed_moved_and_removed(
    client: SandboxAgent, remote: Path
) -> None:
    fs = client.fs
    written = await fs.write_text(remote / "d/a.txt", "hällo", mode=0o640)
    assert written.bytes_written == 6
    assert await fs.read_text(remote / "d/a.txt") == "hällo"
    stat = await fs.stat(remote / "d/a.txt")
    assert (stat.size, stat.mode, stat.etag) == (6, "0640", written.etag)
    await fs.mkdir(remote / "d/e")
    assert [(one.name, one.is_directory) for one in await fs.list(remote / "d")] == [
        ("a.txt", False), ("e", True),
    ]  # fmt: skip
    await fs.move(remote / "d/a.txt", remote / "b.txt")
    assert await fs.exists(remote / "b.txt")
    assert not await fs.exists(remote / "d/a.txt")
    with pytest.raises(errors.DirectoryNotEmpty):
        await fs.remove(remote / "d")
    await fs.remove(remote / "d", recursive=True)
    assert [one.name for one in await fs.list(remote)] == ["b.txt"]


async def test_a_refusal_is_an_error_of_its_kind(client: SandboxAgent, remote: Path) -> None:
    fs = client.fs
    written = await fs.write(remote / "f", b"one")
    await fs.write(remote / "f", b"two", if_match=written.etag)
    expected: list[tuple[type[Exception], Callable[[], Any]]] = [
        (errors.FileChanged, lambda: fs.write(remote / "f", b"3", if_match=written.etag)),
        (errors.PathExists, lambda: fs.write(remote / "f", b"3", overwrite=False)),
        (errors.PathExists, lambda: fs.move(remote / "f", remote)),
        (errors.PathNotFound, lambda: fs.read(remote / "nope")),
        (errors.NotAFile, lambda: fs.read(remote)),
        (errors.NotADirectory, lambda: fs.list(remote / "f")),
        (errors.InvalidRequest, lambda: fs.read("../x")),
        (errors.InvalidRequest, lambda: fs.write(remote / "g", io.StringIO("text"))),
    ]
    for error, act in expected:
        with pytest.raises(error):
            await act()
    assert await fs.read(remote / "f") == b"two"


async def test_contents_come_from_anything_that_has_bytes(
    client: SandboxAgent, remote: Path
) -> None:
    pieces = [b"a" * 300_000, b"", b"b" * 300_000]
    for content in (b"".join(pieces), io.BytesIO(b"".join(pieces)), iter(pieces)):
        await client.fs.write(remote / "f", content)
        assert await client.fs.read(remote / "f") == b"".join(pieces)
    await client.fs.write(remote / "f", "text")
    assert await client.fs.read_text(remote / "f") == "text"


async def test_a_part_is_read_as_it_comes(client: SandboxAgent, remote: Path) -> None:
    written = await client.fs.write(remote / "f", b"0123456789")
    async with client.fs.open(remote / "f", start=2, stop=5, etag=written.etag) as reader:
        assert (reader.size, reader.is_part) == (3, True)
        assert [piece async for piece in reader] == [b"234"]
    with pytest.raises(errors.RangeNotSatisfiable):
        async with client.fs.open(remote / "f", start=10):
            pass


async def test_a_name_that_is_no_text_comes_back(client: SandboxAgent, remote: Path) -> None:
    (remote / os.fsdecode(b"odd \xff%?&")).write_text("odd")
    (entry,) = await client.fs.list(remote)
    assert await client.fs.read_text(entry.path) == "odd"


def test_the_synchronous_twin_does_the_same(endpoint: Endpoint, remote: Path, local: Path) -> None:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        client.fs.write(remote / "f", iter([b"one", b"two"]))
        with client.fs.open(remote / "f") as reader:
            assert b"".join(reader) == b"onetwo"
        client.fs.download(remote, local / "down")
        client.fs.upload(local / "down", remote / "up")
        assert client.fs.read_text(remote / "up/f") == "onetwo"


async def test_files_and_directories_go_up_and_down_with_progress(
    client: SandboxAgent, remote: Path, local: Path
) -> None:
    tree = local / "tree"
    (tree / "d/empty").mkdir(parents=True)
    (tree / "run").write_bytes(b"x" * 3_000_000)
    (tree / "run").chmod(0o755)
    (tree / "d/link").symlink_to("../run")
    seen: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None) -> None:
        seen.append((done, total))

    await client.fs.upload(tree, remote / "tree", progress=progress)
    assert (remote / "tree/run").stat().st_mode & 0o777 == 0o755
    assert (remote / "tree/d/link").is_symlink()
    assert (remote / "tree/d/empty").is_dir()
    assert (seen[0], seen[-1]) == ((0, 3_000_000), (3_000_000, 3_000_000))
    seen.clear()
    await client.fs.download(remote / "tree", local / "back", progress=progress)
    assert (local / "back/d/link").read_bytes() == b"x" * 3_000_000
    assert (local / "back/run").stat().st_mode & 0o777 == 0o755
    assert seen[-1] == (3_000_000, None)
    seen.clear()
    await client.fs.upload(tree / "run", remote / "run", progress=progress)
    await client.fs.download(remote / "run", local / "run", progress=progress)
    assert (local / "run").read_bytes() == b"x" * 3_000_000
    assert (local / "run").stat().st_mode & 0o777 == 0o755
    assert (0, 3_000_000) in seen
    assert seen[-1] == (3_000_000, 3_000_000)
    assert sorted(one.name for one in local.iterdir()) == ["back", "run", "tree"]


async def test_files_are_found_by_name_and_text(client: SandboxAgent, remote: Path) -> None:
    for number in range(5):
        await client.fs.write_text(remote / f"src/{number}.py", "one\nneedle here\n")
    page = await client.fs.find("*.py", remote, kind="file", limit=3)
    assert ([one.name for one in page.entries], page.truncated) == (
        ["0.py", "1.py", "2.py"],
        "limit",
    )
    rest = await client.fs.find("*.py", remote, limit=3, offset=page.next_offset or 0)
    assert ([one.name for one in rest.entries], rest.truncated) == (["3.py", "4.py"], None)
    found = await client.fs.grep("NEED.E", remote, ignore_case=True, glob="[01].py")
    assert [(one.path, one.line, one.ranges) for one in found.matches] == [
        (f"{remote}/src/0.py", 2, [(0, 6)]), (f"{remote}/src/1.py", 2, [(0, 6)]),
    ]  # fmt: skip
    assert not (await client.fs.grep("need.e", remote, literal=True)).matches
    with pytest.raises(errors.SearchPatternInvalid):
        await client.fs.grep("(", remote)


async def test_changes_are_told_also_after_the_connection_broke(
    endpoint: Endpoint, remote: Path
) -> None:
    async with (
        CuttingProxy(endpoint.url, cut_after_bytes=600, cuts=1) as proxy,
        SandboxAgent.connect(proxy.url, token=endpoint.token) as client,
    ):
        changes = client.fs.watch(remote)
        kinds: list[str] = []
        number = 0
        async with asyncio.timeout(60), contextlib.aclosing(changes):
            waiting = asyncio.ensure_future(anext(changes))
            while "rescan" not in kinds or kinds[-1] == "rescan":
                # One more whenever nothing comes: whoever reconnects does not see what was in between.
                (remote / str(number)).touch()
                number += 1
                done, _ = await asyncio.wait([waiting], timeout=0.3)
                if done:
                    kinds.append(waiting.result().kind)
                    waiting = asyncio.ensure_future(anext(changes))
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
    assert "added" in kinds


async def test_a_watch_ends_with_its_directory_and_is_refused_for_none(
    client: SandboxAgent, remote: Path
) -> None:
    (remote / "d").mkdir()
    changes = client.fs.watch(remote / "d")
    first, number = asyncio.ensure_future(anext(changes)), 0
    while not first.done():  # nobody tells when it begins
        (remote / f"d/{number}").touch()
        number += 1
        await asyncio.wait([first], timeout=0.3)
    shutil.rmtree(remote / "d")
    assert {one.kind for one in await _all(changes)} >= {"removed"}
    with pytest.raises(errors.PathNotFound):
        await _all(client.fs.watch(remote / "nothing"))


async def _all(changes: Any) -> list[Any]:
    async with asyncio.timeout(60):
        return [change async for change in changes]


async def test_a_download_goes_on_where_the_connection_broke(
    endpoint: Endpoint, remote: Path, local: Path
) -> None:
    content = os.urandom(3_000_000)
    (remote / "f").write_bytes(content)
    async with (
        CuttingProxy(endpoint.url, cut_after_bytes=1_000_000, cuts=2) as proxy,
        SandboxAgent.connect(proxy.url, token=endpoint.token) as client,
    ):
        await client.fs.download(remote / "f", local / "f")
    assert (local / "f").read_bytes() == content
    assert proxy.asked.lower().count(b"range: bytes=") == 2
    assert [one.name for one in local.iterdir()] == ["f"]


async def test_a_later_download_takes_what_has_come_if_it_is_of_the_same_file(
    endpoint: Endpoint, remote: Path, local: Path
) -> None:
    content = os.urandom(3_000_000)
    (remote / "f").write_bytes(content)
    async with (
        CuttingProxy(endpoint.url, cut_after_bytes=500_000) as proxy,
        SandboxAgent.connect(proxy.url, token=endpoint.token) as client,
    ):

        def broken(done: int, _total: int | None) -> None:
            if done > 600_000:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await client.fs.download(remote / "f", local / "f", progress=broken)
    (part,) = local.iterdir()
    assert 600_000 < part.stat().st_size < 3_000_000
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        seen: list[int] = []
        await client.fs.download(
            remote / "f", local / "f", progress=lambda done, _: seen.append(done)
        )
        assert seen[0] > 600_000
        assert (local / "f").read_bytes() == content
        (remote / "f").write_bytes(b"other")
        await client.fs.download(remote / "f", local / "f")
    assert (local / "f").read_bytes() == b"other"


def test_a_sandbox_cannot_write_outside_of_the_directory_that_it_sends(local: Path) -> None:
    def sent(*members: tuple[str, bytes, str]) -> bytes:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            for name, kind, target in members:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, target
                archive.addfile(info)
        return made.getvalue()

    def receive(data: bytes) -> TreeWriter:
        writer = TreeWriter(local / "target")
        try:
            writer.feed(data)
            writer.finish()
        except BaseException:
            writer.abort()
            raise
        return writer

    link, file = tarfile.SYMTYPE, tarfile.REGTYPE
    for bad in (
        [("../evil", file, "")],
        [("/evil", file, "")],
        [("hard", tarfile.LNKTYPE, "/etc/passwd")],
        [("pipe", tarfile.FIFOTYPE, "")],
    ):
        with pytest.raises(errors.ArchiveInvalid):
            receive(sent(*bad))
        assert list(local.iterdir()) == []
    writer = receive(
        sent(
            ("out", link, "../.."),
            ("abs", link, "/etc"),
            ("d/up", link, "../../x"),
            ("in", link, "d"),
        )
    )
    assert writer.left_away == ["out", "abs", "d/up"]
    assert sorted(one.name for one in (local / "target").iterdir()) == ["d", "in"]


def test_what_is_here_already_is_kept_or_replaced_but_nothing_is_written_through_a_link(
    local: Path,
) -> None:
    target, source = local / "target", local / "source"
    (target / "d").mkdir(parents=True)
    (target / "d/kept").write_text("kept")
    (target / "out").symlink_to(local)
    (source / "d").mkdir(parents=True)
    (source / "d/new").write_text("new")

    def receive() -> None:
        writer = TreeWriter(target)
        try:
            for piece, _ in LocalTree.at(source).packed():
                writer.feed(piece)
            writer.finish()
        finally:
            writer.abort()

    receive()
    assert sorted(one.name for one in (target / "d").iterdir()) == ["kept", "new"]
    (source / "out").mkdir()
    (source / "out/pwned").touch()
    with pytest.raises(errors.FileSystemError):
        receive()
    assert not (local / "pwned").exists()


def test_a_file_that_shrinks_while_it_is_packed_ends_the_upload(local: Path) -> None:
    (local / "f").write_bytes(b"x" * 3_000_000)

    def pack() -> Iterator[bytes]:
        for piece, _ in LocalTree.at(local).packed():
            yield piece
            os.truncate(local / "f", 10)

    with pytest.raises(errors.InvalidRequest):
        list(pack())
