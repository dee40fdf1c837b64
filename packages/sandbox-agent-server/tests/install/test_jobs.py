"""Installations of a running server: shared by who wants the same, and told with what a session would run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_agent_core.api.agents import InstallProgress, InstallRequest
from sandbox_agent_core.errors import AgentNotInstallable, Unavailable
from sandbox_agent_core.spi.agent import AgentInstallation
from sandbox_agent_server.install.installer import Installer
from sandbox_agent_server.install.jobs import InstallJobs
from support.npm_registry import NpmRegistry

Publish = Callable[..., None]


def jobs_of(installer: Installer, found: AgentInstallation | None = None) -> InstallJobs:
    return InstallJobs(installer, lambda _agent: found, installs_by_itself=True)


async def test_who_wants_the_same_shares_the_work_and_hears_of_it(
    installer: Installer, publish_claude: Publish
) -> None:
    publish_claude()
    jobs = jobs_of(installer)
    told: list[InstallProgress] = []

    first, second = await asyncio.gather(
        jobs.fulfil("claude", InstallRequest(), on_progress=told.append),
        jobs.fulfil("claude", InstallRequest()),
    )

    assert first == second
    assert (first.already_installed, first.note) == (False, None)
    assert [artifact.path for artifact in first.artifacts] == [first.path]
    assert told[-1].step == "finishing"
    again = await jobs.fulfil("claude", InstallRequest())
    assert (again.already_installed, again.artifacts) == (True, [])


async def test_what_is_installed_for_a_session_can_be_looked_at(
    installer: Installer, publish_claude: Publish, registry: NpmRegistry
) -> None:
    publish_claude()
    registry.stalls = True
    jobs = jobs_of(installer)
    assert not jobs.status("claude").running
    told: list[InstallProgress] = []
    task = asyncio.ensure_future(jobs.install("claude", on_progress=told.append))
    assert await asyncio.to_thread(registry.is_stalled.wait, 30)

    status = jobs.status("claude")
    assert (status.running, status.progress) == (True, told[-1])
    assert not jobs.status("codex").running

    registry.go_on()
    await task
    assert not jobs.status("claude").running


async def test_another_program_that_comes_first_is_noted(
    installer: Installer, publish_claude: Publish, tmp_path: Path
) -> None:
    publish_claude()
    other = AgentInstallation(path=str(tmp_path / "claude"))

    result = await jobs_of(installer, other).fulfil("claude", InstallRequest())

    assert result.note is not None
    assert other.path in result.note


async def test_what_is_there_by_other_means_needs_no_installation(installer: Installer) -> None:
    built_in = AgentInstallation(path="(built in)", version="1")

    result = await jobs_of(installer, built_in).fulfil("mock", InstallRequest())

    assert (result.already_installed, result.path, result.version) == (True, "(built in)", "1")
    with pytest.raises(AgentNotInstallable):
        await jobs_of(installer).fulfil("mock", InstallRequest())


async def test_a_failure_is_everybodys_and_the_next_one_tries_again(
    installer: Installer, publish_claude: Publish, registry: NpmRegistry
) -> None:
    jobs = jobs_of(installer)
    both = (jobs.install("claude"), jobs.install("claude"))
    failures = await asyncio.gather(*both, return_exceptions=True)
    assert failures[0] is failures[1]
    assert isinstance(failures[0], AgentNotInstallable)

    publish_claude()
    assert not (await jobs.install("claude")).already


async def test_a_server_that_stops_installs_nothing_more(installer: Installer) -> None:
    jobs = jobs_of(installer)
    await jobs.close()

    with pytest.raises(Unavailable):
        await jobs.install("claude")


def test_only_what_has_a_package_comes_by_itself(installer: Installer) -> None:
    assert jobs_of(installer).installs_by_itself("claude")
    assert not jobs_of(installer).installs_by_itself("mock")
    off = InstallJobs(installer, lambda _agent: None, installs_by_itself=False)
    assert not off.installs_by_itself("claude")
