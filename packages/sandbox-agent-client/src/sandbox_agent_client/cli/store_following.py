"""`sandbox-agent store follow`: sessions of servers and sandboxes on their way into a store, whoever works with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text
from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.spi.persistence import TranscriptStore
from sandbox_agent_core.spi.provider import Endpoint, SandboxProvider
from sandbox_agent_core.stores.opening import open_store, shown_store

from sandbox_agent_client._async._backend import AwaitableContext
from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import ExitCode, finish, of_error
from sandbox_agent_client.cli.local_sessions import local_store
from sandbox_agent_client.cli.opening import leaving_on_signals
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, Store, TokenEnv, Url
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.provider_options import (
    Options,
    Provider,
    SandboxName,
    chosen_providers,
)
from sandbox_agent_client.cli.target import running_servers
from sandbox_agent_client.errors import SandboxAgentError, SandboxAsleep, SandboxNotFound
from sandbox_agent_client.sandboxes.inventory import Item, name_of, take_inventory

__all__ = ["add_follow_command"]

LOOK_S: Final = 30.0
"""How often it is looked for sandboxes that are new, or awake again."""


def add_follow_command(app: Commands) -> None:
    app.command("follow")(_follow)


def _follow(
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    sandbox: SandboxName = None,
    provider: Provider = None,
    option: Options = None,
    store: Store = None,
    once: Annotated[bool, typer.Option("--once", help="Copy what is there, and leave.")] = False,
) -> None:
    """Copy all sessions of a server, or of all that run and of all sandboxes, into a store, live, until Ctrl-C.

    Whoever works with them, and also sessions and sandboxes that come meanwhile. Nothing is woken or kept alive for it.
    """
    if url is not None and sandbox is not None:
        raise typer.BadParameter("give either --url or --sandbox")
    servers = running_servers(url, token_env) if sandbox is None and provider is None else {}
    providers = [] if url is not None else chosen_providers(provider, option)
    looking = _Looking(servers, providers, sandbox)
    finish(_follow_all(looking, store, is_live=not once))


async def _follow_all(looking: _Looking, store: str | None, *, is_live: bool) -> ExitCode:
    opened = local_store() if store is None else open_store(store)
    shown = shown_store(store) if store is not None else "the store of `run` and `chat`"
    try:
        await opened.list_sessions(limit=1)
        with leaving_on_signals(), _View(shown, is_live=is_live) as view:
            return await _Following(opened, looking, view, is_live=is_live).run()
    finally:
        await opened.close()


@dataclass(frozen=True, slots=True)
class _Place:
    """A server to be followed, by a name for people."""

    name: str
    endpoint: Endpoint | None = None
    item: Item | None = None
    """Of a sandbox."""

    @property
    def is_asleep(self) -> bool:
        return self.item is not None and self.item.info.state in ("paused", "stopped")

    def client(self, store: TranscriptStore) -> AwaitableContext[SandboxAgent]:
        if self.endpoint is not None:
            return SandboxAgent.connect(
                self.endpoint.url,
                token=self.endpoint.token,
                persistence=store,
                reconnect_timeout=None,
            )
        assert self.item is not None
        return SandboxAgent.start(
            self.item.provider,
            ref=self.item.info.ref,
            wake="never",
            idle_timeout=0,
            persistence=store,
            reconnect_timeout=None,
        )


class _Looking:
    """What there is to follow."""

    def __init__(
        self,
        servers: Mapping[str, Endpoint],
        providers: Sequence[SandboxProvider],
        sandbox: str | None,
    ) -> None:
        self._servers = [_Place(name, endpoint=endpoint) for name, endpoint in servers.items()]
        self._providers = providers
        self._sandbox = sandbox
        self.finds_more = bool(providers) and sandbox is None

    async def places(self, problem: Callable[[str, SandboxAgentError], None]) -> list[_Place]:
        """Raises: SandboxNotFound: there is no such `sandbox`."""
        if not self._providers:
            return self._servers
        inventory = await take_inventory(self._providers)
        for name, exc in inventory.problems.items():
            problem(name, exc)
        items = inventory.items if self._sandbox is None else [inventory.find(self._sandbox)]
        return [*self._servers, *(_Place(_name(item), item=item) for item in items)]


class _Following:
    def __init__(
        self, store: TranscriptStore, looking: _Looking, view: _View, *, is_live: bool
    ) -> None:
        self._store = store
        self._looking = looking
        self._view = view
        self._is_live = is_live
        self._followed: set[str] = set()
        self._code = ExitCode.OK

    async def run(self) -> ExitCode:
        """The status of the last that failed.

        Raises: SandboxNotFound: there is no such sandbox.
        """
        places = await self._looking.places(self._view.problem)
        if not places:
            self._view.say("there is no server and no sandbox yet")
        async with asyncio.TaskGroup() as tasks:
            while True:
                for place in places:
                    if place.is_asleep:
                        self._view.asleep(place.name)
                    elif place.name not in self._followed:
                        self._followed.add(place.name)
                        tasks.create_task(self._follow(place), name=f"follow {place.name}")
                if not (self._is_live and self._looking.finds_more):
                    break
                await asyncio.sleep(LOOK_S)
                places = await self._looking.places(self._view.problem)
        return self._code

    async def _follow(self, place: _Place) -> None:
        view = self._view
        try:
            async with place.client(self._store) as client:
                view.begins(place.name)
                await client.store_sessions(
                    live=self._is_live, on_stored=partial(view.stored, place.name)
                )
        except SandboxAsleep:
            view.asleep(place.name)
        except SandboxNotFound:
            view.say_once(place.name, "is gone")
        except SandboxAgentError as exc:
            view.problem(place.name, exc)
            self._code = of_error(exc)
        finally:
            view.ends(place.name)
            # It may be there again when it is looked the next time.
            self._followed.discard(place.name)


class _View:
    """A line that changes, on a terminal; everywhere a line for what is new, and one at the end."""

    def __init__(self, store: str, *, is_live: bool) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("")
        self._store = store
        self._is_live = is_live
        self._open: set[str] = set()
        self._sessions: set[tuple[str, str]] = set()
        self._entries = 0
        self._said: dict[str, str] = {}

    def __enter__(self) -> _View:
        if self._is_live:
            self.say(f"following into {self._store}, Ctrl-C leaves")
        self._status.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._status.stop()
        self.say(f"stored {self._total()}")

    def say(self, text: str) -> None:
        self._console.print(Text(plain(text), "dim"), soft_wrap=True)

    def say_once(self, name: str, text: str) -> None:
        """Until something else is to be said of it."""
        if self._said.get(name) != text:
            self._said[name] = text
            self.say(f"{name} {text}")

    def asleep(self, name: str) -> None:
        self.say_once(name, "is asleep, and not woken")

    def problem(self, name: str, exc: SandboxAgentError) -> None:
        self.say_once(name, f"is not followed: {exc.message}")

    def begins(self, name: str) -> None:
        self._said.pop(name, None)
        self._open.add(name)
        self.say(f"{name} is followed" if self._is_live else f"{name} is copied")
        self._update()

    def ends(self, name: str) -> None:
        self._open.discard(name)
        self._update()

    def stored(self, name: str, session: SessionInfo, entries: int) -> None:
        if (name, session.id) not in self._sessions:
            self._sessions.add((name, session.id))
            self.say(f"session {session.id} ({session.agent}) of {name}")
        self._entries += entries
        self._update()

    def _update(self) -> None:
        servers = f"{len(self._open)} server{'s' * (len(self._open) != 1)}"
        self._status.update(Text(f"{servers}, {self._total()} stored", "dim"))

    def _total(self) -> str:
        count = len(self._sessions)
        if not count:
            return "nothing new"
        return f"{self._entries} entries of {count} session{'s' * (count != 1)}"


def _name(item: Item) -> str:
    ref = item.info.ref
    return f"{ref.provider} {name_of(ref) or ref.id}"
