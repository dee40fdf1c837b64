"""How a driver follows a batch, with a coordinator that answers as the test says: no cluster."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client.batch.engine import BatchEvent, Budget, TrialEnded
from sandbox_agent_client.batch.plan import AgentSpec, Plan
from sandbox_agent_client.batch.result import TrialResult
from sandbox_agent_client.batch.results import DirectoryResults
from sandbox_agent_client.batch.tasks_file import tasks_of
from sandbox_agent_ray import _sdk
from sandbox_agent_ray.engine import _Follower
from sandbox_agent_ray.job import Job, JobDirectory
from sandbox_agent_ray.news import End, News

PLAN = Plan(
    id="batch_1",
    tasks=tuple(tasks_of([{"id": "one", "prompt": "Hello"}])),
    agents=(AgentSpec(agent="mock"),),
)
GONE = _sdk.ActorLost("it is gone", may_come_back=False)


class Coordinator:
    """One that has taken the place of another, and has nothing to tell of what that one did."""

    def __init__(self, news: News | Exception) -> None:
        self._news = news
        self.news = self.cancel = self.stop = self

    def remote(self, *_args: Any) -> News | Exception:
        return self._news


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def outcome(answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(_sdk, "outcome", outcome)


@pytest.fixture
async def directory(tmp_path: Path) -> JobDirectory:
    directory = JobDirectory(tmp_path / "shared")
    directory.write(
        Job(
            plan=PLAN,
            known=(),
            budget=Budget(),
            began_at=time.time(),
            concurrency=1,
            num_cpus=0,
            resources={},
        )
    )
    result = TrialResult(
        batch="batch_1",
        trial="one.mock.1",
        task="one",
        agent="mock",
        repeat=1,
        status="done",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1.0,
    )
    (tmp_path / "files").mkdir()
    await directory.save(result, tmp_path / "files")
    return directory


async def test_what_ended_with_a_coordinator_that_died_is_not_lost(
    directory: JobDirectory, tmp_path: Path
) -> None:
    told: list[BatchEvent] = []
    with DirectoryResults.opened(tmp_path / "out", PLAN) as (results, _):
        follower = _Follower(PLAN, directory, results, told.append, asyncio.Event())
        await follower.follow(Coordinator(News(life="second", seen=0, happened=[], end=End())))
        assert [result.trial for result in await results.all()] == ["one.mock.1"]
    assert [type(event) for event in told] == [TrialEnded]


async def test_who_cancels_keeps_what_has_ended_when_the_coordinator_is_gone(
    directory: JobDirectory, tmp_path: Path
) -> None:
    with DirectoryResults.opened(tmp_path / "out", PLAN) as (results, _):
        follower = _Follower(PLAN, directory, results, lambda _event: None, asyncio.Event())
        await follower.cancel(Coordinator(GONE))
        assert [result.trial for result in await results.all()] == ["one.mock.1"]
