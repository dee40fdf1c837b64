"""What a release is checked for, and where its metadata come from. The whole check is `make release-check`."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import urllib.request
from dataclasses import replace
from pathlib import Path

import gen_metadata
import pytest
import release_check
from release.distributions import UNRELEASED, Distribution, build, problems_of, read_distributions
from release.index import serve_index
from release.pythons import find_pythons

ROOT = Path(__file__).parents[2]
CORE = ROOT / "packages" / "sandbox-agent-core"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    build([CORE], directory)
    return directory


def test_what_is_built_here_lacks_nothing(dist: Path) -> None:
    sdist, wheel = sorted(read_distributions(dist), key=lambda one: one.kind)
    assert (sdist.kind, wheel.kind) == ("sdist", "wheel")
    assert {one.name for one in (sdist, wheel)} == {"sandbox-agent-core"}
    for one in (sdist, wheel):
        assert list(problems_of(one, is_release=False)) == []


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Distribution:
    return next(one for one in read_distributions(dist) if one.kind == "wheel")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Summary: ", "summary"),
        ("Project-URL: ", "project URL"),
        ("Classifier: ", "classifier"),
        ("Requires-Python: ", "version of Python"),
        ("License-Expression: ", "licence"),
    ],
)
def test_what_is_missing_in_the_metadata_is_named(
    wheel: Distribution, line: str, problem: str
) -> None:
    kept = [each for each in wheel.metadata.splitlines() if not each.startswith(line)]
    without = replace(wheel, metadata="\n".join(kept))
    assert list(problems_of(without, is_release=False)) == [f"it names no {problem}"]


def test_a_readme_of_a_release_is_whole_without_the_repository(wheel: Distribution) -> None:
    linked = replace(wheel, metadata=f"{wheel.metadata}\n[docs](../../docs/api.md), {UNRELEASED}")
    (problem,) = problems_of(linked, is_release=False)
    assert "../../docs/api.md" in problem
    assert any(UNRELEASED in problem for problem in problems_of(linked, is_release=True))


def test_files_that_are_missing_are_named(wheel: Distribution) -> None:
    bare = replace(wheel, names=("sandbox_agent_core/__init__.py",))
    assert len(list(problems_of(bare, is_release=False))) == 2


def test_the_index_has_a_page_for_each_project(dist: Path) -> None:
    with (
        serve_index(dist) as index,
        urllib.request.urlopen(f"{index}/sandbox-agent-core/", timeout=10) as answer,
    ):
        page = answer.read().decode()
    for file in dist.iterdir():
        assert f'href="{file.name}"' in page


def test_the_python_that_runs_this_is_found() -> None:
    found = find_pythons()
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in found
    assert all(tuple(map(int, minor.split("."))) >= (3, 11) for minor in found)
    assert list(found) == sorted(found, key=lambda minor: int(minor.partition(".")[2]))


def test_all_packages_say_of_the_project_what_the_root_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "gen_metadata.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


def test_a_repository_that_is_filled_in_once_is_in_every_package() -> None:
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    given = {**said["tool"]["sandbox-agent"], "repository": "https://forge.test/o/r/"}
    text = (CORE / "pyproject.toml").read_text(encoding="utf-8")
    written = gen_metadata.written(text, given, package="sandbox-agent-core")
    urls = tomllib.loads(written)["project"]["urls"]
    assert urls["Repository"] == "https://forge.test/o/r"
    assert urls["Changelog"].endswith("/packages/sandbox-agent-core/CHANGELOG.md")
    assert gen_metadata.written(written, given, package="sandbox-agent-core") == written


def test_what_does_not_work_is_an_error_with_its_words(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(release_check.Failed, match="program ended with 3\nbroken"):
        release_check.run([program])
