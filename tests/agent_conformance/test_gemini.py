"""What Gemini tells in its own way, told in everybody's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.stories import play
from agent_conformance.under_test import AGENTS
from sandbox_agent_client import (
    GeminiOptions,
    PermissionRequested,
    SessionSync,
    ToolCompleted,
    ToolStarted,
)

pytestmark = pytest.mark.real_agent


@pytest.fixture
def gemini(lab: Lab) -> Iterator[SessionSync]:
    made = lab.new_session(AGENTS["gemini"])
    yield made
    made.end()


def test_calls_are_told_as_by_others(gemini: SessionSync) -> None:
    failed = play(gemini, "SCENARIO:tool SHELL<<echo said; exit 3>>").of(ToolCompleted)[0]
    assert (failed.status, failed.exit_code) == ("failed", 3)
    assert failed.output == {"stdout": "said", "exitCode": 3}
    silent = play(gemini, "SCENARIO:tool SHELL<<true>>").of(ToolCompleted)[0]
    assert (silent.content, silent.exit_code) == ([], 0)

    file = Path(gemini.info.cwd) / "new.txt"
    written = play(gemini, f"SCENARIO:write-file FILE<<{file}>>")
    (started,), (asked,) = written.of(ToolStarted), written.of(PermissionRequested)
    assert asked.tool_call is not None
    for call in (started, asked.tool_call, written.of(ToolCompleted)[0]):
        assert call.input == {"file_path": str(file), "content": "hello scripted file\n"}
        assert [diff.old_text for diff in call.diffs] == [None]


def test_options_and_further_directories_reach_it(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "further.txt").write_text("from further away", encoding="utf-8")
    session = lab.new_session(
        AGENTS["gemini"],
        agent_options=GeminiOptions(extensions=("none",)),
        additional_directories=[str(tmp_path)],
    )

    story = play(session, f"SCENARIO:read-file FILE<<{tmp_path}/further.txt>>")

    assert "from further away" in story.text
    session.end()


@pytest.mark.parametrize(
    ("failure", "code"),
    [("context-overflow", "context_overflow"), ("quota", "quota_exceeded")],
)
def test_a_model_that_takes_no_more_is_a_typed_error(
    gemini: SessionSync, failure: str, code: str
) -> None:
    ended = play(gemini, f"SCENARIO:{failure}").ended

    assert ended.error is not None
    assert (ended.stop_reason, ended.error.code) == ("error", code)
