"""What came of a batch, in the formats of others, read by those whose formats they are."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from sandbox_agent_client import errors
from sandbox_agent_client.batch import AgentSpec, Grade, Task, TrialResult
from sandbox_agent_client.batch.exports import export_batch
from sandbox_agent_client.batch.result import TrialError
from sandbox_agent_client.batch.results import DirectoryResults
from sandbox_agent_client.batch.runner import plan_of
from sandbox_agent_client.cli.batch import batch_app
from sandbox_agent_core.events import Event
from support.format_readers import read_all
from support.recordings import recorded_sessions
from typer.testing import CliRunner

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TASKS = [
    Task.model_validate({"id": "mend", "prompt": "Mend it", "grade": "true"}),
    Task.model_validate(
        {"id": "ask", "prompt": ["First", "Then"], "max_turns": 2, "metadata": {"level": 3}}
    ),
]
CLAUDE = AgentSpec(agent="claude", model="opus", label="claude")
LOST = TrialError(code="sandbox_not_found", message="It is gone.")


recorded = cache(recorded_sessions)


def keep(
    results: DirectoryResults, scratch: Path, trial: str, *, events: Sequence[Event], **more: Any
) -> None:
    task, agent, repeat = trial.split(".")
    scratch.mkdir()
    if events:
        lines = [json.dumps(event.to_wire()) + "\n" for event in events]
        (scratch / "events.jsonl").write_text("".join(lines))
        (scratch / "diff.patch").write_text("--- a\n+++ b\n")
        (scratch / "grade.txt").write_text("as it should be\n")
    given = {"batch": "batch_1", "trial": trial, "task": task, "agent": agent, "repeat": repeat}
    result = {"started_at": NOON, "seconds": 2.0, **given, **more}
    asyncio.run(results.save(TrialResult.model_validate(result), scratch))
    shutil.rmtree(scratch)


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    out, scratch = tmp_path / "numbers", tmp_path / "scratch"
    plan = plan_of(TASKS, agents=[CLAUDE, "codex"], repeats=2)
    events = recorded()["claude-latest/tool-allow"]
    passed, half = Grade(passed=True, score=1), Grade(passed=False, score=0.5)
    with DirectoryResults.opened(out, plan) as (results, _):
        keep(results, scratch, "mend.claude.1", events=[], status="error", error=LOST)
        keep(
            results, scratch, "mend.claude.2", events=events, status="passed", grade=passed,
            text="It is mended.",
        )  # fmt: skip
        keep(results, scratch, "ask.claude.1", events=events, status="done", metadata={"level": 3})
        keep(
            results, scratch, "ask.claude.2", events=events, status="failed", grade=half,
            limit="max_turns",
        )  # fmt: skip
        keep(
            results, scratch, "mend.codex.1", events=recorded()["codex-new/tool-allow"], status="passed",
            grade=passed,
        )  # fmt: skip
    return out


def samples_of(file: Path) -> dict[str, Any]:
    with ZipFile(file) as archive:
        return {
            name: json.loads(archive.read(name))
            for name in archive.namelist()
            if name.startswith("samples/")
        }


def test_each_agent_has_a_log_with_its_trials_as_samples(batch: Path) -> None:
    seen: list[str] = []
    files = export_batch(batch, format="inspect", report=lambda one: seen.append(one.trial))
    assert files == [batch / "inspect/claude.eval", batch / "inspect/codex.eval"]
    assert len(seen) == 5
    samples = samples_of(files[0])
    assert len(samples) == 4
    mended = samples["samples/mend_epoch_2.json"]
    assert mended["input"] == "Mend it"
    assert mended["scores"]["passed"]["value"] == "C"
    assert mended["scores"]["passed"]["answer"] == "It is mended."
    assert mended["scores"]["passed"]["explanation"] == "as it should be\n"
    assert mended["scores"]["score"]["value"] == 1
    assert mended["metadata"]["diff"] == "--- a\n+++ b\n"
    # With its sandbox, and what came before and after its turns.
    assert (mended["started_at"], mended["total_time"]) == (NOON.isoformat(), 2)
    assert mended["completed_at"] == (NOON + timedelta(seconds=2)).isoformat()
    assert mended["working_time"] > 0
    asked = samples["samples/ask_epoch_1.json"]
    assert (asked["input"], asked["scores"]) == ("First\n\nThen", {})
    assert asked["metadata"]["level"] == 3
    assert samples["samples/ask_epoch_2.json"]["limit"] == {"type": "turn", "limit": 2}
    lost = samples["samples/mend_epoch_1.json"]
    assert lost["error"]["message"] == "sandbox_not_found: It is gone."
    assert lost["messages"] == []


def test_inspect_and_harbor_read_them(batch: Path, tmp_path: Path) -> None:
    logs = tmp_path / "all"
    export_batch(batch, format="inspect", output=logs)
    for file in export_batch(batch, format="atif", output=logs):
        file.rename(file.with_suffix(".atif.json"))
    read = read_all(logs)
    assert {name: one["problems"] for name, one in read.items() if one["problems"]} == {}
    assert sorted(read) == [
        "ask.claude.1.atif.json", "ask.claude.2.atif.json", "claude.eval", "codex.eval",
        "mend.claude.2.atif.json", "mend.codex.1.atif.json",
    ]  # fmt: skip
    claude, codex = read["claude.eval"], read["codex.eval"]
    assert sorted(claude["samples"]) == [["ask", 1], ["ask", 2], ["mend", 1], ["mend", 2]]
    assert {"passed": "I", "score": 0.5} in claude["scores"]
    assert claude["errors"] == ["sandbox_not_found: It is gone."]
    assert claude["tokens"]["claude/opus"] > 0
    assert (claude["status"], codex["status"]) == ("success", "cancelled")
    assert codex["scores"] == [{"passed": "C"}]


def test_a_trajectory_says_what_came_of_its_trial(batch: Path) -> None:
    files = export_batch(batch, format="atif")
    assert [file.name for file in files] == [
        "mend.claude.2.json", "mend.codex.1.json", "ask.claude.1.json", "ask.claude.2.json"
    ]  # fmt: skip
    extra = json.loads(files[0].read_bytes())["extra"]
    assert (extra["trial"]["status"], extra["diff"]) == ("passed", "--- a\n+++ b\n")


def test_what_cannot_be_written_is_said_and_nothing_is_left_half(
    batch: Path, tmp_path: Path
) -> None:
    with pytest.raises(errors.InvalidRequest, match="here are claude, codex"):
        export_batch(batch, format="inspect", output=tmp_path / "one.eval")
    with pytest.raises(errors.InvalidRequest, match="there are: inspect, atif"):
        export_batch(batch, format="csv")
    (batch / "trials/ask.claude.1/events.jsonl").write_text("{")
    with pytest.raises(errors.StorageError, match="cannot be read"):
        export_batch(batch, format="inspect")
    assert [*(batch / "inspect").iterdir()] == []
    (tmp_path / "file").touch()
    with pytest.raises(errors.InvalidRequest, match="cannot be written"):
        export_batch(batch, format="atif", output=tmp_path / "file")


def test_a_single_agent_may_be_one_file_of_json(tmp_path: Path) -> None:
    with DirectoryResults.opened(tmp_path / "out", plan_of(TASKS[:1], agents="pi")) as (
        results,
        _,
    ):
        events = recorded()["pi/text"]
        keep(results, tmp_path / "scratch", "mend.pi.1", events=events, status="done")
    [file] = export_batch(tmp_path / "out", format="inspect", output=tmp_path / "run.inspect.json")
    log = json.loads(file.read_bytes())
    assert (log["status"], log["eval"]["task"], len(log["samples"])) == ("success", "out", 1)


def test_the_command_prints_the_names_of_the_files(batch: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(batch_app, ["export", str(batch), "--format", "atif"])
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 4
    assert done.stderr == "1 trial never had a session\n"
    empty = CliRunner().invoke(batch_app, ["export", str(tmp_path), "--format", "inspect"])
    assert empty.exit_code == 2
    assert "no results of a batch" in empty.stderr
