"""The provider: E2B sandboxes, made and found again by their metadata."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderAuthError,
    SandboxAsleep,
    SandboxNotFound,
)
from sandbox_agent_core.provisioning.provider import (
    READY_TIMEOUT_S,
    SERVER_PORT,
    MachineProvider,
    removed_on_failure,
)
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage, image_name, snapshot_name
from sandbox_agent_core.spi.labels import OURS
from sandbox_agent_core.spi.provider import (
    Endpoint,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Wheel,
)

from sandbox_agent_e2b import images
from sandbox_agent_e2b.errors import PROVIDER, e2b_errors
from sandbox_agent_e2b.machine import E2BMachine

if TYPE_CHECKING:
    from e2b import AsyncSandbox
    from e2b.sandbox.sandbox_api import SandboxInfo as E2BInfo

__all__ = ["E2BProvider"]

LIFETIME_S = 3600.0
"""E2B's own default is five minutes. The most is an hour, or a day with a paid plan."""
LOOK_TIMEOUT_S = 1
"""With this a running sandbox is connected to: E2B takes it as a lower bound, so no life is prolonged."""
CREATE_LABEL = "sandbox-agent-e2b-create"
"""Unique to one call of `create`, which removes by it what it has made when it fails."""
NO_KEY = "There is no key. Set E2B_API_KEY; e2b.dev/dashboard has it."
TRAFFIC_HEADER = "e2b-traffic-access-token"

OnTimeout = Literal["kill", "pause"]


class E2BProvider(MachineProvider["AsyncSandbox"]):
    """Sandboxes are E2B's micro virtual machines, made from a template.

    Their ports have public names; unless `public_traffic`, E2B wants a token of its own with every request,
    which the endpoint carries. The server's token is asked for in either case.
    """

    name = PROVIDER
    vendor = "E2B"
    sdk = "e2b"
    sdk_tested = "2.63.0"
    memory_remedy = "a template that has it: `sandbox-agent image build --provider e2b`"

    def __init__(
        self,
        template: str | None = None,
        *,
        env: Mapping[str, str] | None = None,
        lifetime: float = LIFETIME_S,
        on_timeout: OnTimeout = "pause",
        public_traffic: bool = False,
        internet: bool = True,
        server_port: int = SERVER_PORT,
        ready_timeout: float = READY_TIMEOUT_S,
        api_key: str | None = None,
        domain: str | None = None,
        api_url: str | None = None,
        sandbox_url: str | None = None,
        request_timeout: float | None = None,
        create_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is asked of E2B before the first call.

        Args:
            template: Name or id, also of a snapshot. It needs the server or a Python >= 3.11. Default: the one that
                `sandbox-agent image build` made, else E2B's `base`.
            env: For the server and its agents; that of the single start wins. In a file of the sandbox's user.
            lifetime: Seconds until E2B ends the sandbox, unless it is extended.
            on_timeout: What E2B does then. One that is paused keeps its work, is woken by the next call, and costs
                storage until it is destroyed; `kill` loses all that is in it.
            public_traffic: Let everybody reach the sandbox's ports by their names, without E2B's token.
            internet: Whether the sandbox reaches the internet.
            server_port: In the sandbox. ready_timeout: seconds for the server to listen.
            api_key: Default: $E2B_API_KEY. domain, api_url, sandbox_url: for an E2B of your own.
            request_timeout: Seconds for one request to E2B.
            create_options: Arguments of the SDK's `AsyncSandbox.create`, laid over ours.

        Raises:
            InvalidRequest: an option is wrong.
        """
        if lifetime < 1:
            raise InvalidRequest(f"lifetime={lifetime:g}: give at least one second")
        if on_timeout not in ("kill", "pause"):
            raise InvalidRequest(f"on_timeout={on_timeout!r}: use 'kill' or 'pause'")
        super().__init__(
            env=env, workdir=None, server_port=server_port, ready_timeout=ready_timeout
        )
        self._template = template
        self._lifetime_s = lifetime
        self._on_timeout: OnTimeout = on_timeout
        self._public_traffic = public_traffic
        self._internet = internet
        self._create_options = self._checked(create_options, _taken, of="AsyncSandbox.create")
        given = {
            "api_key": api_key,
            "domain": domain,
            "api_url": api_url,
            "sandbox_url": sandbox_url,
            "request_timeout": request_timeout,
        }
        self._api: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }

    async def _may_have_server(self) -> bool:
        return self._template is not None or "template" in self._create_options

    async def _ask_account(self) -> None:
        if not (self._api.get("api_key") or os.environ.get("E2B_API_KEY")):
            raise ProviderAuthError(NO_KEY)
        await self._page({OURS: "1"}, limit=1)

    @asynccontextmanager
    async def _made(self, spec: SandboxSpec) -> AsyncIterator[AsyncSandbox]:
        create_id = secrets.token_hex(8)
        template = await self._template_for(spec)
        spec.report(f"creating an E2B sandbox from {template or 'the base template'}")
        remove = partial(self._remove_made, create_id)
        async with removed_on_failure(remove, what=f"the E2B sandbox of create {create_id}"):
            yield await self._make(template, {**spec.labels, CREATE_LABEL: create_id})

    async def _template_for(self, spec: SandboxSpec) -> str | None:
        """The one that was named; else that of this server, when it was built; None is E2B's own."""
        if self._template is not None or "template" in self._create_options:
            return self._template
        name = images.template_name(image_name(spec.wheels()))
        if await images.find(name, api=self._template_api):
            return name
        spec.report(
            "the server is installed at each start; once and for all: `sandbox-agent image build --provider e2b`"
        )
        return None

    @property
    def _template_api(self) -> Mapping[str, Any]:
        """Where sandboxes are is nothing to templates."""
        return {name: value for name, value in self._api.items() if name != "sandbox_url"}

    async def build_image(self, spec: ImageSpec) -> SandboxImage:
        """A template. A name that is taken gets another build.

        Raises:
            ProviderError: a step failed; the message ends with its output.
        """
        default = images.template_name(image_name(spec.wheels))
        name = images.template_name(spec.name) if spec.name else default
        return await images.build(
            spec, name=name, is_default=name == default, api=self._template_api
        )

    async def list_images(self, *, wheels: Sequence[Wheel] = ()) -> Sequence[SandboxImage]:
        """The one that is used by default, when there is one: E2B's SDK does not list templates."""
        name = images.template_name(image_name(wheels))
        if not (os.environ.get("E2B_API_KEY") or self._api.get("api_key")):
            raise ProviderAuthError(NO_KEY)
        if not await images.find(name, api=self._template_api):
            return []
        return [
            SandboxImage(
                provider=self.name,
                name=name,
                options={"template": name},
                is_default=True,
                is_new=False,
            )
        ]

    async def remove_image(self, name: str) -> None:
        await images.remove(images.template_name(name), api=self._template_api)

    async def snapshot(self, ref: SandboxRef, *, name: str | None = None) -> SandboxImage:
        """A template of E2B's, kept until it is removed. The sandbox stands still while it is made.

        Raises:
            SandboxNotFound: it is gone.
            ProviderError: it is paused (`details.state`), or E2B makes none.
        """
        wanted = images.template_name(name or snapshot_name())
        made = await self._imaged(
            ref, lambda sandbox: images.snapshot(sandbox.sandbox_id, wanted, api=self._api)
        )
        return SandboxImage(provider=self.name, name=made, options={"template": made})

    async def _make(self, template: str | None, labels: Mapping[str, str]) -> AsyncSandbox:
        from e2b import AsyncSandbox  # noqa: PLC0415 - the SDK is imported on first use

        options: dict[str, Any] = {
            "template": template,
            "timeout": round(self._lifetime_s),
            "metadata": dict(labels),
            "allow_internet_access": self._internet,
            "network": {"allow_public_traffic": self._public_traffic},
            "lifecycle": {"on_timeout": self._on_timeout},
            **self._create_options,
        }
        with e2b_errors():
            return await AsyncSandbox.create(**options, **self._api)

    async def _remove_made(self, create_id: str) -> None:
        for info in await self._page({CREATE_LABEL: create_id}):
            await self.destroy(SandboxRef(provider=self.name, id=info.sandbox_id))

    def _machine(self, sandbox: AsyncSandbox) -> E2BMachine:
        return E2BMachine(sandbox)

    def _id(self, sandbox: AsyncSandbox) -> str:
        return sandbox.sandbox_id

    async def _reach(self, sandbox: AsyncSandbox, port: int) -> Endpoint:
        token = sandbox.traffic_access_token
        return Endpoint(
            url=self._url(sandbox.get_host(port)), headers={TRAFFIC_HEADER: token} if token else {}
        )

    def _url(self, host: str) -> str:
        return f"https://{host}"

    async def pause(self, ref: SandboxRef) -> None:
        """Its files and memory are kept by E2B; so is the sandbox, until it is destroyed. Pausing a paused
        one succeeds."""
        from e2b import AsyncSandbox  # noqa: PLC0415 - the SDK is imported on first use

        # By its id: connecting would resume it.
        if not _is_paused(await self._info(ref)):
            with e2b_errors(sandbox=ref.id):
                await AsyncSandbox.pause(ref.id, **self._api)

    async def resume(self, ref: SandboxRef) -> None:
        """With a whole lifetime before it."""
        await self._connect(ref, round(self._lifetime_s))

    async def _ends_at(self, sandbox: AsyncSandbox, ref: SandboxRef) -> datetime | None:
        return (await self._info(ref)).end_at

    async def extend(self, ref: SandboxRef, seconds: float) -> datetime:
        info = await self._info(ref)
        wanted = datetime.now(UTC) + timedelta(seconds=seconds)
        # E2B's call also shortens.
        if info.end_at >= wanted:
            return info.end_at
        from e2b import AsyncSandbox  # noqa: PLC0415 - the SDK is imported on first use

        with e2b_errors(sandbox=ref.id):
            await AsyncSandbox.set_timeout(ref.id, round(seconds), **self._api)
        return wanted

    async def destroy(self, ref: SandboxRef) -> None:
        from e2b import AsyncSandbox  # noqa: PLC0415 - the SDK is imported on first use

        try:
            with e2b_errors(sandbox=ref.id):
                await AsyncSandbox.kill(ref.id, **self._api)
        except SandboxNotFound:
            return

    async def list(self, labels: Mapping[str, str] | None = None) -> list[SandboxInfo]:
        found = await self._page({OURS: "1", **(labels or {})})
        return [
            SandboxInfo(
                ref=SandboxRef(
                    provider=self.name, id=info.sandbox_id, metadata={"port": self._port}
                ),
                state="paused" if _is_paused(info) else "running",
                created_at=info.started_at,
                labels=info.metadata,
            )
            for info in found
        ]

    # Finding sandboxes again

    async def _info(self, ref: SandboxRef) -> E2BInfo:
        from e2b import AsyncSandbox  # noqa: PLC0415 - the SDK is imported on first use

        with e2b_errors(sandbox=ref.id):
            return await AsyncSandbox.get_info(ref.id, **self._api)

    @asynccontextmanager
    async def _running(self, ref: SandboxRef) -> AsyncIterator[AsyncSandbox]:
        """Connected, and neither resumed nor prolonged by it."""
        if _is_paused(await self._info(ref)):
            raise SandboxAsleep(
                f"The E2B sandbox {ref.id!r} is paused. Resume it first.",
                provider=self.name,
                sandbox=ref.id,
                state="paused",
            )
        yield await self._connect(ref, LOOK_TIMEOUT_S)

    async def _connect(self, ref: SandboxRef, timeout_s: int) -> AsyncSandbox:
        from e2b import AsyncSandbox  # noqa: PLC0415 - the SDK is imported on first use

        with e2b_errors(sandbox=ref.id):
            return await AsyncSandbox.connect(ref.id, timeout=timeout_s, **self._api)

    async def _page(
        self, metadata: Mapping[str, str], *, limit: int | None = None
    ) -> Sequence[E2BInfo]:
        from e2b import AsyncSandbox, SandboxQuery  # noqa: PLC0415 - the SDK is imported on first use
        from e2b.api.client.models.sandbox_state import SandboxState  # noqa: PLC0415

        query = SandboxQuery(
            metadata=dict(metadata), state=[SandboxState.RUNNING, SandboxState.PAUSED]
        )
        found: Sequence[E2BInfo] = []
        with e2b_errors():
            paginator = AsyncSandbox.list(query=query, limit=limit, **self._api)
            while paginator.has_next:
                found = [*found, *await paginator.next_items()]
                if limit is not None and len(found) >= limit:
                    break
        return found


def _is_paused(info: E2BInfo) -> bool:
    return str(info.state.value) == "paused"


def _taken() -> Collection[str]:
    from e2b import AsyncSandbox  # noqa: PLC0415 - the SDK is imported on first use
    from e2b.connection_config import ApiParams  # noqa: PLC0415

    return {*signature(AsyncSandbox.create).parameters, *ApiParams.__annotations__} - {"opts"}
