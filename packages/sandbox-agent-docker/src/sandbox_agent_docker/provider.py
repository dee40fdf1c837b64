"""The provider: containers, made and found again by their labels."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderError,
    SandboxNotFound,
    ServerStartFailed,
)
from sandbox_agent_core.provisioning import Machine, ServerLayout
from sandbox_agent_core.provisioning.provider import (
    READY_TIMEOUT_S,
    MachineProvider,
    removed_on_failure,
)
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage, snapshot_name
from sandbox_agent_core.spi.labels import OURS
from sandbox_agent_core.spi.provider import (
    Endpoint,
    Preflight,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Wheel,
)

from sandbox_agent_docker import containers, options
from sandbox_agent_docker.containers import Container
from sandbox_agent_docker.creation import DaemonFacts, create_container
from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.daemon_address import find_daemon
from sandbox_agent_docker.identity import Identity
from sandbox_agent_docker.image import built
from sandbox_agent_docker.image.build import build, dockerfile
from sandbox_agent_docker.image.choice import PLAIN_IMAGE, choose_image, full_image, get_image
from sandbox_agent_docker.machine import ContainerMachine
from sandbox_agent_docker.options import ContainerOptions, Gpus, Mounts, Ports, Pull
from sandbox_agent_docker.preflight import check_daemon
from sandbox_agent_docker.reaching import OUT_OF_MEMORY, Reach
from sandbox_agent_docker.workspace import prepare_directories

__all__ = ["DockerProvider"]

_LAYOUT = ServerLayout(options.STATE_PARENT)
"""In a container that is not running, too, it is known where everything is."""
SNAPSHOT_TIMEOUT_S = 600.0
CREATE_LABEL = "sandbox-agent-docker-create"
"""Unique to one call of `create`, which removes by it what it has made when it fails."""


class DockerProvider(MachineProvider[Container]):
    """Sandboxes are containers of one image; their ports are reachable from this machine only.

    Hardened unless told otherwise: not root, no capabilities, no new privileges, limits on memory,
    processors and processes. The server's token and environment are files in the container that only its
    user can read, so `docker inspect` does not show them.
    """

    name = "docker"
    memory_remedy = "`memory`"

    def __init__(
        self,
        image: str | None = None,
        *,
        mounts: Mounts | None = None,
        env: Mapping[str, str] | None = None,
        workdir: str = options.WORKDIR,
        user: str | None = None,
        cpus: float | None = None,
        memory: str | int | None = None,
        pids_limit: int | None = None,
        read_only: bool = False,
        tmpfs: Mapping[str, str] | None = None,
        hardened: bool = True,
        network: str | list[str] | None = None,
        ports: Ports = (),
        publish_address: str | None = None,
        endpoint_host: str | None = None,
        extra_hosts: Mapping[str, str] | None = None,
        gpus: Gpus | None = None,
        runtime: str | None = None,
        pull: Pull = "missing",
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        server_port: int = options.SERVER_PORT,
        ready_timeout: float = READY_TIMEOUT_S,
        docker_host: str | None = None,
        context: str | None = None,
        create_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is asked of a daemon before the first call.

        Args:
            image: What to run. It needs `/bin/sh`, and the server or a Python >= 3.11. Default: the image
                that `sandbox-agent image build` made, else `python:3.12-slim`, into which the server is
                installed each time.
            mounts: A directory of the daemon's machine, or the name of a volume, to its path in the sandbox:
                `{"./repo": "/workspace", "cache": "/cache:ro"}`.
            env: For the server and its agents; that of the single start wins. Not visible from outside.
            workdir: Where sessions start; made when it is missing.
            user: `uid`, `uid:gid` or a name of the image. Default: the owner of what is mounted at `workdir`
                (else of the first directory that is mounted to be written), unless that is root; else the
                image's own; `1000:1000` where that is root.
            cpus: Processors, 2.0 or as many as there are. memory: `512m`, `4g` (the default) or bytes, swap
                included. pids_limit: processes and threads, 1024.
            read_only: The image cannot be written; the server's files, the home and `workdir` are volumes
                that end with the container, `/tmp` is in memory.
            tmpfs: Path to mount options: `{"/scratch": "size=512m"}`.
            hardened: False leaves user, capabilities and privileges to the image and to Docker, and sets
                only the limits that are given.
            network: A network, or several, that exist. With `docker network create --internal` the sandbox
                has no internet, and the server is reached by the container's own address (Linux). `host`
                gives up the isolation of the network.
            ports: More ports of the sandbox to publish, on ports of Docker's choice or yours (`{3000: 8080}`);
                `port_url` says where they are.
            publish_address: Where ports are published. Default: 127.0.0.1, to which ssh leads when the daemon is
                reached by it.
            endpoint_host: The name by which this machine reaches published ports. Default: the daemon's.
            extra_hosts: Name to address, for the sandbox's `/etc/hosts`; the address `host-gateway` is the
                daemon's machine.
            gpus: `all`, how many, or which ids. runtime: an OCI runtime such as `runsc`.
            pull: When to pull the image.
            name: The container's name, for one sandbox at a time. labels: put on each.
            server_port: In the container. ready_timeout: seconds for the server to listen.
            docker_host: The daemon, `unix://`, `tcp://` or `ssh://`. context: one of `docker context ls`.
                Default: as the `docker` program finds it.
            create_options: Arguments of docker-py's `containers.create`, laid over ours.

        Raises:
            InvalidRequest: an option is wrong.
        """
        if docker_host is not None and context is not None:
            raise InvalidRequest("Give either docker_host or context.")
        super().__init__(
            env=env, workdir=workdir, server_port=server_port, ready_timeout=ready_timeout
        )
        self._image = image
        self._pull: Pull = pull
        self._name = name
        self._labels = dict(labels or {})
        self._options = ContainerOptions(
            mounts=dict(mounts or {}),
            network=network,
            ports=ports,
            publish_address=publish_address or "127.0.0.1",
            extra_hosts=dict(extra_hosts or {}),
            gpus=gpus,
            runtime=runtime,
            user=user,
            cpus=cpus,
            memory=memory,
            pids_limit=pids_limit,
            read_only=read_only,
            tmpfs=dict(tmpfs or {}),
            hardened=hardened,
            server_port=server_port,
            workdir=workdir,
            create_options=self._checked(create_options, _taken, of="containers.create"),
        )
        if self._options.shares_host_network:
            self.server_host = "127.0.0.1"
        self._daemon = Daemon(partial(find_daemon, docker_host=docker_host, context=context))
        self._reached = Reach(
            daemon=self._daemon,
            publish_address=publish_address,
            endpoint_host=endpoint_host,
            shares_host_network=self._options.shares_host_network,
        )

    async def preflight(self) -> Preflight:
        return await check_daemon(
            self._daemon,
            image=self._image,
            pull=self._pull,
            is_reachable=self._reached.is_told,
        )

    async def _may_have_server(self) -> bool:
        """Also the one that was built here."""
        if self._image is not None:
            return True
        choice = await choose_image(self._daemon, None, self._pull)
        return choice.name == full_image()

    @asynccontextmanager
    async def _made(self, spec: SandboxSpec) -> AsyncIterator[Container]:
        choice = await choose_image(self._daemon, self._image, self._pull)
        facts = await get_image(self._daemon, choice, pull=self._pull, report=spec.report)
        if self._image is None and (
            stale := await self._daemon.call(
                lambda client: built.stale_warning(
                    built.labels_of(client, choice.name), spec.wheels()
                )
            )
        ):
            spec.report(stale)
        if self._image is None and choice.name == PLAIN_IMAGE:
            spec.report(
                f"the server is installed into {PLAIN_IMAGE} at each start; once and for all: "
                "`sandbox-agent image build`"
            )
        daemon = await self._daemon.call(DaemonFacts.ask)
        create_id = secrets.token_hex(8)
        labels = {**self._labels, **spec.labels, CREATE_LABEL: create_id}
        name = self._name or f"sandbox-agent-{create_id}"

        def arguments(identity: Identity) -> Mapping[str, Any]:
            return self._options.arguments(
                facts,
                state=_LAYOUT.state,
                pid_file=_LAYOUT.pid,
                labels=labels,
                processors=daemon.processors,
                user=identity.user,
                home=identity.home,
            )

        remove = partial(containers.remove_labelled, CREATE_LABEL, create_id)
        async with removed_on_failure(
            partial(self._daemon.call, remove), what=f"the container {name}"
        ):
            container_id = await create_container(
                self._daemon,
                self._options,
                image=choice.name,
                image_facts=facts,
                name=name,
                arguments=arguments,
                daemon_facts=daemon,
                report=spec.report,
            )
            spec.report("starting the container")
            await self._daemon.call(partial(containers.start, container_id), sandbox=container_id)
            await prepare_directories(
                ContainerMachine(self._daemon, container_id),
                self._options,
                state=_LAYOUT.state,
                report=spec.report,
            )
            yield await self._inspect(container_id)

    @asynccontextmanager
    async def _running(self, ref: SandboxRef) -> AsyncIterator[Container]:
        yield await self._inspect(ref.id)

    def _machine(self, sandbox: Container) -> ContainerMachine:
        return ContainerMachine(self._daemon, sandbox.id)

    def _id(self, sandbox: Container) -> str:
        return sandbox.id

    def _ref(self, sandbox: Container, **metadata: Any) -> SandboxRef:
        return super()._ref(sandbox, name=sandbox.name, **metadata)

    async def _layout(self, machine: Machine, ref: SandboxRef | None) -> ServerLayout:
        return _LAYOUT

    async def _reach(self, sandbox: Container, port: int) -> Endpoint:
        return Endpoint(url=await self._reached.url(sandbox, port))

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        """Asked of Docker each time: a container that was stopped and started has another port.

        Raises:
            SandboxNotFound: the container is gone.
            SandboxAsleep: it is paused or stopped (`details.state`).
            ServerStartFailed: no server was ever put into it.
        """
        container = await self._inspect(ref.id)
        url = await self._reached.url(container, int(ref.metadata.get("port", self._port)))
        return Endpoint(url=url, token=await self._token(container))

    async def pause(self, ref: SandboxRef) -> None:
        """Freeze its processes; they keep their memory. Pausing one that is paused or stopped succeeds."""
        await self._daemon.call(partial(containers.pause, ref.id), sandbox=ref.id)

    async def resume(self, ref: SandboxRef) -> None:
        """Also starts a container that was stopped; its server then needs `ensure_server`."""
        await self._daemon.call(partial(containers.wake, ref.id), sandbox=ref.id)

    async def destroy(self, ref: SandboxRef) -> None:
        """Remove the container and the volumes that were made with it; named volumes stay."""
        try:
            await self._daemon.call(partial(containers.remove, ref.id), sandbox=ref.id)
        except SandboxNotFound:
            pass
        finally:
            await self._daemon.forget(ref.id)

    async def list(self, labels: Mapping[str, str] | None = None) -> list[SandboxInfo]:
        wanted = [OURS, *(f"{name}={value}" for name, value in (labels or {}).items())]
        found = await self._daemon.call(partial(containers.list_labelled, wanted))
        return [
            SandboxInfo(
                ref=self._ref(one),
                state=one.state,
                created_at=one.created_at,
                labels=one.labels,
            )
            for one in found
        ]

    async def build_image(self, spec: ImageSpec) -> SandboxImage:
        """On the daemon. `settings` are build arguments; how much memory a sandbox has is the provider's option.

        Raises:
            InvalidRequest: the Dockerfile has no such argument.
            ProviderError: a step failed; the message ends with its output.
        """
        return await build(self._daemon, spec)

    async def snapshot(self, ref: SandboxRef, *, name: str | None = None) -> SandboxImage:
        """Its files as an image, without what is mounted; it is frozen while they are copied.

        Raises:
            SandboxNotFound: the container is gone.
            ProviderError: it does not run (`details.state`), or the name is none.
        """
        container = await self._inspect(ref.id)
        if container.state != "running":
            raise ProviderError(
                f"The Docker sandbox {container.name!r} is {container.state}. Resume it first.",
                provider=self.name,
                sandbox=container.id,
                state=container.state,
            )
        image = name or snapshot_name()

        async def commit(container: Container) -> None:
            await self._daemon.call(
                partial(built.commit, container.id, image),
                sandbox=container.id,
                answer_timeout_s=SNAPSHOT_TIMEOUT_S,
            )

        await self._imaged(ref, commit)
        return SandboxImage(provider=self.name, name=image, options={"image": image})

    def dockerfile(self) -> str:
        """Of the images that it builds, to build by hand or to start from."""
        return dockerfile()

    async def list_images(self, *, wheels: Sequence[Wheel] = ()) -> Sequence[SandboxImage]:
        del wheels
        return await self._daemon.call(built.list_ours)

    async def remove_image(self, name: str) -> None:
        await self._daemon.call(partial(built.remove, name))

    async def logs(self, ref: SandboxRef, *, tail: int = 200) -> str:
        """Also of a container that is paused or stopped."""
        container = await self._inspect(ref.id)
        if container.state == "running":
            return await super().logs(ref, tail=tail)
        log = await self._read(container, _LAYOUT.log)
        lines = log.decode("utf-8", "replace").splitlines()[-tail:] if tail > 0 else []
        return "\n".join([*lines, *([OUT_OF_MEMORY] if container.is_out_of_memory else [])])

    async def _token(self, container: Container) -> str:
        token = (await self._read(container, _LAYOUT.token)).decode().strip()
        if not token:
            raise ServerStartFailed(
                f"There is no server in the container {container.name!r}: {_LAYOUT.token} is missing.",
                step="token",
            )
        return token

    async def _read(self, container: Container, path: str) -> bytes:
        return await self._daemon.call(
            partial(containers.read_file, container.id, path), sandbox=container.id
        )

    async def _inspect(self, container_id: str) -> Container:
        return await self._daemon.call(
            partial(containers.inspect, container_id), sandbox=container_id
        )


def _taken() -> Collection[str]:
    from docker.models import containers as sdk  # noqa: PLC0415 - the SDK is imported on first use

    # Not in its lists: what it makes something else of.
    made_of = ("ports", "volumes", "network", "networking_config")
    return {*sdk.RUN_CREATE_KWARGS, *sdk.RUN_HOST_CONFIG_KWARGS, *made_of} - {"image", "name"}
