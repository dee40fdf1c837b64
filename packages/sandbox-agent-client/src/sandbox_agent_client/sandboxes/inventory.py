"""The sandboxes of ours that exist, over providers; which of them nobody misses, and how many go at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox_agent_core.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderNotInstalled,
    SandboxAgentError,
    SandboxNotFound,
)
from sandbox_agent_core.spi.labels import KEPT, created_at
from sandbox_agent_core.spi.provider import SandboxInfo, SandboxProvider, SandboxRef, SupportsList

__all__ = [
    "Inventory",
    "Item",
    "age_of",
    "destroy_all",
    "is_orphan",
    "name_of",
    "take_inventory",
]

MIN_PREFIX = 3
"""Characters of an id that stand for it."""
LIST_TIMEOUT_S = 60.0
"""For one provider; they are asked at the same time."""
MAX_PARALLEL_DESTROYS = 16
"""More wait for their turn: there may be thousands, and vendors refuse who asks too much at once."""


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
        """By its id, by its name where the provider gives names, or by the beginning of its id.

        Raises:
            SandboxNotFound: there is none. ProviderError: it could be several.
        """
        for fits in (_is, _is_named, _begins):
            found = [item for item in self.items if fits(item.info.ref, id)]
            if len(found) == 1:
                return found[0]
            if found:
                names = ", ".join(f"{one.provider.name} {one.info.ref.id}" for one in found)
                raise ProviderError(f"Several sandboxes go by {id!r}: {names}. Name one.")
        unasked = f" ({', '.join(self.problems)} could not be asked)" if self.problems else ""
        raise SandboxNotFound(f"There is no sandbox {id!r} of ours{unasked}.")


def name_of(ref: SandboxRef) -> str:
    """What the provider calls it for people, if it does."""
    name = ref.metadata.get("name")
    return name if isinstance(name, str) else ""


async def take_inventory(
    providers: Iterable[SandboxProvider], *, environ: Mapping[str, str] = os.environ
) -> Inventory:
    """What every provider that can list its sandboxes lists.

    One that nobody has set up is not missed: it has no credentials, or nothing is there (no socket of Docker), and no
    variable such as `E2B_API_KEY` or `DOCKER_HOST` says that something should be.
    """
    inventory = Inventory()
    able = [p for p in providers if isinstance(p, SupportsList)]
    answers = await asyncio.gather(*map(_listed, able))
    for provider, answer in zip(able, answers, strict=True):
        if isinstance(answer, SandboxAgentError):
            if _is_missed(provider.name, answer, environ):
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


async def destroy_all(
    items: Iterable[Item], *, told: Callable[[Item, SandboxAgentError | None], None]
) -> None:
    """Remove sandboxes, several at a time. One that cannot be removed keeps none of the others.

    Args:
        told: Of each, as soon as it is gone, or why it cannot be removed.
    """
    waiting = iter(items)

    async def destroy_next_ones() -> None:
        for item in waiting:
            try:
                await item.provider.destroy(item.info.ref)
            except SandboxAgentError as exc:
                told(item, exc)
            else:
                told(item, None)

    async with asyncio.TaskGroup() as group:
        for _ in range(MAX_PARALLEL_DESTROYS):
            group.create_task(destroy_next_ones())


async def _listed(provider: SupportsList) -> Sequence[SandboxInfo] | SandboxAgentError:
    try:
        async with asyncio.timeout(LIST_TIMEOUT_S):
            return await provider.list()
    except TimeoutError:
        return ProviderError(f"No answer within {LIST_TIMEOUT_S:g} s.", provider=provider.name)
    except SandboxAgentError as exc:
        return exc


def _is_missed(provider: str, problem: SandboxAgentError, environ: Mapping[str, str]) -> bool:
    is_absent = isinstance(problem, (ProviderAuthError, ProviderNotInstalled)) or any(
        isinstance(reason, FileNotFoundError) for reason in _reasons(problem)
    )
    if not is_absent:
        return True
    prefix = f"{provider.upper().replace('-', '_')}_"
    return any(name.startswith(prefix) for name in environ)


def _reasons(problem: BaseException) -> Iterator[BaseException]:
    reason: BaseException | None = problem
    while reason is not None:
        yield reason
        reason = reason.__cause__ or reason.__context__


def _is(ref: SandboxRef, name: str) -> bool:
    return ref.id == name


def _is_named(ref: SandboxRef, name: str) -> bool:
    return name_of(ref) == name


def _begins(ref: SandboxRef, name: str) -> bool:
    return len(name) >= MIN_PREFIX and ref.id.startswith(name)
