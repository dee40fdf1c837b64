"""The directory that all processes of a batch share."""

from __future__ import annotations

import asyncio
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sandbox_agent_client import StorageError
from sandbox_agent_client.batch.engine import Budget
from sandbox_agent_client.batch.plan import AgentSpec, Plan
from sandbox_agent_client.batch.result import Attempt, TrialError, TrialResult, TrialStatus
from sandbox_agent_client.batch.tasks_file import tasks_of
from sandbox_agent_ray.job import Job, JobDirectory


def a_job(*tasks: dict[str, object], **more: object) -> Job:
    plan = Plan(
        id="batch_1",
        tasks=tuple(tasks_of(tasks or [{"id": "one", "prompt": "Hello"}])),
        agents=(AgentSpec(agent="mock", label="mock"),),
    )
    given = {"plan": plan, "known": (), "budget": Budget(max_cost=2.5), "began_at": 1e9}
    return Job.model_validate(
        given | {"concurrency": 2, "num_cpus": 0.1, "resources": {"sandbox": 1}} | more
    )


def a_result(status: TrialStatus, *, text: str = "") -> TrialResult:
    return TrialResult(
        batch="batch_1",
        trial="one.mock.1",
        task="one",
        agent="mock",
        repeat=1,
        status=status,
        text=text,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1.0,
    )


@pytest.fixture
def directory(tmp_path: Path) -> JobDirectory:
    return JobDirectory(tmp_path / "shared" / "batch_1")


def test_a_job_comes_back_as_it_was(directory: JobDirectory) -> None:
    job = a_job(known=(a_result("passed"),))
    directory.write(job)
    assert directory.load() == job


def test_files_of_this_machine_go_along(directory: JobDirectory, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("1,2")
    (tmp_path / "check.py").write_text("print(1)")
    task = {
        "id": "one",
        "prompt": "Hello",
        "workspace": {"files": {"data": {"from": str(tmp_path / "data")}, "note": "as it is"}},
        "grade": {"command": "true", "files": {"check.py": {"from": str(tmp_path / "check.py")}}},
    }
    directory.write(a_job(task))
    (tmp_path / "check.py").unlink()
    shipped = directory.load().plan.tasks[0]
    assert isinstance(shipped.workspace, dict)
    assert shipped.grade is not None
    files = shipped.workspace["files"]
    assert files["note"] == "as it is"
    assert Path(files["data"]["from"], "rows.csv").read_text() == "1,2"
    check = shipped.grade.files["check.py"]
    assert not isinstance(check, str)
    assert Path(check["from"]).read_text() == "print(1)"
    assert Path(check["from"]).is_relative_to(directory.path)


def test_a_file_that_is_not_there_is_said_before_anything_begins(directory: JobDirectory) -> None:
    task = {
        "id": "one",
        "prompt": "Hello",
        "workspace": {"files": {"data": {"from": "/not/there"}}},
    }
    with pytest.raises(StorageError, match="/not/there"):
        directory.write(a_job(task))


def test_a_node_without_the_directory_says_what_is_to_be_done(directory: JobDirectory) -> None:
    with pytest.raises(StorageError, match="storage_path"):
        directory.load()


def test_only_the_first_begins(directory: JobDirectory) -> None:
    directory.write(a_job())
    assert [directory.begin(), directory.begin()] == [True, False]
    directory.write(a_job())
    assert not directory.begin()


async def test_an_error_gives_way_and_a_verdict_stays(
    directory: JobDirectory, tmp_path: Path
) -> None:
    directory.write(a_job())
    files = tmp_path / "files"
    files.mkdir()
    assert await directory.find("one.mock.1") is None
    await directory.save(a_result("error"), files)
    (files / "diff.patch").write_text("+1")
    await directory.save(a_result("passed", text="first"), files)
    await directory.save(a_result("passed", text="second"), files)
    assert [result.text for result in await directory.all()] == ["first"]
    assert (directory.files_of("one.mock.1") / "diff.patch").read_text() == "+1"


async def test_a_job_after_another_has_nothing_of_it(
    directory: JobDirectory, tmp_path: Path
) -> None:
    directory.write(a_job())
    (tmp_path / "files").mkdir()
    await directory.save(a_result("error"), tmp_path / "files")
    error = TrialError(code="unavailable", message="lost")
    lost = [Attempt(error=error, seconds=1.0, phase="agent")]
    directory.keep_attempts("one.mock.1", lost)
    assert directory.attempts("one.mock.1") == lost
    directory.write(a_job())
    assert await directory.all() == []
    assert directory.attempts("one.mock.1") == []


async def test_what_is_being_written_is_no_result(directory: JobDirectory, tmp_path: Path) -> None:
    directory.write(a_job())
    half = directory.path / "trials" / ".half"
    half.mkdir()
    (half / "result.json").write_text("{")
    assert await directory.all() == []


async def test_who_is_cancelled_while_a_result_is_kept_leaves_it_whole(
    directory: JobDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.write(a_job())
    files = tmp_path / "files"
    files.mkdir()
    (files / "diff.patch").write_text("+1")
    begun, copy = threading.Event(), shutil.copytree

    def slowly(source: Path, place: Path) -> None:
        begun.set()
        # Long enough that whoever does not wait has removed the files.
        removed.wait(0.2)
        copy(source, place)

    removed = threading.Event()
    monkeypatch.setattr("sandbox_agent_ray.job.shutil.copytree", slowly)
    saving = asyncio.create_task(directory.save(a_result("passed"), files))
    await asyncio.to_thread(begun.wait)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    shutil.rmtree(files)
    removed.set()
    assert (directory.files_of("one.mock.1") / "diff.patch").read_text() == "+1"
