"""What a permission shows, and that a rule which forbids holds: whatever else is allowed, and however an agent tells it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.stories import play
from agent_conformance.under_test import AgentUnderTest
from sandbox_agent_client import PermissionRequested, SessionSync

COMMAND = "touch {name} && echo made-{name}"


@pytest.fixture
def permissive(lab: Lab, agent: AgentUnderTest) -> Iterator[SessionSync]:
    """It allows everything that no rule denies. What one test is refused there no other tries again."""
    rules = [
        {"action": "deny", "command": "touch *"},
        {"action": "deny", "path": "*forbidden*"},
    ]
    shared = lab.shared_session(agent, permission_policy={"rules": rules, "default": "allow"})
    yield shared
    shared.set_mode("ask")


@pytest.mark.feature("shows")
def test_a_permission_shows_the_command(session: SessionSync) -> None:
    seen: list[str | None] = []

    def look(event: object) -> None:
        if isinstance(event, PermissionRequested):
            seen.extend(getattr(one, "command", None) for one in session.requests())
            session.respond(event.request_id, reply="reject")

    command = COMMAND.format(name="shown")
    story = play(session, f"SCENARIO:tool SHELL<<{command}>>", reply=None, on_event=look)

    asked = story.of(PermissionRequested)[0]
    assert asked.command == command
    assert seen[0] == command
    assert asked.tool_call is not None
    assert asked.tool_call.kind == "execute"


@pytest.mark.feature("shows")
def test_a_permission_shows_the_file_and_the_change(session: SessionSync, workspace: Path) -> None:
    file = workspace / "shown.txt"

    story = play(session, f"SCENARIO:write-file FILE<<{file}>>", reply="reject")

    asked = story.of(PermissionRequested)[0]
    assert any(path.endswith("shown.txt") for path in asked.paths)
    assert asked.tool_call is not None
    assert any("hello scripted file" in diff.new_text for diff in asked.tool_call.diffs), asked
    assert not file.exists()


@pytest.mark.feature("rules")
def test_a_command_that_a_rule_denies_is_not_run(permissive: SessionSync) -> None:
    workspace = Path(permissive.info.cwd)
    # The names differ: what one turn was refused the next may not even try.
    for number, command in enumerate(("touch {}", "cd . && touch {}", "bash -c 'touch {}'")):
        name = f"denied-{number}"
        play(permissive, f"SCENARIO:tool SHELL<<{command.format(name)}>>", reply=None)
        assert not (workspace / name).exists(), command


@pytest.mark.feature("rules")
def test_a_file_that_a_rule_denies_is_not_written(permissive: SessionSync) -> None:
    workspace = Path(permissive.info.cwd)
    (workspace / "link.txt").symlink_to(workspace / "forbidden-first.txt")

    for name in ("forbidden-first.txt", "link.txt"):
        play(permissive, f"SCENARIO:write-file FILE<<{workspace / name}>>", reply=None)
    play(permissive, f"SCENARIO:write-file FILE<<{workspace}/allowed.txt>>", reply=None)

    assert not (workspace / "forbidden-first.txt").exists()
    assert (workspace / "allowed.txt").exists()


@pytest.mark.feature("rules")
def test_a_rule_that_denies_holds_where_edits_are_accepted(permissive: SessionSync) -> None:
    workspace = Path(permissive.info.cwd)
    permissive.set_mode("accept-edits")

    play(permissive, f"SCENARIO:write-file FILE<<{workspace}/forbidden-second.txt>>", reply=None)
    play(permissive, f"SCENARIO:write-file FILE<<{workspace}/allowed-second.txt>>", reply=None)

    assert not (workspace / "forbidden-second.txt").exists()
    assert (workspace / "allowed-second.txt").exists()


@pytest.mark.feature("rules")
def test_a_rule_that_denies_holds_where_all_else_is_allowed(permissive: SessionSync) -> None:
    workspace = Path(permissive.info.cwd)
    permissive.set_mode("bypass")

    play(permissive, "SCENARIO:tool SHELL<<touch denied>>", reply=None)
    play(permissive, f"SCENARIO:write-file FILE<<{workspace}/forbidden-third.txt>>", reply=None)

    assert not (workspace / "denied").exists()
    assert not (workspace / "forbidden-third.txt").exists()
