"""The sandboxes of ours that exist, over providers; and which of them nobody misses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox_agent_core.errors import ProviderError, SandboxAgentError, SandboxNotFound
from sandbox_agent_core.spi.labels import KEPT, created_at
from sandbox_agent_core.spi.provider import SandboxInfo, SandboxProvider, SupportsList

__all__ = ["Inventory", "Item", "age_of", "is_orphan", "take_inventory"]

LIST_TIMEOUT_S = 60.0
"""For one provider; they are asked at the same time."""


@dataclass(frozen=True, slots=True)
class Item:
    provider: SandboxProvider
    info: SandboxInfo


@dataclass(frozen=True, slots=True)
class Inventory:
    items: list[Item] = field(default_factory=list)
    problems: dict[str, SandboxAgentError] = field(default_factory=dict)
    """By provider: those that could not be asked."""

    def find(self, id: str) -> Item:
        """Raises: SandboxNotFound; ProviderError when several providers have one of that id."""
        found = [item for item in self.items if item.info.ref.id == id]
        if not found:
            unasked = f" ({', '.join(self.problems)} could not be asked)" if self.problems else ""
            raise SandboxNotFound(f"There is no sandbox {id!r} of ours{unasked}.")
        if len(found) > 1:
            names = ", ".join(item.provider.name for item in found)
            raise ProviderError(f"Several providers have a sandbox {id!r}: {names}. Name one.")
        return found[0]


async def take_inventory(providers: Iterable[SandboxProvider]) -> Inventory:
    """What every provider that can list its sandboxes lists."""
    inventory = Inventory()
    able = [p for p in providers if isinstance(p, SupportsList)]
    answers = await asyncio.gather(*map(_listed, able))
    for provider, answer in zip(able, answers, strict=True):
        if isinstance(answer, SandboxAgentError):
            inventory.problems[provider.name] = answer
        else:
            inventory.items.extend(Item(provider, info) for info in answer)
    return inventory


def age_of(info: SandboxInfo, now: datetime) -> timedelta | None:
    """None when neither the provider nor the labels tell."""
    made = info.created_at or created_at(info.labels)
    return None if made is None else now - made


def is_orphan(
    info: SandboxInfo, *, now: datetime, older_than: timedelta, also_kept: bool = False
) -> bool:
    """Old, and not one that its maker wanted to stay. One of unknown age is none."""
    age = age_of(info, now)
    return age is not None and age >= older_than and (also_kept or not info.labels.get(KEPT))


async def _listed(provider: SupportsList) -> Sequence[SandboxInfo] | SandboxAgentError:
    try:
        async with asyncio.timeout(LIST_TIMEOUT_S):
            return await provider.list()
    except TimeoutError:
        return ProviderError(f"No answer within {LIST_TIMEOUT_S:g} s.", provider=provider.name)
    except SandboxAgentError as exc:
        return exc
