"""What providers of plain machines have in common: how a sandbox is made, found and removed is theirs, and what is
done in it is done through its `Machine`."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from inspect import signature
from typing import Any, ClassVar, Generic, TypeVar

from sandbox_agent_core.errors import ProviderError, ProviderNotInstalled, SandboxAgentError
from sandbox_agent_core.provisioning.agent_memory import memory_warning
from sandbox_agent_core.provisioning.calls import to_its_end
from sandbox_agent_core.provisioning.ladder import (
    ensure_running,
    provision,
    read_token,
    tail_log,
)
from sandbox_agent_core.provisioning.layout import ServerLayout
from sandbox_agent_core.provisioning.machine import Machine, find_home, read_file, read_memory_mb
from sandbox_agent_core.provisioning.sdk import check_sdk
from sandbox_agent_core.provisioning.server_source import no_server
from sandbox_agent_core.spi.options import check_create_options, check_environment
from sandbox_agent_core.spi.provider import (
    Check,
    Endpoint,
    PortUrl,
    Preflight,
    SandboxRef,
    SandboxSpec,
)

__all__ = ["READY_TIMEOUT_S", "SERVER_PORT", "MachineProvider", "removed_on_failure"]

logger = logging.getLogger(__name__)

SERVER_PORT = 2468
READY_TIMEOUT_S = 60.0
"""From the start of the server until it listens."""

S = TypeVar("S")
T = TypeVar("T")


class MachineProvider(ABC, Generic[S]):
    """`S` is a sandbox that runs, as the vendor's SDK has it.

    A reference has the server's port and the home directory in its metadata, so that a sandbox is found again
    by a provider with other options, and without a command to look for them.
    """

    name: str
    vendor: ClassVar[str]
    """Its name for people."""
    sdk: ClassVar[str]
    """The module that is missing when the SDK is."""
    sdk_tested: ClassVar[str | None] = None
    """The newest version of it that the provider's tests ran with, where somebody keeps track of that."""
    server_host: str = "0.0.0.0"  # noqa: S104 - the server asks for its token
    memory_remedy: ClassVar[str] = "a larger sandbox"
    """How its user gives a sandbox more memory, in a sentence that ends with it."""

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None,
        workdir: str | None,
        server_port: int,
        ready_timeout: float,
    ) -> None:
        self._env = check_environment(env or {})
        self._workdir = workdir
        self._port = server_port
        self._ready_timeout_s = ready_timeout

    # What each provider says

    @abstractmethod
    def _made(self, spec: SandboxSpec) -> AbstractAsyncContextManager[S]:
        """A new sandbox. When the block fails or is cancelled it is removed again."""

    @abstractmethod
    def _running(self, ref: SandboxRef) -> AbstractAsyncContextManager[S]:
        """One that exists.

        Raises:
            SandboxNotFound: it is gone.
            SandboxAsleep: it is paused or stopped (`details.state`).
            ProviderError: it does not run for another reason.
        """

    @abstractmethod
    def _machine(self, sandbox: S) -> Machine: ...

    @abstractmethod
    def _id(self, sandbox: S) -> str: ...

    @abstractmethod
    async def _reach(self, sandbox: S, port: int) -> Endpoint:
        """Where a port is reached from outside.

        Raises:
            ProviderError: it is not; the message says how to open it.
        """

    async def _ends_at(self, sandbox: S, ref: SandboxRef) -> datetime | None:
        """When the vendor ends it by itself; None when it does not, or nobody can know."""
        del sandbox, ref
        return None

    async def _ask_account(self) -> None:
        """Raises: SandboxAgentError when the vendor does not take the credentials."""

    async def _memory_of(self, sandbox: S) -> float | None:
        """What a new sandbox has, asked when agents are named; None when nobody tells."""
        return await read_memory_mb(self._machine(sandbox))

    async def _may_have_server(self) -> bool:
        """Whether the image may have a server of its own: one that the caller named, whose contents nobody knows
        before it runs."""
        return False

    def _token_of(self, sandbox: S) -> str | None:
        """What `_made` has put into the environment of the machine, together with `env`; None: both come to it as files."""
        del sandbox
        return None

    def _default_workdir(self, sandbox: S, home: str) -> str:
        """Where sessions start."""
        del sandbox
        return home

    # What follows from it

    def _checked(
        self,
        create_options: Mapping[str, Any] | None,
        takes: Callable[[], Collection[str]],
        *,
        of: str,
    ) -> dict[str, Any]:
        """Arguments for the call `of` the vendor's SDK, which takes what `takes` finds out when there are any.

        Raises:
            InvalidRequest: it does not take one of them.
        """
        given = dict(create_options or {})
        try:
            if given:
                check_create_options(given, takes(), of=of, ours=signature(type(self)).parameters)
        except ImportError:
            pass  # preflight says that the SDK is missing
        return given

    async def preflight(self) -> Preflight:
        sdk = self._check_sdk()
        if not sdk.ok:
            return Preflight([sdk])
        try:
            await self._ask_account()
        except SandboxAgentError as exc:
            kind = type(exc) if isinstance(exc, ProviderError) else ProviderError
            return Preflight(
                [sdk, Check(name="account", ok=False, message=exc.message, error=kind)]
            )
        message = f"{self.vendor} takes the credentials"
        return Preflight([sdk, Check(name="account", ok=True, message=message)])

    def _check_sdk(self) -> Check:
        package = f"sandbox-agent-{self.name}"
        return check_sdk(self.vendor, self.sdk, package=package, tested=self.sdk_tested)

    async def check_server(self, spec: SandboxSpec) -> Check:
        why = no_server(spec, {**self._env, **spec.env})
        if why is None:
            return Check(name="server", ok=True, message="brought along where the image has none")
        if await self._may_have_server():
            message = "not installed beside the client: the image must have it"
            return Check(name="server", ok=True, message=message)
        return Check(name="server", ok=False, message=why, error=ProviderNotInstalled)

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        """Raises:
        InvalidRequest: the vendor refuses an option.
        ProviderAuthError, ProviderQuotaExceeded, ProviderTimeout, ProviderUnavailable, ProviderError: it
            refuses to make one.
        ServerStartFailed: the server could not be installed or did not listen; `details.log` has its words.
        """
        async with self._made(spec) as sandbox:
            await self._warn_of_memory(sandbox, spec)
            machine = self._machine(sandbox)
            layout = await self._layout(machine, None)
            env = {**self._env, **spec.env}
            token = self._token_of(sandbox)
            await provision(
                machine,
                replace(spec, env=env),
                layout,
                port=self._port,
                host=self.server_host,
                cwd=self._workdir or self._default_workdir(sandbox, layout.home),
                env=env if token is None else {},
                token=token,
                ready_timeout_s=self._ready_timeout_s,
            )
            return self._ref(sandbox, home=layout.home)

    async def _warn_of_memory(self, sandbox: S, spec: SandboxSpec) -> None:
        if not spec.agents or (memory_mb := await self._memory_of(sandbox)) is None:
            return
        if warning := memory_warning(spec.agents, memory_mb, remedy=self.memory_remedy):
            spec.report(warning)
            logger.warning("%s sandbox %s: %s", self.name, self._id(sandbox), warning)

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        """Raises:
        SandboxNotFound: it is gone.
        ProviderError: it does not run (`details.state`).
        """
        async with self._running(ref) as sandbox:
            token = await read_token(*await self._server(sandbox, ref))
            reached = await self._reach(sandbox, int(ref.metadata.get("port", self._port)))
            ends_at = await self._ends_at(sandbox, ref)
        return replace(reached, token=token, ends_at=ends_at)

    async def port_url(self, ref: SandboxRef, port: int) -> PortUrl:
        """Raises:
        SandboxNotFound: it is gone.
        PortNotOpen: the port is not open to the outside.
        ProviderError: it does not run.
        """
        async with self._running(ref) as sandbox:
            reached = await self._reach(sandbox, port)
        return PortUrl(url=reached.url, headers=reached.headers)

    async def ensure_server(self, ref: SandboxRef) -> None:
        async with self._running(ref) as sandbox:
            machine, layout = await self._server(sandbox, ref)
            await ensure_running(machine, layout, timeout_s=self._ready_timeout_s)

    async def _imaged(self, ref: SandboxRef, take: Callable[[S], Awaitable[T]]) -> T:
        """What `take` makes of a running sandbox, while its files do not hold what was given to it as `env`."""
        async with self._running(ref) as sandbox:
            machine, layout = await self._server(sandbox, ref)
            environment = await read_file(machine, layout.environment)
            if environment is None:
                return await take(sandbox)
            await machine.write(layout.environment, b"")
            try:
                return await take(sandbox)
            finally:
                await to_its_end(self._put_back(ref, layout.environment, environment))

    async def _put_back(self, ref: SandboxRef, path: str, content: bytes) -> None:
        async with self._running(ref) as sandbox:
            await self._machine(sandbox).write(path, content)

    async def logs(self, ref: SandboxRef, *, tail: int = 200) -> str:
        """Raises: ProviderError when it does not run."""
        async with self._running(ref) as sandbox:
            return await tail_log(*await self._server(sandbox, ref), tail=tail)

    def _ref(self, sandbox: S, **metadata: Any) -> SandboxRef:
        known = {"port": self._port, **metadata}
        return SandboxRef(provider=self.name, id=self._id(sandbox), metadata=known)

    async def _server(self, sandbox: S, ref: SandboxRef) -> tuple[Machine, ServerLayout]:
        machine = self._machine(sandbox)
        return machine, await self._layout(machine, ref)

    async def _layout(self, machine: Machine, ref: SandboxRef | None) -> ServerLayout:
        known = ref.metadata.get("home") if ref is not None else None
        return ServerLayout(known if isinstance(known, str) else await find_home(machine))


@asynccontextmanager
async def removed_on_failure(
    remove: Callable[[], Awaitable[object]], *, what: str
) -> AsyncIterator[None]:
    """When the block fails or is cancelled, what it has made is removed; its failure stays the one that is raised."""
    try:
        yield
    except BaseException:
        try:
            await remove()
        except SandboxAgentError:
            logger.exception("%s may be left behind", what)
        raise
