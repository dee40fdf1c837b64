"""What the server tells of its agents, and what they themselves say when they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sandbox_agent_core.errors import AgentNotInstalled, UnsupportedAgent
from sandbox_agent_server.agents.runner import probe
from sandbox_agent_server.agents.runner.inventory import AgentInventory
from support.scripted_adapter import ScriptedAdapter, fails, silence

MODES = {"currentModeId": "careful", "availableModes": [{"id": "careful"}, {"id": "wild"}]}
LEVEL = {
    "id": "effort", "category": "thought_level", "currentValue": "low",
    "options": [{"value": "low", "name": "Low"}],
}  # fmt: skip


def talkative() -> ScriptedAdapter:
    hello = {"agentInfo": {"name": "acme"}, "agentCapabilities": {"loadSession": True}}
    session = {"sessionId": "s", "modes": MODES, "configOptions": [LEVEL]}
    return ScriptedAdapter({"initialize": hello, "session/new": session})


@pytest.fixture
def inventory(acme: Any) -> AgentInventory:
    acme.make = talkative
    return inventory_of(acme)


def inventory_of(
    acme: Any, timeout_s: float = 5, on_process: Callable[[int], None] = lambda _pid: None
) -> AgentInventory:
    factory = acme.factory()
    asked = probe.AgentProbe(
        factory, timeout_s=timeout_s, client_version="1", on_process=on_process
    )
    return AgentInventory(factory, asked)


async def test_all_agents_are_told_of_and_none_is_started(
    inventory: AgentInventory, acme: Any
) -> None:
    told = {info.id: info for info in (await inventory.list()).agents}

    assert told["mock"].installed
    assert told["acme"].path == str(acme.program)
    assert told["acme"].config is None
    assert acme.made == []


async def test_one_that_is_asked_says_what_it_offers(inventory: AgentInventory, acme: Any) -> None:
    config = (await inventory.info("acme", config=True)).config

    assert config is not None
    assert config.agent_info == {"name": "acme"}
    assert config.capabilities == {"loadSession": True}
    assert (config.mode, config.thought_level) == ("careful", "low")
    assert [mode["id"] for mode in config.modes] == ["careful", "wild"]
    assert config.thought_levels == [{"id": "low", "name": "Low"}]
    assert acme.made[0].is_closed
    assert not acme.contexts[0].cwd.exists()


async def test_an_answer_is_remembered_until_the_program_changes(
    inventory: AgentInventory, acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        await inventory.info("acme", config=True)
    assert len(acme.made) == 1

    await inventory.info("acme", config=True, fresh=True)
    assert len(acme.made) == 2
    acme.program.write_text("new", encoding="utf-8")
    await inventory.info("acme", config=True)
    assert len(acme.made) == 3
    monkeypatch.setattr(probe, "CACHE_S", 0.0)
    await inventory.info("acme", config=True, fresh=True)
    await inventory.info("acme", config=True)
    assert len(acme.made) == 5


async def test_those_who_ask_at_once_share_an_answer(inventory: AgentInventory, acme: Any) -> None:
    infos = await asyncio.gather(*(inventory.info("acme", config=True) for _ in range(5)))

    assert len(acme.made) == 1
    assert all(info.config == infos[0].config for info in infos)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: ScriptedAdapter({"session/new": fails("broken")}), "agent_error"),
        (lambda: ScriptedAdapter({"session/new": silence}), "timeout"),
        (lambda: ScriptedAdapter(start_error=AgentNotInstalled("gone")), "agent_not_installed"),
    ],
)
async def test_one_that_does_not_answer_says_why_and_is_asked_again(
    acme: Any, make: Callable[[], ScriptedAdapter], code: str
) -> None:
    inventory = inventory_of(acme, timeout_s=0.05)
    acme.make = make

    info = await inventory.info("acme", config=True)

    assert info.config is None
    assert info.config_error is not None
    assert info.config_error["type"].endswith(f":{code}")
    assert acme.made[0].is_closed
    acme.make = talkative
    assert (await inventory.info("acme", config=True)).config is not None


async def test_a_process_that_is_asked_is_known_to_somebody(acme: Any) -> None:
    pids: list[int] = []
    acme.make = talkative

    await inventory_of(acme, on_process=pids.append).info("acme", config=True)

    assert pids == [1001]


async def test_one_that_is_not_installed_is_not_asked(acme: Any, inventory: AgentInventory) -> None:
    acme.program.unlink()

    info = await inventory.info("acme", config=True)

    assert (info.installed, info.config, info.config_error) == (False, None, None)
    with pytest.raises(UnsupportedAgent):
        inventory.check("acmee")


async def test_the_mock_agent_itself_says_what_it_offers(acme: Any) -> None:
    info = await inventory_of(acme).info("mock", config=True)

    assert info.config is not None
    assert info.config.modes
