"""Removing many sandboxes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sandbox_agent_client.errors import ProviderUnavailable, SandboxAgentError
from sandbox_agent_client.sandboxes.inventory import MAX_PARALLEL_DESTROYS, Item, destroy_all
from sandbox_agent_core.spi.provider import (
    Endpoint,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
)

MANY = 100


@dataclass
class Slow:
    """It removes what it is told to a little later, but for one."""

    name: str = "slow"
    at_work: int = 0
    most: int = 0
    gone: set[str] = field(default_factory=set)

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        raise AssertionError("nobody asks for one")

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        raise AssertionError("nobody goes there")

    async def destroy(self, ref: SandboxRef) -> None:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        await asyncio.sleep(0)
        self.at_work -= 1
        if ref.id == "3":
            raise ProviderUnavailable("It does not answer.")
        self.gone.add(ref.id)


async def test_only_so_many_go_at_once_and_one_that_stays_keeps_no_other() -> None:
    provider = Slow()
    refs = [SandboxRef(provider="slow", id=str(number)) for number in range(MANY)]
    items = [Item(provider, SandboxInfo(ref=ref, state="running")) for ref in refs]
    outcomes: dict[str, SandboxAgentError | None] = {}

    def told(item: Item, problem: SandboxAgentError | None) -> None:
        outcomes[item.info.ref.id] = problem

    await destroy_all(items, told=told)
    assert provider.most == MAX_PARALLEL_DESTROYS
    assert provider.gone == {ref.id for ref in refs} - {"3"}
    assert [id for id, problem in outcomes.items() if problem] == ["3"]
    assert len(outcomes) == MANY
