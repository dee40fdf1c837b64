"""Which servers the hub reaches, by which names, and when one is woken."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_client.inspector_hub import servers as hub_servers
from sandbox_agent_client.inspector_hub.servers import HubServers
from sandbox_agent_client.sandboxes.inventory import Inventory, Item
from sandbox_agent_core.errors import SandboxAsleep, SandboxNotFound
from sandbox_agent_core.spi.provider import Endpoint, SandboxInfo, SandboxRef


class Provider:
    name = "boxes"

    def __init__(self) -> None:
        self.asleep: set[str] = set()
        self.asked: list[str] = []
        self.woken: list[str] = []

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        self.asked.append(ref.id)
        if ref.id in self.asleep:
            raise SandboxAsleep("It sleeps.", state="paused")
        return Endpoint(url=f"http://{ref.id}.example", token="t")

    async def pause(self, ref: SandboxRef) -> None:
        self.asleep.add(ref.id)

    async def resume(self, ref: SandboxRef) -> None:
        self.woken.append(ref.id)
        self.asleep.discard(ref.id)

    async def create(self, spec: Any) -> Any: ...
    async def destroy(self, ref: SandboxRef) -> None: ...


def reaching(provider: Provider, *boxes: tuple[str, str], **fixed: Endpoint) -> HubServers:
    async def inventory() -> Inventory:
        infos = [
            SandboxInfo(
                ref=SandboxRef(provider="boxes", id=id, metadata={"name": name} if name else {}),
                state="paused" if id in provider.asleep else "running",
            )
            for id, name in boxes
        ]
        return Inventory([Item(provider, info) for info in infos])  # type: ignore[arg-type]

    return HubServers(fixed, inventory)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    async def at_once(_endpoint: Endpoint, *, timeout_s: float) -> None: ...

    monkeypatch.setattr(hub_servers, "wait_healthy", at_once)
    return Provider()


async def test_each_has_a_name_of_its_own(provider: Provider) -> None:
    servers = reaching(
        provider, ("a1", "work"), ("b2", "work"), ("c3", ""), here=Endpoint(url="http://h.example")
    )
    assert [one.name for one in await servers.list()] == ["here", "work", "b2", "c3"]
    assert (await servers.endpoint("b2", wakes=False)).url == "http://b2.example"
    assert (await servers.endpoint("here", wakes=False)).url == "http://h.example"
    with pytest.raises(SandboxNotFound):
        await servers.endpoint("a1", wakes=True)


async def test_listing_wakes_nothing_and_asks_nobody(provider: Provider) -> None:
    provider.asleep.add("a1")
    servers = reaching(provider, ("a1", ""))
    assert [one.state for one in await servers.list()] == ["paused"]
    assert (provider.asked, provider.woken) == ([], [])


async def test_one_that_sleeps_is_woken_when_it_is_asked_for(provider: Provider) -> None:
    provider.asleep.add("a1")
    servers = reaching(provider, ("a1", ""))
    with pytest.raises(SandboxAsleep):
        await servers.endpoint("a1", wakes=False)
    assert provider.woken == []
    assert (await servers.endpoint("a1", wakes=True)).url == "http://a1.example"
    assert provider.woken == ["a1"]


async def test_where_it_is_is_remembered_until_nothing_answers_there(provider: Provider) -> None:
    servers = reaching(provider, ("a1", ""))
    first = await servers.endpoint("a1", wakes=True)
    assert await servers.endpoint("a1", wakes=True) is first
    servers.forget("a1", first)
    await servers.endpoint("a1", wakes=True)
    assert provider.asked == ["a1", "a1"]
