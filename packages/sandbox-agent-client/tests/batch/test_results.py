"""Results on a disk: whole or not there, and only of one plan."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import errors
from sandbox_agent_client.batch import Plan, TrialResult, load_plan, load_results
from sandbox_agent_client.batch.results import DirectoryResults
from sandbox_agent_client.batch.runner import plan_of


def plan(prompt: str = "x", **given: Any) -> Plan:
    return plan_of([{"id": "a", "prompt": prompt}], agents="mock", **given)


def result(status: str = "passed", trial: str = "a.mock.1") -> Any:
    return TrialResult.model_validate(
        {
            "batch": "b", "trial": trial, "task": "a", "agent": "mock", "repeat": 1, "status": status,
            "startedAt": "2026-01-01T00:00:00Z", "seconds": 1,
        }
    )  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    (made / "events.jsonl").write_text("{}\n")
    return made


async def test_a_result_is_found_again_with_its_files(tmp_path: Path, files: Path) -> None:
    out = tmp_path / "out"
    with DirectoryResults.opened(out, plan()) as (results, first):
        await results.save(result(), files)
        assert await results.find("a.mock.1") == result()
    with DirectoryResults.opened(out, plan(retries=7)) as (results, again):
        assert again.id == first.id
        assert again.retries.times == 7
        assert await results.all() == [result()]
    assert (out / "trials/a.mock.1/events.jsonl").read_text() == "{}\n"
    assert load_plan(out).id == first.id


async def test_a_verdict_stays_and_an_error_is_replaced(tmp_path: Path, files: Path) -> None:
    out = tmp_path / "out"
    with DirectoryResults.opened(out, plan()) as (results, _):
        await results.save(result("error"), files)
        (files / "events.jsonl").write_text("second\n")
        await results.save(result("failed"), files)
        await results.save(result("passed"), files)
    assert load_results(out)["a.mock.1"].status == "failed"
    assert (out / "trials/a.mock.1/events.jsonl").read_text() == "second\n"
    assert len((out / "results.jsonl").read_text().splitlines()) == 2


async def test_who_is_cancelled_waits_until_the_result_is_written(
    tmp_path: Path, files: Path
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    class Slow(DirectoryResults):
        def _write(self, result: TrialResult, files: Path) -> None:
            begun.set()
            goes_on.wait(5)
            super()._write(result, files)

    with Slow.opened(tmp_path / "out", plan()) as (results, _):
        saving = asyncio.create_task(results.save(result(), files))
        await asyncio.to_thread(begun.wait, 5)
        saving.cancel()
        asyncio.get_running_loop().call_later(0.01, goes_on.set)
        with pytest.raises(asyncio.CancelledError):
            await saving
        assert list(load_results(tmp_path / "out")) == ["a.mock.1"]


async def test_what_a_death_has_cut_is_no_result(tmp_path: Path, files: Path) -> None:
    out = tmp_path / "out"
    with DirectoryResults.opened(out, plan()) as (results, _):
        await results.save(result(), files)
    whole = (out / "results.jsonl").read_bytes()
    (out / "results.jsonl").write_bytes(whole + b'{"trial": "b')
    (out / "trials/.half").mkdir()
    assert list(load_results(out)) == ["a.mock.1"]
    with DirectoryResults.opened(out, plan()) as (results, _):
        assert len(await results.all()) == 1
    assert (out / "results.jsonl").read_bytes() == whole
    assert [entry.name for entry in (out / "trials").iterdir()] == ["a.mock.1"]


def test_another_plan_is_refused_and_says_what_differs(tmp_path: Path) -> None:
    with DirectoryResults.opened(tmp_path / "out", plan()):
        pass
    with (
        pytest.raises(errors.Conflict) as caught,
        DirectoryResults.opened(tmp_path / "out", plan("y", repeats=3, bounds={"timeout": 5})),
    ):
        pass
    assert caught.value.details["differences"] == [
        'tasks.a.prompt: was ["x"], is ["y"]',
        "repeats: was 1, is 3",
        "bounds.timeout: was 3600.0, is 5.0",
    ]


def test_two_batches_do_not_write_to_one_directory(tmp_path: Path) -> None:
    with (
        DirectoryResults.opened(tmp_path, plan()),
        pytest.raises(errors.Conflict, match="Another batch is writing"),
        DirectoryResults.opened(tmp_path, plan()),
    ):
        pass


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("words")
    with (
        pytest.raises(errors.InvalidRequest, match="'thesis.txt' is in it"),
        DirectoryResults.opened(tmp_path, plan()),
    ):
        pass
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(errors.StorageError),
        DirectoryResults.opened(tmp_path / "file", plan()),
    ):
        pass


def test_a_line_that_is_no_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text(json.dumps({"trial": "a"}) + "\n")
    with pytest.raises(errors.StorageError, match="Line 1 "):
        load_results(tmp_path)
    with pytest.raises(errors.NotFound, match="no results of a batch"):
        load_plan(tmp_path)
