"""Configuration of a directory: all writers survive, nothing is lost, and no link is followed."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sandbox_agent_core.api.config import McpServerConfig, SkillsConfig
from sandbox_agent_core.errors import (
    ConfigDamaged,
    ConfigNotFound,
    InvalidRequest,
    NotADirectory,
    PathForbidden,
    PathNotFound,
    PayloadTooLarge,
    Unavailable,
)
from sandbox_agent_server.host.config import files
from sandbox_agent_server.host.config.store import ConfigStore
from sandbox_agent_server.host.files.paths import Paths

LOCAL = {"type": "local", "command": "npx", "args": ["-y", "x"], "env": {"A": "1"}}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "workspace"
    path.mkdir()
    return path


@pytest.fixture
def store(tmp_path: Path) -> ConfigStore:
    return make_store(tmp_path)


def make_store(tmp_path: Path, root: Path | None = None, max_bytes: int = 65536) -> ConfigStore:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    return ConfigStore(data, paths=Paths(root), max_bytes=max_bytes)


def mcp(**members: Any) -> McpServerConfig:
    return McpServerConfig.model_validate(members)


def file_of(workspace: Path, kind: str = "mcp") -> Path:
    return workspace / ".sandbox-agent" / "config" / f"{kind}.json"


async def test_what_is_put_is_in_the_file_and_comes_back(
    store: ConfigStore, workspace: Path
) -> None:
    await store.put("mcp", str(workspace), "fs", mcp(**LOCAL))
    assert json.loads(file_of(workspace).read_text()) == {"fs": LOCAL}
    assert await store.get("mcp", str(workspace), "fs") == LOCAL
    assert await store.all("mcp", str(workspace)) == {"fs": LOCAL}
    assert file_of(workspace).stat().st_mode & 0o777 == 0o600
    await store.delete("mcp", str(workspace), "fs")
    await store.delete("mcp", str(workspace), "fs")
    with pytest.raises(ConfigNotFound) as caught:
        await store.get("mcp", str(workspace), "fs")
    assert caught.value.details == {"resource": "mcp", "id": "fs"}


async def test_writers_of_two_servers_at_once_all_survive(tmp_path: Path, workspace: Path) -> None:
    stores = [make_store(tmp_path), ConfigStore(workspace, paths=Paths(), max_bytes=65536)]
    await asyncio.gather(
        *(
            stores[number % 2].put("mcp", str(workspace), f"s{number}", mcp(**LOCAL))
            for number in range(40)
        )
    )
    assert len(json.loads(file_of(workspace).read_text())) == 40
    assert sorted(file_of(workspace).parent.iterdir()) == [file_of(workspace)]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"type": "stdio", "command": "a"}, {"type": "local", "command": "a", "args": []}),
        ({"type": "local", "command": ["a", "b"], "args": ["c"]}, {"type": "local", "command": "a", "args": ["b", "c"]}),
        ({"type": "http", "url": "https://x.test/mcp"}, {"type": "remote", "url": "https://x.test/mcp", "transport": "http"}),
        ({"type": "sse", "url": "https://x.test/mcp"}, {"type": "remote", "url": "https://x.test/mcp", "transport": "sse"}),
        (
            {"type": "remote", "url": "https://x.test", "headers": {"a": "b"}, "oauth": False},
            {"type": "remote", "url": "https://x.test", "headers": {"a": "b"}, "oauth": False},
        ),
        (
            {"type": "remote", "url": "https://x.test", "transport": "streamable-http", "bearerTokenEnvVar": "T"},
            {"type": "remote", "url": "https://x.test", "transport": "http", "bearerTokenEnvVar": "T"},
        ),
    ],
)  # fmt: skip
async def test_every_tag_is_one_of_two(
    store: ConfigStore, workspace: Path, given: dict[str, Any], stored: dict[str, Any]
) -> None:
    await store.put("mcp", str(workspace), "s", mcp(**given))
    assert await store.get("mcp", str(workspace), "s") == stored


@pytest.mark.parametrize(
    "given",
    [
        {"type": "weird"},
        {"command": "a"},
        {"type": "local"},
        {"type": "local", "command": "a\0b"},
        {"type": "local", "command": "a", "env": {"A=B": "c"}},
        {"type": "remote", "url": "file:///etc/passwd"},
        {"type": "remote", "url": "https://x.test", "headers": {"a": "b\r\nc: d"}},
        {"type": "remote", "url": "https://x.test", "bearerTokenEnvVar": "sk-not a name"},
        {"type": "remote", "url": "https://x.test", "timeoutMs": -1},
        {"type": "local", "command": "a", "typo": 1},
    ],
)
def test_what_is_no_server_is_refused_without_its_values(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        mcp(**given)
    assert "sk-not" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1', "\x00"])
async def test_a_damaged_file_is_told_of_and_left_as_it_is(
    store: ConfigStore, workspace: Path, text: str
) -> None:
    file_of(workspace).parent.mkdir(parents=True)
    file_of(workspace).write_text(text)
    for call in (
        store.get("mcp", str(workspace), "a"),
        store.all("mcp", str(workspace)),
        store.put("mcp", str(workspace), "a", mcp(**LOCAL)),
        store.delete("mcp", str(workspace), "a"),
    ):
        with pytest.raises(ConfigDamaged):
            await call
    assert file_of(workspace).read_text() == text


async def test_entries_that_are_none_survive_what_is_written_beside_them(
    store: ConfigStore, workspace: Path
) -> None:
    file_of(workspace).parent.mkdir(parents=True)
    file_of(workspace).write_text('{"other": {"type": "weird", "x": 1}}')
    await store.put("mcp", str(workspace), "a", mcp(**LOCAL))
    assert json.loads(file_of(workspace).read_text()) == {
        "other": {"type": "weird", "x": 1},
        "a": LOCAL,
    }
    with pytest.raises(ConfigDamaged):
        await store.get("mcp", str(workspace), "other")
    found, warnings = store.for_session("mcp", [workspace])
    assert [one.name for one in found] == ["a"]
    assert "'other'" in warnings[0]


def _link_folder(workspace: Path, outside: Path) -> None:
    (workspace / ".sandbox-agent").symlink_to(outside)


def _link_inner_folder(workspace: Path, outside: Path) -> None:
    (workspace / ".sandbox-agent").mkdir()
    (workspace / ".sandbox-agent" / "config").symlink_to(outside)


def _link_file(workspace: Path, outside: Path) -> None:
    file_of(workspace).parent.mkdir(parents=True)
    file_of(workspace).symlink_to(outside / "secret")


def _pipe(workspace: Path, _outside: Path) -> None:
    file_of(workspace).parent.mkdir(parents=True)
    os.mkfifo(file_of(workspace))


def _file_for_folder(workspace: Path, _outside: Path) -> None:
    (workspace / ".sandbox-agent").write_text("")


@pytest.mark.parametrize(
    "trick", [_link_folder, _link_inner_folder, _link_file, _pipe, _file_for_folder]
)
async def test_links_and_pipes_are_refused_at_every_level(
    store: ConfigStore, workspace: Path, tmp_path: Path, trick: Any
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text('{"key": {"type": "local", "command": "sk-secret"}}')
    trick(workspace, outside)
    for call in (
        store.all("mcp", str(workspace)),
        store.put("mcp", str(workspace), "a", mcp(**LOCAL)),
    ):
        with pytest.raises(PathForbidden):
            await call
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]


async def test_directories_are_looked_at_first(store: ConfigStore, workspace: Path) -> None:
    (workspace / "file").write_text("")
    for given, error in (
        ("", InvalidRequest),
        ("a\0b", InvalidRequest),
        (str(workspace / "none"), PathNotFound),
        (str(workspace / "file"), NotADirectory),
        ("x" * 5000, InvalidRequest),
    ):
        with pytest.raises(error):
            await store.all("mcp", given)
    for name in (" ", "a\nb", "n" * 129):
        with pytest.raises(InvalidRequest):
            await store.put("mcp", str(workspace), name, mcp(**LOCAL))
    assert list(workspace.iterdir()) == [workspace / "file"]


async def test_nothing_is_configured_out_of_the_root(tmp_path: Path, workspace: Path) -> None:
    root = workspace / "root"
    (root / "inner").mkdir(parents=True)
    (root / "out").symlink_to(workspace)
    store = make_store(tmp_path, root=root)
    await store.put("mcp", "inner", "a", mcp(**LOCAL))
    assert file_of(root / "inner").exists()
    for given in ("..", "out", str(workspace), "/"):
        with pytest.raises(PathForbidden):
            await store.put("mcp", given, "a", mcp(**LOCAL))


async def test_a_file_has_a_bound(tmp_path: Path, workspace: Path) -> None:
    store = make_store(tmp_path, max_bytes=2000)
    await store.put("mcp", str(workspace), "a", mcp(**LOCAL))
    before = file_of(workspace).read_text()
    with pytest.raises(PayloadTooLarge) as caught:
        await store.put("mcp", str(workspace), "b", mcp(type="local", command="x" * 3000))
    assert caught.value.details["limit"] == "max_config_bytes"
    assert file_of(workspace).read_text() == before
    file_of(workspace).write_text(" " * 3000)
    with pytest.raises(PayloadTooLarge):
        await store.all("mcp", str(workspace))


async def test_a_lock_that_is_never_let_go_is_not_waited_for_for_ever(
    store: ConfigStore, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LOCK_PATIENCE_S", 0.05)
    file_of(workspace).parent.mkdir(parents=True)
    held = os.open(file_of(workspace).parent, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable):
            await store.put("mcp", str(workspace), "a", mcp(**LOCAL))
    finally:
        os.close(held)
    await store.put("mcp", str(workspace), "a", mcp(**LOCAL))


async def test_only_what_came_through_the_server_is_its_own(
    tmp_path: Path, workspace: Path
) -> None:
    store = make_store(tmp_path)
    await store.put("mcp", str(workspace), "a", mcp(**LOCAL))
    await store.put(
        "skills",
        str(workspace),
        "s",
        SkillsConfig.model_validate({"sources": [{"type": "local", "source": "x"}]}),
    )
    again = make_store(tmp_path)  # a later server on the same data
    assert [(one.name, one.is_ours) for one in again.for_session("mcp", [workspace])[0]] == [
        ("a", True)
    ]
    assert [(one.name, one.is_ours) for one in again.for_session("skills", [workspace])[0]] == [
        ("s", True)
    ]
    entries = json.loads(file_of(workspace).read_text())
    entries["a"]["command"] = "evil"
    entries["b"] = LOCAL
    file_of(workspace).write_text(json.dumps(entries))
    assert [(one.name, one.is_ours) for one in again.for_session("mcp", [workspace])[0]] == [
        ("a", False),
        ("b", False),
    ]


async def test_the_innermost_of_a_name_counts(store: ConfigStore, workspace: Path) -> None:
    inner = workspace / "inner"
    inner.mkdir()
    await store.put("mcp", str(workspace), "a", mcp(**LOCAL))
    await store.put("mcp", str(workspace), "b", mcp(**LOCAL))
    await store.put("mcp", str(inner), "a", mcp(type="local", command="inner"))
    found, _ = store.for_session("mcp", [workspace, inner])
    assert {one.name: one.directory for one in found} == {"a": inner, "b": workspace}
