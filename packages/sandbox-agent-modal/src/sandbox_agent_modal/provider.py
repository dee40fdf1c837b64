"""The provider: sandboxes of a Modal app, found again by their tags."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from sandbox_agent_core.errors import InvalidRequest, PortNotOpen, SandboxNotFound
from sandbox_agent_core.provisioning.calls import to_its_end
from sandbox_agent_core.provisioning.provider import (
    READY_TIMEOUT_S,
    SERVER_PORT,
    MachineProvider,
    removed_on_failure,
)
from sandbox_agent_core.provisioning.server_source import wheelhouse_of
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage, image_name, install_settings
from sandbox_agent_core.spi.labels import OURS, created_at
from sandbox_agent_core.spi.provider import (
    Endpoint,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Wheel,
)

from sandbox_agent_modal import images
from sandbox_agent_modal.account import Account, attached, detach
from sandbox_agent_modal.errors import PROVIDER
from sandbox_agent_modal.machine import ModalMachine

if TYPE_CHECKING:
    from modal import App, Client, Image, Sandbox, Secret

__all__ = ["ModalProvider"]

APP_NAME = "sandbox-agent"
WORKSPACE = "workspace"
"""In the home directory, where sessions start unless told otherwise."""
LIFETIME_S = 4 * 3600.0
"""Modal's own default is five minutes, and it cannot be prolonged. The most is a day."""
LONGEST_LIFETIME_S = 24 * 3600.0
MEMORY_MB = 1024
"""Modal's own default is 128, a promise and no limit."""
REQUEST_TIMEOUT_S = 60.0
CREATE_TIMEOUT_S = 600.0
"""The first time an image is used, Modal builds it."""
BUILD_TIMEOUT_S = 1800.0
ENDS_AT = "ends_at"
"""In the metadata of a reference."""
CREATE_TAG = "sandbox-agent-create"
"""Unique to one call of `create`, which terminates by it what it has made when it fails."""


class ModalProvider(MachineProvider["Sandbox"]):
    """Sandboxes are Modal's containers, in one app. They end with their lifetime, and their files with them.

    The server's port has a tunnel with a public URL: its token is all that protects it.
    """

    name = PROVIDER
    vendor = "Modal"
    sdk = "modal"
    sdk_tested = "1.6.4"
    memory_remedy = "`memory_mb`"

    def __init__(
        self,
        image: str | Image | None = None,
        *,
        app: str = APP_NAME,
        env: Mapping[str, str] | None = None,
        workdir: str | None = None,
        lifetime: float = LIFETIME_S,
        idle_timeout: float | None = None,
        cpu: float | None = None,
        memory_mb: int = MEMORY_MB,
        gpu: str | None = None,
        internet: bool = True,
        ports: Sequence[int] = (),
        region: str | None = None,
        volumes: Mapping[str, Any] | None = None,
        secrets: Sequence[str | Secret] = (),
        server_port: int = SERVER_PORT,
        ready_timeout: float = READY_TIMEOUT_S,
        create_timeout: float = CREATE_TIMEOUT_S,
        build_timeout: float = BUILD_TIMEOUT_S,
        request_timeout: float = REQUEST_TIMEOUT_S,
        token_id: str | None = None,
        token_secret: str | None = None,
        environment: str | None = None,
        create_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is asked of Modal before the first call.

        Args:
            image: A name in a registry, `modal:NAME` for an image that was published in Modal, `im-…` for the id
                of one (a snapshot), or a `modal.Image`. It needs the server or a Python >= 3.11. Default: the image
                that `sandbox-agent image build` published, else Modal's Debian with Python 3.12, the server and
                the agents of the start, which Modal builds the first time and keeps.
            app: The Modal app that the sandboxes belong to; made when it is missing.
            env: For the server and its agents; that of the single start wins. In a file of the sandbox's user.
            workdir: Where sessions start. Default: `workspace` in the home directory.
            lifetime: Seconds until Modal ends the sandbox; nothing prolongs it. At most a day.
            idle_timeout: Seconds without a connection or a command after which Modal ends it. An agent that
                works while nobody is connected is idle to Modal.
            cpu: Cores that are promised, 0.125 unless said. memory_mb: promised, and billed. gpu: `T4`, `H100:2`.
            internet: Whether the sandbox reaches the internet.
            ports: More ports with tunnels; `port_url` says where they are.
            region: Where it runs. volumes: path to a `modal.Volume`.
            secrets: Modal's, by name or as `modal.Secret`: variables of every process in the sandbox.
            server_port: In the sandbox. ready_timeout: seconds for the server to listen.
            create_timeout: Seconds for Modal to make the sandbox, and its image the first time.
            build_timeout: Seconds for `image build`.
            request_timeout: Seconds for any other request.
            token_id: With `token_secret`, or neither. Default: MODAL_TOKEN_ID and MODAL_TOKEN_SECRET, or
                `~/.modal.toml`.
            token_secret: See `token_id`.
            environment: Modal's. Default: as Modal's configuration says.
            create_options: Arguments of the SDK's `Sandbox.create`, laid over ours; `tags` and `encrypted_ports`
                are added.

        Raises:
            InvalidRequest: an option is wrong.
        """
        if not 1 <= lifetime <= LONGEST_LIFETIME_S:
            raise InvalidRequest(
                f"lifetime={lifetime:g}: Modal takes 1 to {LONGEST_LIFETIME_S:g} s"
            )
        if bool(token_id) != bool(token_secret):
            raise InvalidRequest("Give token_id and token_secret, or neither.")
        super().__init__(
            env=env, workdir=workdir, server_port=server_port, ready_timeout=ready_timeout
        )
        if isinstance(environment, Mapping):
            raise InvalidRequest(
                'environment: the name of one of Modal\'s. Use `env={"NAME": "value"}` for variables.'
            )
        if isinstance(secrets, str | Mapping):
            raise InvalidRequest(
                'secrets: a list of names, as ["keys"]. Variables are `env={"NAME": "value"}`.'
            )
        self._image = image
        self._secrets = tuple(secrets)
        self._create_timeout_s = create_timeout
        self._build_timeout_s = build_timeout
        self._account = Account(
            app_name=app,
            environment=environment,
            token_id=token_id,
            token_secret=token_secret,
            request_timeout_s=request_timeout,
        )
        given: dict[str, Any] = {
            "timeout": round(lifetime),
            "idle_timeout": None if idle_timeout is None else round(idle_timeout),
            "cpu": cpu,
            "memory": memory_mb,
            "gpu": gpu,
            # Modal's `block_network` would close the tunnel too.
            "outbound_cidr_allowlist": None if internet else [],
            "encrypted_ports": [server_port, *ports],
            "region": region,
            "volumes": dict(volumes) if volumes else None,
        }
        self._arguments = {name: value for name, value in given.items() if value is not None}
        self._create_options = self._checked(create_options, _taken, of="Sandbox.create")
        if isinstance(self._create_options.get("secrets"), Mapping | str):
            raise InvalidRequest(
                'create_options: `secrets` are objects of Modal\'s. Use `secrets=["name", …]` for those that Modal '
                'keeps, and `env={"NAME": "value"}` for variables.'
            )

    async def _may_have_server(self) -> bool:
        return self._image is not None or "image" in self._create_options

    async def _ask_account(self) -> None:
        async with self._account.client() as client:
            hello: Any = client.hello  # untyped
            await self._account.ask(hello.aio())

    @asynccontextmanager
    async def _made(self, spec: SandboxSpec) -> AsyncIterator[Sandbox]:
        create_id = secrets.token_hex(8)
        async with self._account.client() as client:
            spec.report(f"creating a Modal sandbox in the app {self._account.app_name}")
            app = await self._account.make_app(client)
            remove = partial(self._remove_made, client, app, create_id)
            async with removed_on_failure(remove, what=f"the Modal sandbox of create {create_id}"):
                tags = {**spec.labels, OURS: "1", CREATE_TAG: create_id}
                async with self._image_for(client, app, spec) as image:
                    making = self._make(client, app, image, tags)
                    made = await to_its_end(making, undo=detach)
                async with attached(made) as sandbox:
                    yield sandbox

    @asynccontextmanager
    async def _image_for(self, client: Client, app: App, spec: SandboxSpec) -> AsyncIterator[Image]:
        """One that was named; else the published one of this server; else layers, which Modal builds the first time."""
        if isinstance(self._image, str):
            yield images.named(self._image, self._account, client)
        elif (given := self._create_options.get("image", self._image)) is not None:
            yield given
        elif published := await images.find_published(
            self._account, client, app, image_name(spec.wheels())
        ):
            yield published
        else:
            spec.report("getting the image: Modal builds it the first time, and keeps it")
            wanted = ImageSpec(
                agents=spec.agents,
                wheels=spec.wheels(),
                inspector=None if spec.inspector is None else spec.inspector(),
                wheelhouse=wheelhouse_of(spec),
                settings=install_settings({**self._env, **spec.env}),
                npm_registry=spec.npm_registry,
            )
            with images.layered(wanted) as image:
                yield image

    async def build_image(self, spec: ImageSpec) -> SandboxImage:
        """Publish one in Modal's environment. Modal decides by its layers what has to be built.

        Raises:
            ProviderError: a command failed.
        """
        return await images.build(self._account, spec, timeout_s=self._build_timeout_s)

    async def list_images(self, *, wheels: Sequence[Wheel] = ()) -> Sequence[SandboxImage]:
        """The one that is used by default, when there is one: Modal's SDK does not list them."""
        return await images.used_by_default(self._account, wheels)

    async def remove_image(self, name: str) -> None:
        """Raises: InvalidRequest, which says how: Modal's SDK cannot."""
        raise InvalidRequest(
            f"Modal's SDK removes no images. Run `modal image names delete {name}`.",
            provider=self.name,
        )

    async def _memory_of(self, sandbox: Sandbox) -> float | None:
        """What Modal promises: there may be more, for as long as nobody else needs it."""
        del sandbox
        wanted = self._create_options.get("memory", self._arguments["memory"])
        return float(max(wanted) if isinstance(wanted, tuple) else wanted)

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        # Modal tells nobody when a sandbox ends. Counted from before it is made, and its image with it the first time:
        # rather too early than too late.
        begin = datetime.now(UTC)
        ref = await super().create(spec)
        lifetime_s = {**self._arguments, **self._create_options}[
            "timeout"
        ]  # the SDK has checked it
        ends_at = begin + timedelta(seconds=lifetime_s)
        return replace(ref, metadata={**ref.metadata, ENDS_AT: ends_at.isoformat()})

    async def _ends_at(self, sandbox: Sandbox, ref: SandboxRef) -> datetime | None:
        said = ref.metadata.get(ENDS_AT)
        return datetime.fromisoformat(said) if isinstance(said, str) else None

    def _default_workdir(self, sandbox: Sandbox, home: str) -> str:
        del sandbox
        return f"{home}/{WORKSPACE}"

    async def snapshot(self, ref: SandboxRef, *, name: str | None = None) -> SandboxImage:
        """Its files as an image of Modal's: for ever with a name, else for 30 days.

        Raises:
            SandboxNotFound: it has ended.
        """
        return await self._imaged(
            ref,
            lambda sandbox: images.snapshot(
                self._account, sandbox, name, timeout_s=self._create_timeout_s
            ),
        )

    async def _make(
        self, client: Client, app: App, image: Image, tags: Mapping[str, str]
    ) -> Sandbox:
        import modal  # noqa: PLC0415 - the SDK is imported on first use

        arguments = {
            "app": app,
            "client": client,
            "image": image,
            "secrets": [
                modal.Secret.from_name(one, environment_name=self._account.environment)
                if isinstance(one, str)
                else one
                for one in self._secrets
            ],
            **self._arguments,
            **self._create_options,
            "tags": {**self._create_options.get("tags", {}), **tags},
            "encrypted_ports": [
                *self._arguments["encrypted_ports"],
                *self._create_options.get("encrypted_ports", ()),
            ],
        }
        try:
            making = modal.Sandbox.create.aio("sleep", "infinity", **arguments)
            return await self._account.ask(making, timeout_s=self._create_timeout_s)
        except TypeError as exc:
            raise InvalidRequest(f"create_options: {exc}", provider=self.name) from exc

    async def _remove_made(self, client: Client, app: App, create_id: str) -> None:
        for sandbox in await self._account.tagged(client, app, {CREATE_TAG: create_id}):
            await self._account.ask(sandbox.terminate.aio(wait=True))

    def _running(self, ref: SandboxRef) -> AbstractAsyncContextManager[Sandbox]:
        return self._account.running(ref.id)

    def _machine(self, sandbox: Sandbox) -> ModalMachine:
        return ModalMachine(sandbox)

    def _id(self, sandbox: Sandbox) -> str:
        return sandbox.object_id

    async def destroy(self, ref: SandboxRef) -> None:
        try:
            async with self._account.running(ref.id) as sandbox:
                await self._account.ask(sandbox.terminate.aio(wait=True), sandbox=ref.id)
        except SandboxNotFound:
            return

    async def list(self, labels: Mapping[str, str] | None = None) -> list[SandboxInfo]:
        async with self._account.client() as client:
            app = await self._account.find_app(client)
            if app is None:
                return []
            found = await self._account.tagged(client, app, {OURS: "1", **(labels or {})})
            infos = [await self._info(sandbox) for sandbox in found]
        return [info for info in infos if info is not None]

    async def _reach(self, sandbox: Sandbox, port: int) -> Endpoint:
        tunnels = await self._account.ask(sandbox.tunnels.aio(), sandbox=sandbox.object_id)
        if port not in tunnels:
            raise PortNotOpen(
                f"Port {port} of the Modal sandbox {sandbox.object_id!r} has no tunnel. Give it in `ports`.",
                provider=self.name,
                sandbox=sandbox.object_id,
            )
        return Endpoint(url=str(tunnels[port].url))

    async def _info(self, sandbox: Sandbox) -> SandboxInfo | None:
        """None when it has ended since it was listed."""
        try:
            tags = await self._account.ask(sandbox.get_tags.aio(), sandbox=sandbox.object_id)
        except SandboxNotFound:
            return None
        labels = {name: value for name, value in tags.items() if name != CREATE_TAG}
        return SandboxInfo(
            ref=self._ref(sandbox),
            state="running",
            created_at=created_at(labels),
            labels=labels,
        )


def _taken() -> Collection[str]:
    import modal  # noqa: PLC0415 - the SDK is imported on first use

    return signature(modal.Sandbox.create).parameters.keys() - {"args"}
