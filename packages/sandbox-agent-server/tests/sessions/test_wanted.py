"""What only some agents can do, and a session was created with: given to the agent, or refused before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from house import House
from sandbox_agent_core.errors import InvalidRequest, OperationNotSupported
from sandbox_agent_core.frames import acp
from support.scripted_adapter import says


def announces(**capabilities: Any) -> Any:
    return says({"protocolVersion": 1, "agentCapabilities": capabilities})


def opened_with(house: House) -> dict[str, Any]:
    frames = [frame for frame in house.agent.sent if frame.get("method") == acp.SESSION_NEW]
    params: dict[str, Any] = frames[-1]["params"]
    return params


async def test_additional_directories_reach_an_agent_that_takes_some(
    house: House, tmp_path: Path
) -> None:
    house.answers[acp.INITIALIZE] = announces(sessionCapabilities={"additionalDirectories": {}})
    more = tmp_path / "more"
    more.mkdir()
    info = await house.create(additional_directories=[str(more), f"{more}/"])

    assert opened_with(house)["additionalDirectories"] == [str(more)]
    assert info.additional_directories == [str(more)]
    assert house.entries()[0].payload["params"]["additionalDirectories"] == [str(more)]


async def test_a_session_without_any_says_nothing_of_them(house: House) -> None:
    house.answers[acp.INITIALIZE] = announces(sessionCapabilities={"additionalDirectories": {}})
    await house.create()

    assert "additionalDirectories" not in opened_with(house)


async def test_an_agent_that_takes_none_is_not_given_a_session_with_some(
    house: House, tmp_path: Path
) -> None:
    with pytest.raises(OperationNotSupported) as refusal:
        await house.create(additional_directories=[str(tmp_path)])

    assert refusal.value.details == {"agent": "acme", "operation": "additionalDirectories"}
    assert acp.SESSION_NEW not in house.agent.methods
    assert house.manager.reader.list(cursor=None, limit=10).sessions == []


async def test_one_that_is_told_at_launch_need_announce_nothing(
    house: House, tmp_path: Path
) -> None:
    house.acme.directories_at_launch = True
    await house.restart()
    await house.create(additional_directories=[str(tmp_path)])

    assert list(house.acme.contexts[-1].additional_directories) == [tmp_path]
    assert "additionalDirectories" not in opened_with(house)


@pytest.mark.parametrize("path", ["here", "/no/such/directory", "", "/etc/hostname", "/a\0b"])
async def test_what_is_no_directory_is_refused_before_an_agent_is_started(
    house: House, path: str
) -> None:
    with pytest.raises(InvalidRequest, match="additionalDirectories"):
        await house.create(additional_directories=[path])
    assert not house.acme.made
