"""Sandboxes of trials, made by them or ahead of them. What a pool does is in `tests/test_pool.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from sandbox_agent_client import Endpoint, SandboxRef, SandboxSpec, Unavailable, run_batch
from sandbox_agent_client.batch import Retries, load_plan
from sandbox_agent_client.sandboxes import plugins


class Many:
    """A provider whose sandboxes are all the server of the tests."""

    name = "many"
    where: Endpoint

    def __init__(self) -> None:
        self.alive = alive

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        ref = SandboxRef(provider=self.name, id=f"box-{len(made)}")
        made.append(spec.labels)
        self.alive.add(ref.id)
        return ref

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        return self.where

    async def destroy(self, ref: SandboxRef) -> None:
        self.alive.discard(ref.id)


made: list[Mapping[str, str]] = []
alive: set[str] = set()


async def test_each_trial_has_a_sandbox_of_the_pool_and_none_is_left(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = {"many": SimpleNamespace(load=lambda: Many)}
    monkeypatch.setattr(plugins, "_points", lambda: installed)
    monkeypatch.setattr(Many, "where", endpoint, raising=False)
    tasks = [{"id": f"t{number}", "prompt": "text"} for number in range(3)]
    summary = await run_batch(
        tasks, agents="mock", sandbox="many", pool=1, concurrency=2, out=tmp_path
    )
    assert summary.ok
    used = [(result.sandbox or {})["id"] for result in summary.results]
    assert len(set(used)) == 3
    assert len(made) == 3, "none is made for which there is no trial"
    assert {labels["batch"] for labels in made} == {summary.plan.id}
    assert not alive
    assert load_plan(tmp_path).sandbox.pool == 1
    # It is how it is done, and not what.
    again = await run_batch(tasks, agents="mock", sandbox="many", concurrency=2, out=tmp_path)
    assert again.results == summary.results


async def test_a_sandbox_that_cannot_be_removed_takes_no_verdict_away(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sticky(Many):
        async def destroy(self, ref: SandboxRef) -> None:
            raise Unavailable("not now")

    installed = {"many": SimpleNamespace(load=lambda: Sticky)}
    monkeypatch.setattr(plugins, "_points", lambda: installed)
    monkeypatch.setattr(Many, "where", endpoint, raising=False)
    summary = await run_batch(
        [{"id": "t", "prompt": "text", "grade": "true"}],
        agents="mock",
        sandbox="many",
        retries=Retries(times=1, wait=0.01),
        out=tmp_path,
    )
    assert [(one.status, one.attempts) for one in summary.results] == [("passed", [])]
