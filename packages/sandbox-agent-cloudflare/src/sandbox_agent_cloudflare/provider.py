"""The provider: containers of Cloudflare, through the bridge of a Worker that its user deploys."""

from __future__ import annotations

import os
import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderAuthError,
    ProviderError,
    SandboxNotFound,
)
from sandbox_agent_core.provisioning import find_home
from sandbox_agent_core.provisioning.calls import to_its_end
from sandbox_agent_core.provisioning.provider import (
    READY_TIMEOUT_S,
    SERVER_PORT,
    MachineProvider,
    removed_on_failure,
)
from sandbox_agent_core.spi.provider import (
    Check,
    Endpoint,
    Preflight,
    SandboxRef,
    SandboxSpec,
)

from sandbox_agent_cloudflare.bridge import Bridge
from sandbox_agent_cloudflare.errors import PROVIDER
from sandbox_agent_cloudflare.machine import CloudflareMachine

__all__ = ["CloudflareProvider"]

RESERVED_PORT = 3000
LOWEST_PORT = 1024
SLEEP_AFTER_S = 600.0
"""What a Worker has unless its code says otherwise."""
REQUEST_TIMEOUT_S = 120.0
LOOK_TIMEOUT_S = 60.0
QUICK_TUNNELS = ".trycloudflare.com"


class CloudflareProvider(MachineProvider[SandboxRef]):
    """Sandboxes are containers that a Worker starts. What image they have, how long they stay awake and how many
    there may be is in the Worker's configuration.

    The server is reached through a tunnel with a public URL: its token is all that protects it.
    """

    name = PROVIDER
    server_host = "127.0.0.1"  # the tunnel begins in the container
    memory_remedy = "a larger `instance_type` in the Worker's configuration"

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        env: Mapping[str, str] | None = None,
        tunnel_name: str | None = None,
        sleep_after: float = SLEEP_AFTER_S,
        server_port: int = SERVER_PORT,
        ready_timeout: float = READY_TIMEOUT_S,
        request_timeout: float = REQUEST_TIMEOUT_S,
    ) -> None:
        """Nothing is asked of the bridge before the first call.

        Args:
            url: Of the Worker with the bridge. Default: $CLOUDFLARE_SANDBOX_URL.
            api_key: The Worker's SANDBOX_API_KEY. Default: $CLOUDFLARE_SANDBOX_API_KEY.
            env: For the server and its agents; that of the single start wins. In a file of the sandbox's user.
            tunnel_name: The beginning of the names of tunnels in the Worker's own domain, one for each
                sandbox. Default: a quick tunnel of trycloudflare.com, which is meant for trying out.
            sleep_after: Seconds without a call after which the Worker lets a sandbox end, as `sleepAfter` in
                its code says. A sandbox cannot be kept awake for longer at a time.
            server_port: In the sandbox, not 3000. ready_timeout: seconds for the server to listen.
            request_timeout: Seconds for one request; the first one to a sandbox waits for its container.

        Raises:
            InvalidRequest: an option is wrong.
        """
        _check_port(server_port)
        self._url = (url or os.environ.get("CLOUDFLARE_SANDBOX_URL") or "").rstrip("/")
        if self._url and not self._url.startswith(("https://", "http://")):
            raise InvalidRequest(f"url={self._url!r}: it begins with https://")
        super().__init__(
            env=env, workdir=None, server_port=server_port, ready_timeout=ready_timeout
        )
        self._tunnel_name = tunnel_name
        self._sleep_after_s = sleep_after
        self._bridge = Bridge(
            url=self._url,
            key=api_key or os.environ.get("CLOUDFLARE_SANDBOX_API_KEY") or None,
            request_timeout_s=request_timeout,
        )

    async def preflight(self) -> Preflight:
        if not self._url:
            message = (
                "Which bridge? Set CLOUDFLARE_SANDBOX_URL to the URL of the Worker that has it, and "
                "CLOUDFLARE_SANDBOX_API_KEY to its SANDBOX_API_KEY."
            )
            return Preflight(
                [Check(name="bridge", ok=False, message=message, error=ProviderAuthError)]
            )
        try:
            await self._bridge.check()
        except ProviderError as exc:
            return Preflight([Check(name="bridge", ok=False, message=exc.message, error=type(exc))])
        message = f"{self._url} takes the key"
        if self._bridge.key is None:
            message = (
                f"{self._url} wants no key: everybody can run code there. Give the Worker one with "
                "`wrangler secret put SANDBOX_API_KEY`"
            )
        return Preflight([Check(name="bridge", ok=True, message=message)])

    @asynccontextmanager
    async def _made(self, spec: SandboxSpec) -> AsyncIterator[SandboxRef]:
        """`spec.labels` are not kept: the bridge has no place for them."""
        spec.report("creating a Cloudflare sandbox")
        sandbox = await self._bridge.new_id()
        remove = partial(self._bridge.delete, sandbox)
        async with removed_on_failure(remove, what=f"the Cloudflare sandbox {sandbox}"):
            ref = SandboxRef(provider=self.name, id=sandbox, metadata={"port": self._port})
            spec.report("starting its container")  # by the first use
            await to_its_end(find_home(self._machine(ref)))
            yield ref

    def _default_workdir(self, sandbox: SandboxRef, home: str) -> str:
        """Where the bridge runs commands."""
        return "."

    @asynccontextmanager
    async def _running(self, ref: SandboxRef) -> AsyncIterator[SandboxRef]:
        """Looking for a sandbox that is gone makes an empty one, which is removed again.

        Raises:
            SandboxNotFound
        """
        machine, layout = await self._server(ref, ref)
        look = f"[ -d {shlex.quote(layout.state)} ]"
        if (await machine.run(look, timeout_s=LOOK_TIMEOUT_S)).exit_code != 0:
            remove = partial(self._bridge.delete, ref.id)
            async with removed_on_failure(remove, what=f"the Cloudflare sandbox {ref.id}"):
                raise SandboxNotFound(
                    f"There is no Cloudflare sandbox {ref.id!r} (any more): it was destroyed, or it slept, "
                    "which loses its files.",
                    provider=self.name,
                    sandbox=ref.id,
                )
        yield ref

    def _machine(self, sandbox: SandboxRef) -> CloudflareMachine:
        return CloudflareMachine(self._bridge, sandbox.id)

    def _id(self, sandbox: SandboxRef) -> str:
        return sandbox.id

    async def _reach(self, sandbox: SandboxRef, port: int) -> Endpoint:
        """A tunnel to a port on which something listens in the sandbox.

        Raises:
            InvalidRequest: a port that Cloudflare does not take.
            ProviderUnavailable: nothing listens there.
        """
        _check_port(port)
        name = f"{self._tunnel_name}-{sandbox.id[:12]}" if self._tunnel_name else None
        if name is not None and port != sandbox.metadata.get("port", self._port):
            name = f"{name}-{port}"
        url = await self._bridge.tunnel(sandbox.id, port, name=name)
        # "Quick Tunnels do not support Server-Sent Events", says Cloudflare.
        is_quick = (urlsplit(url).hostname or "").endswith(QUICK_TUNNELS)
        return Endpoint(url=url, stream_kind="ws" if is_quick else None)

    async def _ends_at(self, sandbox: SandboxRef, ref: SandboxRef) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._sleep_after_s)

    async def extend(self, ref: SandboxRef, seconds: float) -> datetime:
        """A call is what keeps it awake, for `sleep_after` from then; what goes through the tunnel is none.

        Raises:
            ProviderError: `seconds` are more than that; it has been kept awake for as long as it can be.
        """
        async with self._running(ref) as sandbox:
            ends_at = await self._ends_at(sandbox, ref)
        if seconds > self._sleep_after_s:
            raise ProviderError(
                f"A Cloudflare sandbox can be kept awake for {self._sleep_after_s:g} s at a time, not {seconds:g}. "
                "Raise `sleepAfter` in the Worker, and tell the provider with `sleep_after`.",
                provider=self.name,
                sandbox=ref.id,
            )
        return ends_at

    async def destroy(self, ref: SandboxRef) -> None:
        try:
            await self._bridge.delete(ref.id)
        except SandboxNotFound:
            return


def _check_port(port: int) -> None:
    if port == RESERVED_PORT or not LOWEST_PORT <= port <= 65535:
        raise InvalidRequest(
            f"Port {port}: Cloudflare takes {LOWEST_PORT} to 65535 without {RESERVED_PORT}."
        )
