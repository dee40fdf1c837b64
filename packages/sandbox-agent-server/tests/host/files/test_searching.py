"""Files by name and text in files, with ripgrep and without."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import LimitReached, NotADirectory, SearchPatternInvalid
from sandbox_agent_server.host.files import grepping
from sandbox_agent_server.host.files.files import Files
from sandbox_agent_server.host.files.finding import NameQuery
from sandbox_agent_server.host.files.grepping import TextQuery
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.limits import HostLimits
from support.optional import skip_without


def files_with(**limits: Any) -> Files:
    return Files(Paths(), HostLimits.model_validate(limits))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "README.md": "hello world\nsecond line\n",
        "src/main.py": "def main():\n    print('Hello, world')  # hello\n",
        "src/deep/test_main.py": "assert 'é' + 'hello'\n",
        "build/out.txt": "hello\n",
        ".gitignore": "build/\n",
        ".hidden/note": "hello\n",
        ".git/config": "hello\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"hello\0\xff")
    (tmp_path / "latin").write_bytes(b"hello \xff\n")
    (tmp_path / "out").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.fixture(params=["ripgrep", "python"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "ripgrep" and shutil.which("rg") is None:
        skip_without("ripgrep is not installed: apt-get install ripgrep")
    if request.param == "python":
        monkeypatch.setattr(grepping.shutil, "which", lambda _name: None)
    return str(request.param)


async def names(tree: Path, text: str, **query: Any) -> list[str]:
    wanted = NameQuery(text=text, **{"limit": 100, **query})
    found = await files_with().find(str(tree), wanted)
    return [os.path.relpath(one["path"], tree) for one in found["entries"]]


async def grep(tree: Path, pattern: str, *, limits: Any = None, **query: Any) -> dict[str, Any]:
    wanted = TextQuery(pattern=pattern, **{"limit": 100, **query})
    return await files_with(**(limits or {})).grep(str(tree), wanted)


def places(tree: Path, answer: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [
        (os.path.relpath(one["path"], tree), one["line"], one["column"])
        for one in answer["matches"]
    ]


async def test_names_are_found_by_glob_or_by_words(tree: Path) -> None:
    assert await names(tree, "*.py") == ["src/deep/test_main.py", "src/main.py"]
    assert await names(tree, "src/*.py") == ["src/main.py"]
    assert await names(tree, "MAIN deep") == ["src/deep/test_main.py"]
    assert await names(tree, "deep", kind="directory") == ["src/deep"]
    assert await names(tree, "out", kind="file") == ["out"]
    assert "build/out.txt" in await names(tree, "out", with_ignored=True)
    assert ".git/config" not in await names(tree, "")


async def test_a_search_of_names_goes_on_where_the_page_ended(tree: Path) -> None:
    files = files_with()
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        query = NameQuery(text="", limit=3, offset=offset)
        page = await files.find(str(tree), query)
        assert page.get("truncated") in (None, "limit")
        seen += [one["path"] for one in page["entries"]]
        offset = page.get("nextOffset")
    assert seen == sorted(seen, key=lambda path: path.split("/"))
    assert len(seen) == len(set(seen)) == len(await names(tree, ""))


async def test_text_is_found_where_it_is(tree: Path, engine: str) -> None:
    answer = await grep(tree, "hello")
    assert answer["engine"] == engine
    assert "truncated" not in answer
    assert sorted(places(tree, answer)) == [
        (".hidden/note", 1, 1), ("README.md", 1, 1), ("latin", 1, 1), ("src/deep/test_main.py", 1, 15),
        ("src/main.py", 2, 30),
    ]  # fmt: skip
    (match,) = (one for one in answer["matches"] if one["path"].endswith("test_main.py"))
    assert match["text"] == "assert 'é' + 'hello'"
    assert [match["text"][start:stop] for start, stop in match["ranges"]] == ["hello"]


async def test_text_is_found_as_it_is_asked_for(tree: Path, engine: str) -> None:
    del engine
    assert len(places(tree, await grep(tree, "HELLO, w", ignores_case=True))) == 1
    assert places(tree, await grep(tree, "main()", is_literal=True)) == [("src/main.py", 1, 5)]
    assert places(tree, await grep(tree, "^def .*:$")) == [("src/main.py", 1, 1)]
    only = await grep(tree, "hello", glob="*.md")
    assert places(tree, only) == [("README.md", 1, 1)]
    everything = places(tree, await grep(tree, "hello", with_ignored=True))
    assert ("build/out.txt", 1, 1) in everything
    assert (await grep(tree, "--files"))["matches"] == []


async def test_a_page_of_matches_goes_on_where_it_ended(tree: Path, engine: str) -> None:
    del engine
    whole = places(tree, await grep(tree, "hello"))
    first = await grep(tree, "hello", limit=2)
    assert (first["truncated"], first["nextOffset"]) == ("limit", 2)
    rest = await grep(tree, "hello", limit=10, offset=2)
    assert places(tree, first) + places(tree, rest) == whole


async def test_what_is_no_expression_is_told(tree: Path, engine: str) -> None:
    del engine
    with pytest.raises(SearchPatternInvalid, match="regex parse error"):
        await grep(tree, "(")
    with pytest.raises(NotADirectory):
        await grep(tree / "README.md", "x")


async def test_an_expression_that_never_ends_is_ended(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "evil").write_text("a" * 40 + "b\n")
    monkeypatch.setattr(grepping.shutil, "which", lambda _name: None)
    begun = time.monotonic()
    answer = await grep(tree, "^(a+)+$", limits={"search_timeout_s": 3.0})
    assert answer["truncated"] == "timeout"
    assert time.monotonic() - begun < 60
    workers = [
        one
        for one in Path("/proc").glob("[0-9]*/cmdline")
        if b"grep_worker" in _read(one) and b"(a+)+$" in _read(one)
    ]
    assert workers == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def test_a_long_line_is_told_around_the_match(tree: Path, engine: str) -> None:
    del engine
    (tree / "long").write_text("x" * 50_000 + "needle" + "y" * 50_000)
    (match,) = (await grep(tree, "needle"))["matches"]
    assert match["column"] == 50_001
    assert len(match["text"]) == 1000
    ((start, stop),) = match["ranges"]
    assert match["text"][start:stop] == "needle"


async def test_more_searches_than_there_may_be_are_refused(tree: Path) -> None:
    files = files_with(max_searches=1)
    with files._search(), pytest.raises(LimitReached) as refused:
        await files.find(str(tree), NameQuery(text="", limit=1))
    assert refused.value.details["limit"] == "max_searches"


async def test_a_file_that_is_too_large_is_not_searched(tree: Path, engine: str) -> None:
    del engine
    (tree / "large").write_text("needle\n" + "x" * 5000)
    (tree / "small").write_text("needle\n")
    answer = await grep(tree, "needle", limits={"max_search_file_bytes": 4096})
    assert places(tree, answer) == [("small", 1, 1)]
