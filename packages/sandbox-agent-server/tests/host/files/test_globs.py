"""Globs and `.gitignore`: what git and shells mean by them, and never slow."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_server.host.files.globs import Glob, IgnoreRules
from sandbox_agent_server.host.files.walking import walk


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ("*.py", ["a.py", "d/e/a.py", ".py"], ["a.pyc", "py", "a.py/b"]),
        ("src/*.py", ["src/a.py"], ["src/d/a.py", "a.py", "x/src/a.py"]),
        ("src/**/*.py", ["src/a.py", "src/d/e/a.py"], ["a.py"]),
        ("**/test_*", ["test_a", "d/test_b"], ["d/tests"]),
        ("/a", ["a"], ["d/a"]),
        ("a?[0-9]", ["ab1", "d/ax9"], ["ab", "a12x"]),
        ("[!a]b", ["xb"], ["ab"]),
        ("[]]", ["]"], ["["]),
        (r"\*", ["*"], ["a"]),
        ("[", ["["], ["a"]),
    ],
)
def test_a_glob_is_what_a_shell_means(pattern: str, fitting: list[str], other: list[str]) -> None:
    for path, expected in [*((one, True) for one in fitting), *((one, False) for one in other)]:
        assert Glob(pattern).fits(path.split("/")) is expected, path


@given(st.text("ab*?", max_size=12), st.text("ab", min_size=1, max_size=12))
def test_stars_mean_what_they_mean_to_python(pattern: str, name: str) -> None:
    if pattern.strip("*") or not pattern:
        assert Glob(pattern).fits([name]) is (
            fnmatch.fnmatchcase(name, pattern) if pattern else True
        )


def test_a_glob_that_would_explode_does_not() -> None:
    begun = time.process_time()
    assert not Glob("*a" * 60 + "b").fits(["a" * 255])
    assert not Glob("/".join(["**", "*a*"] * 60) + "/b").fits(["aa"] * 200)
    assert time.process_time() - begun < 5


def test_what_git_ignores_is_ignored(tmp_path: Path) -> None:
    rules = {
        ".gitignore": "*.log\n!keep.log\n/build/\nnode_modules/\nd/*.tmp\n# no\n\\#odd\n**/deep/x\n",
        "sub/.gitignore": "!*.log\nlocal\n",
    }
    files = [
        "a.log", "keep.log", "build/x", "sub/build/x", "sub/node_modules/m/i.js", "d/a.tmp", "d/e/a.tmp", "#odd",
        "sub/b.log", "sub/local", "local", "q/deep/x", "deep/y", "plain",
    ]  # fmt: skip
    for name, text in {**rules, **dict.fromkeys(files, "")}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    command = ["git", "-C", str(tmp_path), "ls-files", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    top = os.open(tmp_path, os.O_RDONLY)
    found = [one.path for one in walk(top, with_ignored=False) if not one.is_directory]
    os.close(top)
    assert sorted(found) == sorted(listed.split("\n")[:-1])


def test_the_last_rule_counts() -> None:
    rules = IgnoreRules("*.log\n!a.log\n")
    assert rules.says(["b.log"], is_directory=False) is True
    assert rules.says(["a.log"], is_directory=False) is False
    assert rules.says(["a"], is_directory=False) is None
