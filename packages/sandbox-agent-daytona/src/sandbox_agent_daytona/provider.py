"""The provider: Daytona sandboxes, found again by their labels."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.provisioning.image_install import install_image, refuse_packages
from sandbox_agent_core.provisioning.provider import (
    READY_TIMEOUT_S,
    SERVER_PORT,
    MachineProvider,
    removed_on_failure,
)
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage, snapshot_name
from sandbox_agent_core.spi.labels import OURS, own_labels
from sandbox_agent_core.spi.provider import (
    Endpoint,
    PortUrl,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Wheel,
)

from sandbox_agent_daytona import images, lifecycle
from sandbox_agent_daytona.api import Api, call
from sandbox_agent_daytona.errors import PROVIDER
from sandbox_agent_daytona.machine import DaytonaMachine
from sandbox_agent_daytona.options import SandboxOptions, fields, to_minutes

if TYPE_CHECKING:
    from daytona import AsyncDaytona, AsyncSandbox, Image

__all__ = ["DaytonaProvider"]

LIFETIME_S = 3600.0
"""Daytona's own default is none: what is forgotten costs money until somebody looks."""
PAUSED_LIFETIME_S = 7 * 24 * 3600.0
REQUEST_TIMEOUT_S = 60.0
LINK_LIFETIME_S = 3600.0
"""Of a URL with Daytona's token in it."""
LANGUAGE_LABEL = "code-toolbox-language"
"""The SDK's own, on every sandbox."""
PREVIEW_HEADER = "X-Daytona-Preview-Token"

PauseAs = Literal["stop", "freeze"]


class DaytonaProvider(MachineProvider["AsyncSandbox"]):
    """Sandboxes are made from an image or from a snapshot of Daytona's.

    Their ports have names that anybody can look up; unless `public`, Daytona wants a token of its own with
    every request, which the endpoint carries. The server's token is asked for in either case.
    """

    name = PROVIDER
    vendor = "Daytona"
    sdk = "daytona"
    sdk_tested = "0.226.1"
    memory_remedy = "`memory_gb` and an image, or a snapshot that has it"

    def __init__(
        self,
        image: str | Image | None = None,
        *,
        snapshot: str | None = None,
        cpu: int | None = None,
        memory_gb: int | None = None,
        disk_gb: int | None = None,
        gpus: int | None = None,
        env: Mapping[str, str] | None = None,
        workdir: str | None = None,
        user: str | None = None,
        lifetime: float | None = LIFETIME_S,
        paused_lifetime: float | None = PAUSED_LIFETIME_S,
        auto_stop: float = 0,
        pause_as: PauseAs = "stop",
        internet: bool = True,
        allowed_domains: Sequence[str] = (),
        volumes: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        public: bool = False,
        target: str | None = None,
        link_lifetime: float = LINK_LIFETIME_S,
        server_port: int = SERVER_PORT,
        ready_timeout: float = READY_TIMEOUT_S,
        api_key: str | None = None,
        api_url: str | None = None,
        request_timeout: float = REQUEST_TIMEOUT_S,
        create_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is asked of Daytona before the first call.

        Args:
            image: A registry's name, or a `daytona.Image` that Daytona builds. It needs the server or a
                Python >= 3.11. The first use takes minutes.
            snapshot: Name of one of your snapshots, which starts at once. Default: what
                `sandbox-agent image build` made, else Daytona's own.
            cpu: Processors. memory_gb, disk_gb, gpus: as the name says. All of them only with an image.
            env: For the server and its agents; that of the single start wins. In a file of the sandbox's user.
            workdir: Where sessions start; made when it is missing. Default: the user's home.
            user: Who runs in the sandbox. Default: the image's own.
            lifetime: Seconds until Daytona destroys the sandbox, unless it is extended. Rounded up to
                minutes. None: until it is destroyed by somebody.
            paused_lifetime: The same for one that is paused; it begins when it is.
            auto_stop: Seconds without a request until Daytona stops the sandbox. 0: it does not.
            pause_as: What `pause` does. `freeze` keeps the memory, where the sandbox's class can.
            internet: Whether the sandbox reaches the internet. allowed_domains: only these of it.
            volumes: Id of a volume to its path in the sandbox.
            secrets: Name of a variable to the name of your organization's secret whose placeholder it holds.
            public: Let everybody reach the sandbox's ports by their names, without Daytona's token.
            link_lifetime: Seconds that what `port_url` gives is good for.
            target: The region. Default: $DAYTONA_TARGET, or your organization's.
            server_port: In the sandbox. ready_timeout: seconds for the server to listen.
            api_key: Default: $DAYTONA_API_KEY. api_url: of a Daytona of your own, $DAYTONA_API_URL.
            request_timeout: Seconds for one request to Daytona's API.
            create_options: Fields of the SDK's parameters of `create`, laid over ours.

        Raises:
            InvalidRequest: options are wrong, or do not go together.
        """
        if pause_as not in ("stop", "freeze"):
            raise InvalidRequest(f"pause_as={pause_as!r}: use 'stop' or 'freeze'")
        super().__init__(
            env=env, workdir=workdir, server_port=server_port, ready_timeout=ready_timeout
        )
        self._options = SandboxOptions(
            image=image,
            snapshot=snapshot,
            cpu=cpu,
            memory_gb=memory_gb,
            disk_gb=disk_gb,
            gpus=gpus,
            user=user,
            lifetime_s=lifetime,
            auto_stop_s=auto_stop,
            internet=internet,
            allowed_domains=tuple(allowed_domains),
            volumes=dict(volumes or {}),
            secrets=dict(secrets or {}),
            public=public,
            create_options=self._checked(
                create_options, partial(fields, image), of="AsyncDaytona.create"
            ),
        )
        self._paused_lifetime_s = paused_lifetime
        self._pause_as: PauseAs = pause_as
        self._link_lifetime_s = link_lifetime
        self._request_timeout_s = request_timeout
        self._api = Api(api_key=api_key, api_url=api_url, target=target)

    async def _may_have_server(self) -> bool:
        return self._options.names_image

    async def _options_of(self, client: AsyncDaytona, spec: SandboxSpec) -> SandboxOptions:
        """Ours, and the image of this server where its user named none and there is one."""
        if self._options.names_image:
            return self._options
        name = await images.find_default(client, spec.wheels())
        if name is None:
            spec.report(
                "the server is installed at each start; once and for all: `sandbox-agent image build --provider daytona`"
            )
            return self._options
        await images.usable(client, name)
        return replace(self._options, snapshot=name)

    async def _ask_account(self) -> None:
        """For sandboxes that there are none of: whether Daytona answers is what counts."""
        await self._list({OURS: "0"})

    @asynccontextmanager
    async def _made(self, spec: SandboxSpec) -> AsyncIterator[AsyncSandbox]:
        async with self._api.client() as client:
            options = await self._options_of(client, spec)
            async with self._new(client, options, spec) as sandbox:
                yield sandbox

    @asynccontextmanager
    async def _new(
        self, client: AsyncDaytona, options: SandboxOptions, spec: SandboxSpec
    ) -> AsyncIterator[AsyncSandbox]:
        create_id = secrets.token_hex(8)
        # Ours to choose, so that it is known what to destroy when the answer never comes. Daytona's list by
        # labels lags behind (daytonaio/daytona#5138).
        name = options.create_options.get("name") or f"sandbox-agent-{create_id}"
        spec.report(f"creating a Daytona sandbox from {options.source}")
        labels = {**spec.labels, lifecycle.CREATE_LABEL: create_id}
        parameters = options.parameters(name=name, labels=labels)
        ask = partial(client.create, parameters, timeout=options.create_timeout_s)
        making = asyncio.ensure_future(call(ask))
        remove = partial(
            lifecycle.remove_made,
            *(client, making),
            name=name,
            create_id=create_id,
            timeout_s=self._request_timeout_s,
        )
        async with removed_on_failure(remove, what=f"the Daytona sandbox {name}"):
            sandbox = await asyncio.shield(making)
            lifecycle.require_running(sandbox)
            yield sandbox

    @asynccontextmanager
    async def _running(self, ref: SandboxRef) -> AsyncIterator[AsyncSandbox]:
        async with self._api.client() as client:
            sandbox = await self._find(client, ref)
            lifecycle.require_running(sandbox)
            yield sandbox

    async def _memory_of(self, sandbox: AsyncSandbox) -> float | None:
        return sandbox.memory * 1024

    def _machine(self, sandbox: AsyncSandbox) -> DaytonaMachine:
        return DaytonaMachine(sandbox)

    def _id(self, sandbox: AsyncSandbox) -> str:
        return sandbox.id

    def _ref(self, sandbox: AsyncSandbox, **metadata: Any) -> SandboxRef:
        return super()._ref(sandbox, name=sandbox.name, **metadata)

    async def _reach(self, sandbox: AsyncSandbox, port: int) -> Endpoint:
        """Asked of Daytona each time: its token is another one after a restart. Its proxy reads a Bearer token as a key of
        its own first."""
        timeout_s = self._request_timeout_s
        ask = partial(sandbox.get_preview_link, port, request_timeout=timeout_s)
        link = await call(ask, sandbox=sandbox.id, is_repeatable=True)
        return Endpoint(
            url=link.url.rstrip("/"),
            headers={PREVIEW_HEADER: link.token},
            token_header="X-Sandbox-Agent-Token",  # noqa: S106 - the name of a header
        )

    async def port_url(self, ref: SandboxRef, port: int) -> PortUrl:
        """Daytona's own token is in the URL, for `link_lifetime` seconds.

        Raises:
            SandboxNotFound: it was destroyed.
        """
        async with self._api.client() as client:
            sandbox = await self._find(client, ref)
            ask = partial(
                sandbox.create_signed_preview_url,
                port,
                expires_in_seconds=round(self._link_lifetime_s),
                request_timeout=self._request_timeout_s,
            )
            expires_at = datetime.now(UTC) + timedelta(seconds=self._link_lifetime_s)
            return PortUrl(url=(await call(ask, sandbox=ref.id)).url, expires_at=expires_at)

    async def pause(self, ref: SandboxRef) -> None:
        """Stop it, or freeze it with `pause_as="freeze"`. Stopped, its files stay and its processes are gone.

        It is destroyed when `paused_lifetime` is over.
        """
        async with self._api.client() as client:
            sandbox = await lifecycle.settled(client, ref.id, timeout_s=self._request_timeout_s)
            await self._set_lifetime(sandbox, self._paused_lifetime_s)
            await lifecycle.sleep(sandbox, keep_memory=self._pause_as == "freeze")

    async def resume(self, ref: SandboxRef) -> None:
        """With a whole lifetime before it. Its server needs `ensure_server`."""
        async with self._api.client() as client:
            sandbox = await lifecycle.settled(client, ref.id, timeout_s=self._request_timeout_s)
            if await lifecycle.wake(sandbox):
                await self._set_lifetime(sandbox, self._options.lifetime_s)

    async def _ends_at(self, sandbox: AsyncSandbox, ref: SandboxRef) -> datetime | None:
        return None if sandbox.auto_destroy_at is None else _time(sandbox.auto_destroy_at)

    async def extend(self, ref: SandboxRef, seconds: float) -> datetime | None:
        async with self._api.client() as client:
            sandbox = await self._find(client, ref)
            if sandbox.auto_stop_interval or sandbox.auto_pause_interval:
                refresh = partial(sandbox.refresh_activity, request_timeout=self._request_timeout_s)
                await call(refresh, sandbox=ref.id, is_repeatable=True)
            ends = await self._ends_at(sandbox, ref)
            wanted = datetime.now(UTC) + timedelta(seconds=seconds)
            # Daytona's call also shortens.
            if ends is None or ends >= wanted:
                return ends
            await self._set_lifetime(sandbox, seconds)
            return wanted

    async def snapshot(self, ref: SandboxRef, *, name: str | None = None) -> SandboxImage:
        """A snapshot of Daytona's, kept until it is removed there. Sandboxes made from it have this one's resources.

        Raises:
            SandboxNotFound: it was destroyed.
            ProviderError: it does not run (`details.state`), or Daytona makes none: a name that is taken, say.
        """
        wanted = name or snapshot_name()

        await self._imaged(ref, lambda sandbox: images.take(sandbox, wanted))
        async with self._api.client() as client:
            await images.usable(client, wanted)
        return SandboxImage(provider=self.name, name=wanted, options={"snapshot": wanted})

    async def build_image(self, spec: ImageSpec) -> SandboxImage:
        """A snapshot of a sandbox that the server and the agents were installed in, and which is destroyed then. The one
        that was used by default before is removed.

        Raises:
            InvalidRequest: it wants packages, or resources and no image that could have them.
            ProviderError: a step failed; the message ends with what it said.
        """
        refuse_packages(spec, provider=self.name)
        options, spec = self._options.to_build(spec)
        name = images.name_of(spec)
        is_default = spec.name is None
        image = SandboxImage(
            provider=self.name, name=name, options={"snapshot": name}, is_default=is_default
        )
        async with self._api.client() as client:
            if is_default and not spec.rebuild and await images.find_usable(client, name):
                await images.usable(client, name)
                return replace(image, is_new=False)
            await self._build(client, options, spec, name)
            if is_default:
                await images.remove_others(client, name, spec.wheels)
        return image

    async def _build(
        self, client: AsyncDaytona, options: SandboxOptions, spec: ImageSpec, name: str
    ) -> None:
        labels = own_labels(
            run_id=name, version=version("sandbox-agent-core"), now=datetime.now(UTC), keep=False
        )
        wanted = SandboxSpec(labels=labels, agents=spec.agents, report=spec.report)
        async with self._new(client, options, wanted) as sandbox:
            await self._warn_of_memory(sandbox, wanted)
            await install_image(self._machine(sandbox), spec, provider=self.name)
            spec.report(f"making the snapshot {name}")
            # As late as that: until then the one that there was is used.
            await images.remove(client, name)
            await images.take(sandbox, name)
            await images.usable(client, name)
        await lifecycle.remove(client, sandbox.id, timeout_s=self._request_timeout_s)

    async def list_images(self, *, wheels: Sequence[Wheel] = ()) -> Sequence[SandboxImage]:
        """Snapshots whose names we gave."""
        async with self._api.client() as client:
            return await images.listed(client, wheels)

    async def remove_image(self, name: str) -> None:
        async with self._api.client() as client:
            await images.remove(client, name)

    async def destroy(self, ref: SandboxRef) -> None:
        async with self._api.client() as client:
            await lifecycle.remove(client, ref.id, timeout_s=self._request_timeout_s)

    async def list(self, labels: Mapping[str, str] | None = None) -> list[SandboxInfo]:
        """Daytona's list lags behind by a second or two: what was just destroyed may be in it."""
        return [*await self._list({**(labels or {}), OURS: "1"})]

    async def _list(self, labels: Mapping[str, str]) -> Sequence[SandboxInfo]:
        from daytona import ListSandboxesQuery  # noqa: PLC0415 - the SDK is imported on first use

        query = ListSandboxesQuery(labels=dict(labels))
        async with self._api.client() as client:

            async def ask() -> Sequence[SandboxInfo]:
                found = client.list(query, request_timeout=self._request_timeout_s)
                return [self._info(one) async for one in found if not lifecycle.is_gone(one)]

            return await call(ask, is_repeatable=True)

    async def _find(self, client: AsyncDaytona, ref: SandboxRef) -> AsyncSandbox:
        return await lifecycle.find(client, ref.id, timeout_s=self._request_timeout_s)

    async def _set_lifetime(self, sandbox: AsyncSandbox, seconds: float | None) -> None:
        """From now on. None: for ever, as far as the organization allows that."""
        ask = partial(
            sandbox.set_ttl, to_minutes(seconds or 0), request_timeout=self._request_timeout_s
        )
        await call(ask, sandbox=sandbox.id, is_repeatable=True)

    def _info(self, sandbox: AsyncSandbox) -> SandboxInfo:
        labels = {name: value for name, value in sandbox.labels.items() if name != LANGUAGE_LABEL}
        return SandboxInfo(
            ref=self._ref(sandbox),
            state=lifecycle.state_of(sandbox),
            created_at=None if sandbox.created_at is None else _time(sandbox.created_at),
            labels=labels,
        )


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
