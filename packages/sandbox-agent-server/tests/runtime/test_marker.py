from __future__ import annotations

import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

from sandbox_agent_server.runtime.marker import (
    PROCESS_MARKER,
    directory_marker,
    is_below,
    marker_of,
    with_marker,
)
from support.server import until


def test_a_directory_keeps_its_marker_and_its_copy_has_another(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    marker = directory_marker(original)
    assert directory_marker(original) == marker
    shutil.copytree(original, copy)
    assert directory_marker(copy) != marker


def test_each_process_has_a_marker_below_that_of_its_directory() -> None:
    (first_env, first), (_, second) = (with_marker({PROCESS_MARKER: "of", "A": "b"}) for _ in "12")
    assert first is not None
    assert first_env == {PROCESS_MARKER: first, "A": "b"}
    assert first != second
    assert is_below(first, "of")
    assert is_below(first, first)
    assert not is_below("off.other", "of")


def test_an_environment_without_a_marker_stays_as_it_is() -> None:
    assert with_marker({"A": "b"}) == ({"A": "b"}, None)


def is_marked(pid: int, marker: str | None) -> bool:
    return marker_of(pid) == marker


def test_the_marker_of_a_process_is_read_from_its_environment() -> None:
    for env, marker in [({"A": "1", PROCESS_MARKER: "of.me", "B": "2"}, "of.me"), ({}, None)]:
        process = subprocess.Popen(["/bin/sleep", "60"], env=env)
        try:
            # For a moment the program runs already and Linux shows nothing of its environment.
            until(partial(is_marked, process.pid, marker))
        finally:
            process.kill()
            process.wait()
    assert marker_of(process.pid) is None
    assert marker_of(os.getpid()) is None
