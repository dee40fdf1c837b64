"""What is told of an installation that a session waits for, and what stays untold."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_client import InstallProgress, SandboxAgent
from sandbox_agent_client._async import installation
from sandbox_agent_client._async.installation import InstallationWatch
from sandbox_agent_client._async.transport import Transport
from sandbox_agent_client._installing import LINES_OF_A_DOWNLOAD, InstallLines
from sandbox_agent_core.spi.provider import Endpoint

MB = 1_000_000


def progress(step: str = "downloading", **bytes_: int) -> InstallProgress:
    return InstallProgress.model_validate(
        {"agent": "claude", "version": "2.1.0", "step": step, **bytes_}
    )


def test_each_step_is_a_line_and_a_download_a_few() -> None:
    lines = InstallLines()
    assert lines.line(progress("bringing_node")) == "installing claude 2.1.0: bringing node"
    assert lines.line(progress("bringing_node")) is None
    download = [
        lines.line(progress(done_bytes=done * MB, total_bytes=167 * MB)) for done in range(168)
    ]
    assert download[0] == "installing claude 2.1.0: downloading, 0.0 of 167.0 MB"
    assert download[-1] == "installing claude 2.1.0: downloading, 167.0 of 167.0 MB"
    assert sum(line is not None for line in download) == LINES_OF_A_DOWNLOAD + 1
    unknown = [lines.line(progress(done_bytes=done * MB)) for done in range(160)]
    assert sum(line is not None for line in unknown) == LINES_OF_A_DOWNLOAD


async def test_a_server_that_does_not_tell_is_not_asked_again(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "LOOK_EVERY_S", 0.01)
    transport = Transport(endpoint)
    told: list[Any] = []
    watch = InstallationWatch(transport, agent="no such agent", on_install=told.append)
    async with watch:
        await watch._background._task  # it ends by itself, without an error
    await transport.close()
    assert told == []


async def test_what_cannot_be_told_anything_is_refused_before_a_session_is_made(
    endpoint: Endpoint,
) -> None:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        before = [session.id for session in await client.list_sessions()]
        with pytest.raises(TypeError, match="on_install"):
            await client.create_session("mock", on_install=lambda: None)  # type: ignore[arg-type, misc]
        assert [session.id for session in await client.list_sessions()] == before
