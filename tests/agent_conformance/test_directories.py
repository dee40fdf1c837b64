"""Directories beside the workspace: the agent works in them as in it, and nothing that they bring along runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.stories import play
from agent_conformance.under_test import AgentUnderTest
from sandbox_agent_client import PermissionRequested, PermissionResolved, SessionSync


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    directory = tmp_path / "beside"
    directory.mkdir()
    return directory


@pytest.fixture
def wider(lab: Lab, agent: AgentUnderTest, beside: Path) -> Iterator[SessionSync]:
    made = lab.new_session(agent, additional_directories=[str(beside)], mode="accept-edits")
    yield made
    made.end()


@pytest.mark.feature("directories")
def test_a_file_in_another_directory_is_changed_as_one_of_the_workspace(
    wider: SessionSync, beside: Path
) -> None:
    story = play(wider, f"SCENARIO:write-file FILE<<{beside}/new.txt>>", reply=None)

    assert "hello scripted file" in (beside / "new.txt").read_text(encoding="utf-8")
    assert {one.decided_by for one in story.of(PermissionResolved)} <= {"policy"}
    assert len(story.of(PermissionResolved)) == len(story.of(PermissionRequested))
