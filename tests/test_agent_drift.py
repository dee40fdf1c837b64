"""The report on newer agents: what counts as broken, what is only told, and where its numbers come from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.agents import (
    AGENTS_DIR_VARIABLE,
    OTHER_VERSIONS,
    REPOSITORY,
    installed_binary,
    load_pins,
)
from support.drift.collecting import DIRECTORY, ONLY, read_collected
from support.drift.comparing import MAX_SHOWN, AgentDrift, render
from support.drift.schemas import read_schema, unknown_to_us
from support.fixtures import codex_binary

__all__ = ["codex_binary"]


def drift(**fields: Any) -> AgentDrift:
    given = {"agent": "codex", "pinned": "1.0", "newest": "2.0", "rows": {"text": True}}
    return AgentDrift(**given | {"rows_before": {"text": True}} | fields)


def test_a_newer_agent_with_which_all_passes_needs_no_work() -> None:
    same = drift()
    assert not same.needs_work
    report = render([same])
    assert "Nothing broke." in report
    assert "Not the pinned version: codex." in report
    assert "## codex" not in report


def test_what_fails_only_with_the_newest_is_broken() -> None:
    worse = drift(rows={"text": False, "plan": False}, rows_before={"text": True, "plan": False})
    assert worse.broken == ["text"]
    assert worse.needs_work
    report = render([worse])
    assert "**Fails now:** text" in report
    assert "Fails, as with 1.0: plan" in report


def test_what_fails_without_a_version_beside_it_is_broken() -> None:
    assert drift(newest="1.0", rows={"text": False}, rows_before=None).broken == ["text"]


def test_what_works_again_is_told() -> None:
    assert "Works now: text" in render([drift(rows_before={"text": False})])


def test_new_kinds_of_messages_are_told_and_break_nothing() -> None:
    now, before = Counter({"_codex/new": 3, "_codex/old": 9}), Counter({"_codex/old": 8})
    newer = drift(messages=now, messages_before=before)
    assert newer.news == ["_codex/new"]
    assert not newer.needs_work
    assert "**New among them:** `_codex/new` 3" in render([newer])


def test_a_line_that_cannot_be_read_is_broken() -> None:
    assert drift(messages=Counter({"unparsed: not a JSON object": 1})).needs_work


def test_an_agent_that_cannot_be_installed_is_broken_and_says_why() -> None:
    failed = drift(newest=None, failure="There is no program.", rows={})
    assert failed.needs_work
    assert "There is no program." in render([failed])


def test_a_changed_schema_is_told_as_far_as_a_person_reads() -> None:
    many = [f"ServerNotification {number}" for number in range(MAX_SHOWN + 3)]
    report = render([drift(schema=[*many, "same"], schema_before=["same", "ClientRequest gone"])])
    assert "New in its schema: `ServerNotification 0`" in report
    assert "and 3 more" in report
    assert "Gone from its schema: `ClientRequest gone`" in report


@pytest.mark.real_agent
def test_the_schema_of_codex_is_read_and_compared_with_what_the_adapter_mentions(
    codex_binary: Path,
) -> None:
    schema = read_schema("codex", codex_binary)
    assert schema is not None
    assert {"ClientRequest turn/start", "ServerNotification turn/started"} <= schema
    unknown = unknown_to_us("codex", schema | {"ServerNotification brand/new"})
    assert "ServerNotification brand/new" in unknown
    assert "ServerNotification turn/started" not in unknown
    assert not any(name.startswith("ClientRequest") for name in unknown)


def test_an_agent_that_prints_no_schema_has_none(tmp_path: Path) -> None:
    assert read_schema("claude", tmp_path) is None


def test_another_directory_of_agents_has_versions_of_its_own(tmp_path: Path) -> None:
    (tmp_path / OTHER_VERSIONS).write_text(json.dumps({"pi": "9.9.9"}), encoding="utf-8")
    code = "from support.agents import load_pins; p = load_pins(); print(p['pi'].folder); print(p['pi'].version)"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "tests")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env | {AGENTS_DIR_VARIABLE: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == [str(tmp_path / "pi" / "9.9.9"), "9.9.9"]
    pin = load_pins(versions={"pi": "9.9.9"})["pi"]
    assert pin.version == "9.9.9"
    assert installed_binary(pin, tmp_path) is None


SUITE = """
from types import SimpleNamespace
import pytest

AGENTS = [pytest.param(SimpleNamespace(name=name), id=name) for name in ("claude", "codex")]

@pytest.mark.real_agent
@pytest.mark.parametrize("agent", AGENTS)
def test_text(agent):
    pass

@pytest.mark.real_agent
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("size", [1, 2])
def test_sizes(agent, size):
    assert size == 1

def test_of_no_agent():
    raise AssertionError
"""


def test_the_plug_in_collects_the_tests_of_the_wanted_agents_only(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "agents" / "codex"
    folder.mkdir(parents=True)
    (folder / "test_suite.py").write_text(SUITE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = real_agent", encoding="utf-8")
    collected = tmp_path / "collected"
    collected.mkdir()
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "tests")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "support.drift.collecting",
            "-p",
            "no:cacheprovider",
        ],
        cwd=tmp_path,
        env=env | {DIRECTORY: str(collected), ONLY: "codex"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done.stdout
    found = read_collected(collected)
    assert found.outcomes == {
        "codex": {
            "test_text[codex]": True,
            "test_sizes[1-codex]": True,
            "test_sizes[2-codex]": False,
        }
    }
    assert found.messages == {}
