"""Snapshots of sandboxes, which others start from."""

from __future__ import annotations

import pytest
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_daytona import DaytonaProvider
from support.fakes.daytona import API_KEY, FakeDaytona


async def test_a_snapshot_is_what_others_start_from(daytona: FakeDaytona) -> None:
    def provider(**options: str) -> DaytonaProvider:
        return DaytonaProvider(api_key=API_KEY, api_url=daytona.api_url, **options)

    async with SandboxAgent.start(provider(), env={"SECRET": "hush"}) as client:
        (box,) = daytona.boxes.values()
        (box.machine.home / "work.txt").write_text("done so far")
        image = await client.sandbox.snapshot(name="checkpoint")
        assert image.options == {"snapshot": "checkpoint"}
        assert "hush" in (box.machine.home / ".sandbox-agent" / "environment").read_text()
        assert (await client.health()).status == "ok"
        with pytest.raises(errors.ProviderError, match="already exists"):
            await client.sandbox.snapshot(name="checkpoint")
    files = daytona.snapshots["checkpoint"].saved.directory
    assert not [f for f in files.rglob("*") if f.is_file() and b"hush" in f.read_bytes()]
    async with SandboxAgent.start(provider(**image.options)) as client:
        (box,) = daytona.boxes.values()
        assert (box.machine.home / "work.txt").read_text() == "done so far"
        assert (await client.health()).status == "ok"
