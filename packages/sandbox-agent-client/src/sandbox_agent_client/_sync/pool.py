# Generated from `_async/pool.py` by `scripts/unasync.py`: do not edit.
"""Sandboxes that are ready before they are wanted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox_agent_core.errors import CallbackError, InvalidRequest, SandboxAgentError
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.spi.persistence import TranscriptStore
from sandbox_agent_core.spi.provider import SandboxProvider, SupportsPause, require

from sandbox_agent_client._callbacks import check_callback
from sandbox_agent_client._resume import RECONNECT_TIMEOUT_S
from sandbox_agent_client._stream_choice import TransportKind
from sandbox_agent_client._sync._backend import (
    CALLBACKS_MAY_BE_ASYNC,
    Portal,
    finish,
    from_portal,
    is_end_of_task,
    open_now,
    settle,
)
from sandbox_agent_client._sync.client import LOCAL, ClientOptions, SandboxAgentSync, store_of
from sandbox_agent_client._sync.keepalive import IDLE_TIMEOUT_S, OnIdle
from sandbox_agent_client._sync.transport import DEFAULT_TIMEOUT_S
from sandbox_agent_client._sync.whereabouts import Wake
from sandbox_agent_client.sandboxes.launch import HEALTH_TIMEOUT_S, StartOptions, check_options
from sandbox_agent_client.sandboxes.plugins import find_provider
from sandbox_agent_client.sandboxes.pool import (
    MAX_AGE_S,
    MAX_STARTING,
    Pool,
    PoolLimits,
    PoolStatus,
)
from sandbox_agent_client.sandboxes.sandbox import Launched
from sandbox_agent_client.sandboxes.warming import Warming
from sandbox_agent_client.workspace import Workspace

__all__ = ["SandboxPoolSync"]

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 300.0
NOT_OF_A_POOL = {
    "ref": "a pool makes its sandboxes",
    "keep": "a sandbox of a pool is destroyed when it is given back",
}


class SandboxPoolSync:
    """Keeps `size` sandboxes warm, made and with a server that answers, so that a session need not wait for one.

        with SandboxPoolSync("docker", size=4, agents=["claude"]) as pool:
            with pool.acquire() as client:
                session = client.create_session("claude", env={"ANTHROPIC_API_KEY": key})

    A sandbox that was used is not clean: it is destroyed when its client's block is left, never handed out twice, and
    another one is made in the background. Whoever asks first gets one first. When none is warm, further ones are
    made, up to `max_size` at all; beyond that `acquire` waits until one is given back.

    Before it is handed out a sandbox has to answer; one that does not is replaced, and so is one that is older than
    `max_age`. While the provider fails it is tried again, after ever longer pauses, and `acquire` raises what the
    provider said.
    """

    def __init__(
        self,
        sandbox: str | SandboxProvider | None = None,
        *,
        size: int,
        max_size: int | None = None,
        max_age: float | None = MAX_AGE_S,
        max_starting: int = MAX_STARTING,
        expected: int | None = None,
        name: str | None = None,
        prepare: Callable[[SandboxAgentSync], object] | None = None,
        paused: bool = False,
        env: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        agents: Sequence[str] = (),
        wheelhouse: str | PathLike[str] | None = None,
        inspector: bool = True,
        workspace: Workspace | None = None,
        idle_timeout: float | None = IDLE_TIMEOUT_S,
        on_idle: OnIdle = "lapse",
        wake: Wake = "auto",
        report: Callable[[str], Any] | None = None,
        persistence: TranscriptStore | str | PathLike[str] | None = None,
        transport: TransportKind = "auto",
        timeout: float = DEFAULT_TIMEOUT_S,
        reconnect_timeout: float | None = RECONNECT_TIMEOUT_S,
        health_timeout: float = HEALTH_TIMEOUT_S,
        **options: Any,
    ) -> None:
        """Makes nothing yet: entering its block does, and does not wait for it (`wait_warm` does).

        `size`: how many are warm, beside those in use. `max_size`: how many there may be at all, those in use
        among them; default: ten more than `size`. `max_age`: seconds until a warm one is replaced (None: never).
        `max_starting`: how many are made at the same time. `expected`: how many will be asked for in all, where that
        is known: towards the end no more are made than are still to come, and whoever asks later gets one that is made
        for it. `name` is on each as the label `sandbox-agent-pool`.

        `prepare` is called once with a client of each sandbox, while it is made: to install, to clone, to warm a
        cache. One for which it raises is destroyed. `paused`: the warm ones sleep, where the provider can pause,
        which costs less; `acquire` then takes as long as waking one.

        All other keywords are those of `SandboxAgentSync.start`, and hold for every sandbox. What is of one user alone,
        such as keys, cannot be among them, since a warm sandbox runs before its user is known: it is given to
        `client.create_session(env=…)`.

        Raises:
            InvalidRequest: a keyword is wrong, or none of a pool (`ref`, `keep`).
            ProviderNotInstalled: there is no such provider here.
            CapabilityNotSupported: it has no pause, and `paused` or `on_idle="pause"` wants one.
        """
        for given in NOT_OF_A_POOL.keys() & options:
            raise InvalidRequest(f"A pool has no `{given}`: {NOT_OF_A_POOL[given]}.")
        if report is not None:
            check_callback(report, "report", argument="the step", may_be_async=False)
        if prepare is not None:
            check_callback(
                prepare, "prepare", argument="the client", may_be_async=CALLBACKS_MAY_BE_ASYNC
            )
        provider = find_provider(sandbox if sandbox is not None else LOCAL, options)
        if paused or on_idle == "pause":
            require(provider, SupportsPause)
        if workspace is not None and provider.name == LOCAL:
            raise InvalidRequest(
                "The sandboxes of a local pool share the files of this machine, so they cannot have a `workspace` each."
            )
        if name is not None and not (name.isprintable() and name):
            raise InvalidRequest(f"`name` is a word or two, not {name!r}.")
        limits = PoolLimits(
            size=size,
            max_size=max_size,
            max_age_s=max_age,
            max_starting=max_starting,
            expected=expected,
        )
        self._name = name if name is not None else new_id("pool")
        wanted = StartOptions(
            sandbox=provider,
            env=env or {},
            labels=labels or {},
            agents=agents,
            wheelhouse=Path(wheelhouse) if wheelhouse is not None else None,
            inspector=inspector,
            health_timeout_s=health_timeout,
            pool=self._name,
        )
        check_options(wanted)
        store = store_of(persistence)
        self._store_to_close = store if store is not persistence else None
        self._client_options = ClientOptions(
            idle_timeout_s=idle_timeout,
            on_idle=on_idle,
            wake=wake,
            report=report,
            store=store,
            transport=transport,
            timeout_s=timeout,
            reconnect_timeout_s=reconnect_timeout,
        )
        self._workspace = workspace
        self._prepare = prepare
        self._portal = Portal()
        source = Warming(
            wanted,
            provider=provider,
            prepare=lambda launched: from_portal(lambda: self._prepared(launched)),
            paused=paused,
            report=report,
        )
        self._pool = Pool(source, name=self._name, limits=limits)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    def __enter__(self) -> Self:
        self._portal.run(self._pool.open)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        return self._name

    def status(self) -> PoolStatus:
        """What there is just now, and why not more."""
        return self._pool.status

    def wait_warm(self) -> None:
        """Until `size` sandboxes are warm, or all that are still `expected`.

        Raises:
            PoolClosed: the pool is closed.
            SandboxAgentError: one could not be made, as `acquire` raises it.
        """
        self._pool.check_open()  # before the portal: one that is closed would begin again
        self._portal.run(self._pool.filled)

    def acquire(self, *, timeout: float | None = None) -> SandboxAgentSync:
        """A client of a sandbox that nobody has had before. Leaving its block, or `destroy_sandbox()`, destroys the
        sandbox; `close()` alone does not give it back.

        `timeout`: seconds to wait for one; None: as long as it takes. Who gives up waiting (also by being
        cancelled) takes nothing from those behind.

        Raises:
            PoolExhausted: none in time: `max_size` are in use, or making one takes longer.
            PoolClosed: the pool is not open, or was closed meanwhile.
            SandboxAgentError: what `SandboxAgentSync.start` raises, after three attempts in a row that failed, or the
                first that need not be repeated. `CallbackError`: `prepare` raised.
        """

        def open() -> SandboxAgentSync:
            self._pool.check_open()
            warm = self._portal.run(lambda: self._pool.acquire(timeout_s=timeout))
            warm.launched.remove = lambda: self._pool.release(warm)
            client = self._client(warm.launched)
            client.workspace = warm.workspace
            logger.info("pool %s: %r is handed out", self._name, warm)
            return client

        return open_now(open)

    def close(self) -> None:
        """Destroy what is warm or being made. Who waits gets `PoolClosed`; what is in use stays until its block is
        left."""
        finish(lambda: self._portal.run(self._pool.close), timeout_s=CLOSE_TIMEOUT_S)
        self._let_go()

    # -- inside

    def _client(self, launched: Launched) -> SandboxAgentSync:
        portal = self._portal.lent(self._let_go)
        return SandboxAgentSync._of(launched, portal, self._client_options, keep=False)

    def _let_go(self) -> None:
        """Of what is shared by all clients, when the last of them has gone."""
        if self._pool.is_over:
            if self._store_to_close is not None:
                self._portal.run(self._store_to_close.close)
            self._portal.close()

    def _prepared(self, launched: Launched) -> str | None:
        if self._workspace is None and self._prepare is None:
            return None
        client = self._client(launched)
        try:
            if self._workspace is not None:
                client._prepare(self._workspace, self._client_options.report, time.monotonic())
            if self._prepare is not None:
                self._call_back(self._prepare, client)
            return client.workspace
        finally:
            client.close()

    def _call_back(
        self, prepare: Callable[[SandboxAgentSync], object], client: SandboxAgentSync
    ) -> None:
        try:
            settle(prepare(client))
        except SandboxAgentError:
            raise
        except BaseException as exc:
            if is_end_of_task(exc):
                raise
            raise CallbackError(f"`prepare` raised {exc!r}.") from exc
