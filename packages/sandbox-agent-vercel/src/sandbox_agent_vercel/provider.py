"""The provider: persistent sandboxes of Vercel, found again by their tags."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from sandbox_agent_core.errors import InvalidRequest, ProviderError, SandboxAsleep
from sandbox_agent_core.provisioning.calls import to_its_end
from sandbox_agent_core.provisioning.image_install import install_image, refuse_packages
from sandbox_agent_core.provisioning.provider import (
    READY_TIMEOUT_S,
    SERVER_PORT,
    MachineProvider,
    removed_on_failure,
)
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage, image_name
from sandbox_agent_core.spi.provider import (
    Endpoint,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Wheel,
)

from sandbox_agent_vercel import images, sandboxes
from sandbox_agent_vercel.api import Api, call
from sandbox_agent_vercel.errors import PROVIDER
from sandbox_agent_vercel.machine import VercelMachine
from sandbox_agent_vercel.tags import from_tags, to_tags

if TYPE_CHECKING:
    from vercel.sandbox import Sandbox, SandboxClient

__all__ = ["VercelProvider"]

WORKDIR = "/vercel/sandbox"
LIFETIME_S = 1800.0
"""Of a session. Vercel's own default is five minutes; the most is 45 minutes, or 24 hours with a paid plan."""
REQUEST_TIMEOUT_S = 60.0
SHORTEST_EXTENSION_S = 1.0


class VercelProvider(MachineProvider["Sandbox"]):
    """Sandboxes are Vercel's micro virtual machines. Stopping one keeps its files in a snapshot, which is
    what `pause` does and what happens when its lifetime ends.

    The server's port has a public URL, which everybody can reach: its token is all that protects it.
    """

    name = PROVIDER
    vendor = "Vercel"
    sdk = "vercel.sandbox"
    sdk_tested = "0.10.0"
    memory_remedy = "`memory_mb` or `vcpus`"

    def __init__(
        self,
        image: str | None = None,
        *,
        snapshot: str | None = None,
        env: Mapping[str, str] | None = None,
        workdir: str | None = None,
        lifetime: float = LIFETIME_S,
        vcpus: int | None = None,
        memory_mb: int | None = None,
        internet: bool = True,
        ports: Sequence[int] = (),
        region: str | None = None,
        snapshot_expiration: float | None = None,
        server_port: int = SERVER_PORT,
        ready_timeout: float = READY_TIMEOUT_S,
        token: str | None = None,
        team_id: str | None = None,
        project_id: str | None = None,
        base_url: str | None = None,
        request_timeout: float = REQUEST_TIMEOUT_S,
        create_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is asked of Vercel before the first call.

        Args:
            image: Of Vercel's container registry. It needs the server or a Python >= 3.11. Default: what
                `sandbox-agent image build` made, else Vercel's own `vercel/sandbox/universal:latest`.
            snapshot: Instead, a name that was given to `image build`, or the id of one of your snapshots.
            env: For the server and its agents; that of the single start wins. In a file of the sandbox's user.
            workdir: Where sessions start. Default: the image's, usually `/vercel/sandbox`.
            lifetime: Seconds until Vercel stops the sandbox, unless it is extended.
            vcpus: Processors. memory_mb: usually 2048 for each of them.
            internet: Whether the sandbox reaches the internet.
            ports: More ports to make public (four in all); `port_url` says where they are.
            region: Where it runs, `iad1`. Default: $VERCEL_REGION, or Vercel's choice.
            snapshot_expiration: Seconds that Vercel keeps a snapshot that is not used; 0 is for ever.
                Default: Vercel's, 30 days.
            server_port: In the sandbox. ready_timeout: seconds for the server to listen.
            token: With `team_id` and `project_id`, or none of them. Default: as Vercel's SDK finds them, in
                VERCEL_OIDC_TOKEN, or in VERCEL_TOKEN, VERCEL_TEAM_ID and VERCEL_PROJECT_ID.
            team_id: See `token`.
            project_id: See `token`.
            base_url: Of Vercel's API. request_timeout: seconds for one request to it.
            create_options: Arguments of the SDK's `create_sandbox`, laid over ours; `tags` and `ports` are added.

        Raises:
            InvalidRequest: an option is wrong.
        """
        if lifetime < 1:
            raise InvalidRequest(f"lifetime={lifetime:g}: give at least one second")
        if len({bool(token), bool(team_id), bool(project_id)}) != 1:
            raise InvalidRequest("Give token, team_id and project_id, or none of them.")
        super().__init__(
            env=env, workdir=workdir, server_port=server_port, ready_timeout=ready_timeout
        )
        if image is not None and snapshot is not None:
            raise InvalidRequest("Give either image or snapshot.")
        self._image = image
        self._snapshot = snapshot
        self._lifetime_s = lifetime
        self._vcpus = vcpus
        self._memory_mb = memory_mb
        self._internet = internet
        self._ports = tuple(ports)
        self._region = region
        self._snapshot_expiration_s = snapshot_expiration
        self._create_options = self._checked(
            create_options, _taken, of="SandboxClient.create_sandbox"
        )
        self._api = Api(
            base_url=base_url,
            token=token,
            team_id=team_id,
            project_id=project_id,
            request_timeout_s=request_timeout,
        )

    async def _may_have_server(self) -> bool:
        return self._names_image

    @property
    def _names_image(self) -> bool:
        return (
            self._image is not None
            or self._snapshot is not None
            or not self._create_options.keys().isdisjoint({"image", "source"})
        )

    async def _ask_account(self) -> None:
        async with self._api.client() as client:
            await sandboxes.find_ours(client, most=1)

    @asynccontextmanager
    async def _made(self, spec: SandboxSpec) -> AsyncIterator[Sandbox]:
        async with self._api.client() as client:
            arguments = self._arguments(spec) | await self._source(client, spec)
            async with self._new(client, arguments, spec) as sandbox:
                yield sandbox

    @asynccontextmanager
    async def _new(
        self, client: SandboxClient, arguments: Mapping[str, Any], spec: SandboxSpec
    ) -> AsyncIterator[Sandbox]:
        name = str(arguments["name"])
        spec.report(f"creating the Vercel sandbox {name}")
        remove = partial(sandboxes.remove, client, name)
        async with removed_on_failure(remove, what=f"the Vercel sandbox {name}"):
            yield self._require_running(await to_its_end(self._make(client, arguments)))

    async def _source(self, client: SandboxClient, spec: SandboxSpec) -> dict[str, Any]:
        """The snapshot that its user named; else that of this server, where there is one and no image was named."""
        if self._snapshot is None and self._names_image:
            return {}
        wanted = self._snapshot or image_name(spec.wheels())
        if (kept := await images.find(client, wanted)) is not None:
            return _from_snapshot(kept.snapshot)
        if self._snapshot is not None:
            if await images.is_there(client, self._snapshot):
                return _from_snapshot(self._snapshot)
            raise InvalidRequest(
                f"There is no Vercel snapshot {wanted!r} (any more). Make it with `sandbox-agent image build --provider "
                f"vercel --name {wanted}`.",
                provider=self.name,
            )
        spec.report(
            "the server is installed at each start; once and for all: `sandbox-agent image build --provider vercel`"
        )
        return {}

    def _default_workdir(self, sandbox: Sandbox, home: str) -> str:
        del home
        return sandbox.cwd or WORKDIR

    def _arguments(self, spec: SandboxSpec) -> dict[str, Any]:
        from vercel.sandbox import NetworkPolicy, SandboxResources  # noqa: PLC0415 - SDK on first use

        arguments: dict[str, Any] = {
            # Ours to choose, so that we know what to destroy when the answer never comes.
            "name": f"sandbox-agent-{secrets.token_hex(8)}",
            "image": self._image,
            "ports": [self._port, *self._ports],
            "execution_time_limit": self._lifetime_s,
            "persistent": True,
            "tags": to_tags(spec.labels),
            "region": self._region,
        }
        if self._vcpus is not None or self._memory_mb is not None:
            arguments["resources"] = SandboxResources(vcpus=self._vcpus, memory=self._memory_mb)
        if not self._internet:
            arguments["network_policy"] = NetworkPolicy.deny_all()
        if self._snapshot_expiration_s is not None:
            arguments["snapshot_expiration"] = timedelta(seconds=self._snapshot_expiration_s)
        given = dict(self._create_options)
        arguments["tags"] = {**given.pop("tags", {}), **arguments["tags"]}
        arguments["ports"] += given.pop("ports", ())
        return arguments | given

    async def _make(self, client: SandboxClient, arguments: Mapping[str, Any]) -> Sandbox:
        async def ask() -> Sandbox:
            return await client.create_sandbox(**arguments)

        try:
            return await call(ask)
        except (TypeError, ValueError) as exc:
            raise InvalidRequest(f"create_options: {exc}", provider=self.name) from exc

    @asynccontextmanager
    async def _running(self, ref: SandboxRef) -> AsyncIterator[Sandbox]:
        async with self._api.client() as client:
            yield self._require_running(await sandboxes.get(client, ref.id))

    def _require_running(self, sandbox: Sandbox) -> Sandbox:
        if sandbox.status == "running" and sandbox.current_session is not None:
            return sandbox
        state = sandboxes.state_of(sandbox)
        kind = SandboxAsleep if state in ("paused", "stopped") else ProviderError
        raise kind(
            f"The Vercel sandbox {sandbox.name!r} is {sandbox.status}. Resume it first.",
            provider=self.name,
            sandbox=sandbox.name,
            state=state,
        )

    def _machine(self, sandbox: Sandbox) -> VercelMachine:
        assert sandbox.current_session is not None
        return VercelMachine(sandbox.name, sandbox.current_session)

    def _id(self, sandbox: Sandbox) -> str:
        return sandbox.name

    async def _reach(self, sandbox: Sandbox, port: int) -> Endpoint:
        return Endpoint(url=sandboxes.url_of(sandbox, port))

    async def pause(self, ref: SandboxRef) -> None:
        """Stop it. Its files are in a snapshot then; its processes are gone.

        Raises:
            ProviderError: it was made with `persistent=False`, so stopping it would lose its files.
        """
        async with self._api.client() as client:
            sandbox = await sandboxes.get(client, ref.id)
            if sandbox.persistent is False:
                raise ProviderError(
                    f"The Vercel sandbox {ref.id!r} is not persistent: stopping it would lose its files.",
                    provider=self.name,
                    sandbox=ref.id,
                )
            if sandbox.status == "running":
                await call(sandbox.stop, sandbox=ref.id)
            await sandboxes.settled(client, ref.id)

    async def resume(self, ref: SandboxRef) -> None:
        """A new session with a whole lifetime before it. Its server needs `ensure_server`."""
        async with self._api.client() as client:
            sandbox = await sandboxes.settled(client, ref.id)
            if sandbox.status == "running":
                return

            async def ask() -> Sandbox:
                return await client.resume_sandbox(name=ref.id)

            await call(ask, sandbox=ref.id)
            await sandboxes.settled(client, ref.id)

    async def _ends_at(self, sandbox: Sandbox, ref: SandboxRef) -> datetime | None:
        return sandboxes.end_of(sandbox)

    async def extend(self, ref: SandboxRef, seconds: float) -> datetime | None:
        """Raises: ProviderError when it is stopped, or the plan allows no more."""
        async with self._running(ref) as sandbox:
            session = sandbox.current_session
            assert session is not None
            missing, ends = timedelta(seconds=seconds), sandboxes.end_of(sandbox)
            if ends is not None:
                missing -= ends - datetime.now(UTC)
            # Vercel adds to what is left.
            if missing.total_seconds() <= 0:
                return ends
            more = max(SHORTEST_EXTENSION_S, missing.total_seconds())
            await call(lambda: session.extend_execution_time_limit(more), sandbox=ref.id)
        return None if ends is None else ends + timedelta(seconds=more)

    async def build_image(self, spec: ImageSpec) -> SandboxImage:
        """A snapshot of a sandbox that the server and the agents were installed in. That one stays, stopped, and is what
        keeps it; the one from before is destroyed.

        Raises:
            InvalidRequest: it wants packages.
            ProviderError: a step failed; the message ends with what it said.
        """
        refuse_packages(spec, provider=self.name)
        base = spec.base or self._image
        # What a sandbox has is decided when it is made.
        spec = replace(spec, base=base or self._snapshot, cpus=None, memory_mb=None)
        default = image_name(spec.wheels)
        name = spec.name or default
        image = SandboxImage(
            provider=self.name, name=name, options={"snapshot": name}, is_default=name == default
        )
        async with self._api.client() as client:
            kept = await images.find(client, name)
            if kept is not None and kept.digest == spec.digest and not spec.rebuild:
                return replace(image, is_new=False)
            wanted = SandboxSpec(agents=spec.agents, report=spec.report)
            arguments = self._to_build(base, name)
            if base is None and self._snapshot is not None:
                arguments |= await self._source(client, wanted)
            async with self._new(client, arguments, wanted) as sandbox:
                await self._warn_of_memory(sandbox, wanted)
                await install_image(self._machine(sandbox), spec, provider=self.name)
                spec.report("stopping it, which makes the snapshot")
                await images.finish(client, sandbox, name, spec.digest)
            await images.remove_others(client, name, sandbox.name)
        return image

    def _to_build(self, base: str | None, name: str) -> dict[str, Any]:
        """Arguments of `create_sandbox`, for one that reaches the internet and has no port open."""
        elsewhere = {"ports", "network_policy", *self._create_options}
        given = self._arguments(SandboxSpec()).items()
        return {
            **{key: value for key, value in given if key not in elsewhere},
            "name": f"sandbox-agent-image-{secrets.token_hex(8)}",
            "image": base,
            "execution_time_limit": LIFETIME_S,
            "persistent": True,
            "tags": images.tags_of(name),
        }

    async def list_images(self, *, wheels: Sequence[Wheel] = ()) -> Sequence[SandboxImage]:
        async with self._api.client() as client:
            return await images.listed(client, image_name(wheels))

    async def remove_image(self, name: str) -> None:
        async with self._api.client() as client:
            await images.remove(client, name)

    async def destroy(self, ref: SandboxRef) -> None:
        """With the snapshots that no other sandbox uses."""
        async with self._api.client() as client:
            await sandboxes.remove(client, ref.id)

    async def list(self, labels: Mapping[str, str] | None = None) -> list[SandboxInfo]:
        async with self._api.client() as client:
            found = [self._info(one) for one in await sandboxes.find_ours(client)]
        return [info for info in found if (labels or {}).items() <= info.labels.items()]

    def _info(self, sandbox: Sandbox) -> SandboxInfo:
        created_at = None if sandbox.created_at is None else sandboxes.time_of(sandbox.created_at)
        return SandboxInfo(
            ref=self._ref(sandbox),
            state=sandboxes.state_of(sandbox),
            created_at=created_at,
            labels=from_tags(sandbox.tags or {}, created_at),
        )


def _from_snapshot(id_: str) -> dict[str, Any]:
    from vercel.sandbox import SnapshotSource  # noqa: PLC0415 - the SDK is imported on first use

    return {"image": None, "source": SnapshotSource(snapshot_id=id_)}


def _taken() -> Collection[str]:
    from vercel.sandbox import SandboxClient  # noqa: PLC0415 - the SDK is imported on first use

    taken = signature(SandboxClient.create_sandbox).parameters
    return [one.name for one in taken.values() if one.kind is one.KEYWORD_ONLY]
