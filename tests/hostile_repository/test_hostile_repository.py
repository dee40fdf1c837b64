"""Nothing in a repository makes an agent stop asking, and its programs run when somebody trusts it.

The policy denies and nobody answers, so whatever happens here happened unasked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.stories import Story, play
from agent_conformance.under_test import AGENTS
from hostile_repository.repositories import (
    INNER_MEMORY,
    OUTER_MEMORY,
    REPOSITORIES,
    HostileRepository,
)
from sandbox_agent_client import PermissionRequested, SessionSync
from sandbox_agent_client.errors import WorkspaceNotTrusted
from support.fixtures import require_agent

pytestmark = pytest.mark.real_agent

NOBODY = {"default": "deny"}
REFUSED = sorted(name for name, repository in REPOSITORIES.items() if repository.refused)
BESIDE = sorted(name for name in REPOSITORIES if "directories" not in AGENTS[name].lacks)
MODES = (None, "read-only")


class Visit:
    """A session in a hostile repository: its workspace is a directory in that, not its root."""

    def __init__(self, lab: Lab, agent: str, home: Path) -> None:
        require_agent(agent)
        self._lab = lab
        self._agent = AGENTS[agent]
        self._home = home
        self.root = home / "repository"
        self.workspace = self.root / "package"
        self.marks = home / "marks"

    def open(self, *, trust_workspace: bool | None, is_beside: bool = False) -> SessionSync:
        """`is_beside`: the repository is a directory beside an empty workspace."""
        self._lab.llm.clear()
        elsewhere = self._home / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        return self._lab.client.create_session(
            self._agent.name,
            cwd=str(elsewhere if is_beside else self.workspace),
            additional_directories=[str(self.workspace)] if is_beside else None,
            env=self._agent.session_env(self._home, self._lab.llm),
            permission_policy=NOBODY,
            trust_workspace=trust_workspace,
        )

    @property
    def ran(self) -> set[str]:
        """What of the repository's own ran."""
        return {path.name for path in self.marks.iterdir()}

    def works_in(self, session: SessionSync, mode: str | None) -> list[Story]:
        if mode is not None:
            session.set_mode(mode)
        return [
            play(session, f"SCENARIO:tool SHELL<<touch {self.workspace}/made-{mode}>>", reply=None),
            play(session, f"SCENARIO:write-file FILE<<{self.workspace}/made-{mode}>>", reply=None),
        ]

    def holds(self, session: SessionSync, modes: Sequence[str | None] = MODES) -> None:
        """In every mode nothing is done that nobody allowed."""
        for mode in modes:
            stories = self.works_in(session, mode)
            assert not (self.workspace / f"made-{mode}").exists()
            if mode is None:
                # It tried, and asked.
                assert all(story.of(PermissionRequested) for story in stories)

    def model_saw(self) -> str:
        return json.dumps([request.body for request in self._lab.llm.requests])


@pytest.fixture(params=sorted(REPOSITORIES))
def agent(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def repository(agent: str) -> HostileRepository:
    return REPOSITORIES[agent]


@pytest.fixture
def visit(lab: Lab, agent: str, tmp_path: Path) -> Visit:
    return Visit(lab, agent, tmp_path)


def test_it_decides_nothing_and_runs_nothing_and_its_memory_is_read(
    visit: Visit, repository: HostileRepository
) -> None:
    repository.write(visit.root, visit.workspace, visit.marks)

    session = visit.open(trust_workspace=None)
    visit.holds(session)

    assert visit.ran == set()
    assert session.info.trust_workspace is False
    assert INNER_MEMORY in visit.model_saw()
    assert OUTER_MEMORY in visit.model_saw()
    session.end()


@pytest.mark.parametrize("agent", BESIDE, indirect=True)
def test_beside_the_workspace_it_decides_nothing_and_runs_nothing(
    visit: Visit, repository: HostileRepository
) -> None:
    repository.write(visit.root, visit.workspace, visit.marks)

    session = visit.open(trust_workspace=None, is_beside=True)
    visit.holds(session)

    assert visit.ran == set()
    session.end()


def test_its_programs_run_when_it_is_trusted_and_permissions_hold_all_the_same(
    visit: Visit, repository: HostileRepository
) -> None:
    repository.write(visit.root, visit.workspace, visit.marks, is_trusted=True)

    session = visit.open(trust_workspace=True)
    visit.holds(session, [None])

    assert visit.ran == repository.runs_when_trusted
    assert session.info.trust_workspace is True
    session.end()


@pytest.mark.parametrize("agent", REFUSED, indirect=True)
@pytest.mark.parametrize("is_inner", [True, False], ids=["workspace", "root"])
def test_what_cannot_be_held_is_refused(
    visit: Visit, repository: HostileRepository, is_inner: bool
) -> None:
    repository.write(visit.root, visit.workspace, visit.marks)
    directory = visit.workspace if is_inner else visit.root
    found = []
    for name in sorted(repository.refused):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
        found.append(str(path.relative_to(visit.root)))

    with pytest.raises(WorkspaceNotTrusted) as refusal:
        visit.open(trust_workspace=None)

    # The home is masked in it, as all of the session's environment.
    named = [file.partition("/repository/")[2] for file in refusal.value.details["files"]]
    assert sorted(named) == sorted(found)
    assert visit.ran == set()


@pytest.mark.parametrize(
    ("agent", "file", "event"),
    [
        ("claude", ".claude/settings.json", "PermissionRequest"),
        ("codex", ".codex/hooks.json", "PermissionRequest"),
        ("copilot", ".github/hooks/yes.json", "preToolUse"),
        ("qwen", ".qwen/settings.json", "PermissionRequest"),
    ],
    indirect=["agent"],
)
def test_a_hook_that_would_answer_instead_of_a_person_is_refused_whoever_trusts_it(
    visit: Visit, file: str, event: str
) -> None:
    path = visit.workspace / file
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"hooks": {event: []}}), encoding="utf-8")

    with pytest.raises(WorkspaceNotTrusted, match=event):
        visit.open(trust_workspace=True)
