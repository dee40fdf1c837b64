"""Our hands stay in the workspace, whatever path an agent thinks of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import (
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    SandboxAgentError,
)
from sandbox_agent_server.host.workspace import Workspace

LIMIT = 1024


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    return folder


def read(workspace: Path, path: Any, **params: Any) -> str:
    files = Workspace(str(workspace), max_file_bytes=LIMIT)
    result = files.answer("fs/read_text_file", {"path": str(path), **params}, may_write=False)
    content: str = result["content"]
    return content


def write(workspace: Path, path: Any, content: Any, *, may_write: bool = True) -> None:
    files = Workspace(str(workspace), max_file_bytes=LIMIT)
    params = {"path": str(path), "content": content}
    assert files.answer("fs/write_text_file", params, may_write=may_write) == {}


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_what_is_written_is_read_again_byte_for_byte(workspace: Path) -> None:
    write(workspace, workspace / "deep/down/a.txt", "one\r\ntwo\nthree ✓")

    assert (workspace / "deep/down/a.txt").read_bytes() == "one\r\ntwo\nthree ✓".encode()
    assert read(workspace, workspace / "deep/down/a.txt") == "one\r\ntwo\nthree ✓"
    assert names(workspace / "deep/down") == ["a.txt"]


def test_lines_count_from_one(workspace: Path) -> None:
    (workspace / "a").write_text("1\n2\n3\n4\n", encoding="utf-8")

    assert read(workspace, workspace / "a", line=2, limit=2) == "2\n3\n"
    assert read(workspace, workspace / "a", line=9) == ""


def test_a_rewritten_file_keeps_its_mode(workspace: Path) -> None:
    script = workspace / "run.sh"
    script.write_text("old", encoding="utf-8")
    script.chmod(0o755)

    write(workspace, script, "new")

    assert script.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "path",
    ["{work}/../secret.txt", "{out}/secret.txt", "/etc/passwd", "{work}/link", "{work}/dir/x"],
)
def test_nothing_outside_is_read_or_written(workspace: Path, path: str) -> None:
    outside = workspace.parent
    (workspace / "link").symlink_to(outside / "secret.txt")
    (workspace / "dir").symlink_to(outside)
    target = path.format(work=workspace, out=outside)

    with pytest.raises(PermissionDenied, match="outside the workspace"):
        read(workspace, target)
    with pytest.raises(PermissionDenied, match="outside the workspace"):
        write(workspace, target, "overwritten")

    assert (outside / "secret.txt").read_text(encoding="utf-8") == "secret"
    assert not (outside / "x").exists()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("relative.txt", InvalidRequest),
        ("", InvalidRequest),
        ("{work}/a\0b", InvalidRequest),
        ("{work}/missing", NotFound),
        ("{work}", InvalidRequest),
        ("{work}/binary", InvalidRequest),
        ("{work}/large", PayloadTooLarge),
    ],
)
def test_what_cannot_be_read_is_a_typed_error(
    workspace: Path, path: str, error: type[SandboxAgentError]
) -> None:
    (workspace / "binary").write_bytes(b"\xff\xfe")
    (workspace / "large").write_bytes(b"x" * (LIMIT + 1))

    with pytest.raises(error):
        read(workspace, path.format(work=workspace))


def test_what_cannot_be_written_is_a_typed_error(workspace: Path) -> None:
    with pytest.raises(PayloadTooLarge, match="max_file_bytes"):
        write(workspace, workspace / "a", "x" * (LIMIT + 1))
    with pytest.raises(InvalidRequest, match="content"):
        write(workspace, workspace / "a", 7)
    with pytest.raises(PermissionDenied, match="read-only"):
        write(workspace, workspace / "a", "x", may_write=False)
    with pytest.raises(InvalidRequest):
        write(workspace, workspace, "x")

    assert names(workspace) == []


def test_a_pipe_does_not_hold_the_server(workspace: Path) -> None:
    os.mkfifo(workspace / "pipe")

    with pytest.raises(InvalidRequest, match="not a file"):
        read(workspace, workspace / "pipe")


def test_a_directory_beside_it_is_as_the_workspace(workspace: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    files = Workspace(str(workspace), additional=[str(more)], max_file_bytes=LIMIT)
    (more / "link").symlink_to(tmp_path / "secret.txt")

    assert files.inside(str(more / "a")) == more / "a"
    assert files.inside(str(workspace / "a")) == workspace / "a"
    for outside in (more / "link", more / "../secret.txt", tmp_path / "more2"):
        with pytest.raises(PermissionDenied):
            files.inside(str(outside))
