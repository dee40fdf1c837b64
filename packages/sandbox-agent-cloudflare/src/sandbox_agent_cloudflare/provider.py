"""The provider: containers of Cloudflare, through the bridge of a Worker that its user deploys."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderAuthError,
    ProviderError,
    SandboxAgentError,
    SandboxNotFound,
)
from sandbox_agent_core.provisioning import (
    ServerLayout,
    ensure_running,
    find_home,
    provision,
    read_token,
    tail_log,
)
from sandbox_agent_core.spi.provider import (
    Check,
    Endpoint,
    Preflight,
    SandboxRef,
    SandboxSpec,
)

from sandbox_agent_cloudflare.bridge import WORKSPACE, Bridge
from sandbox_agent_cloudflare.errors import PROVIDER
from sandbox_agent_cloudflare.machine import CloudflareMachine

__all__ = ["CloudflareProvider"]

logger = logging.getLogger(__name__)

SERVER_PORT = 2468
RESERVED_PORT = 3000
LOWEST_PORT = 1024
SLEEP_AFTER_S = 600.0
"""What a Worker has unless its code says otherwise."""
READY_TIMEOUT_S = 60.0
REQUEST_TIMEOUT_S = 120.0
LOOK_TIMEOUT_S = 60.0
SETTLE_TIMEOUT_S = 60.0
"""For a container whose start was cancelled: only when it is there it can be destroyed."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A sandbox that we have made, and not an empty one of the same name."""

    machine: CloudflareMachine
    layout: ServerLayout


class CloudflareProvider:
    """Sandboxes are containers that a Worker starts. What image they have, how long they stay awake and how many
    there may be is in the Worker's configuration.

    The server is reached through a tunnel with a public URL: its token is all that protects it.
    """

    name = PROVIDER

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
        self._env = dict(env or {})
        self._tunnel_name = tunnel_name
        self._sleep_after_s = sleep_after
        self._port = server_port
        self._ready_timeout_s = ready_timeout
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

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        """`spec.labels` are not kept: the bridge has no place for them.

        Raises:
            ProviderAuthError, ProviderQuotaExceeded, ProviderUnavailable, ProviderError: the bridge refuses.
            ServerStartFailed: the server could not be installed or did not listen; `details.log` has its words.
        """
        spec.report("creating a Cloudflare sandbox")
        sandbox = await self._bridge.new_id()
        machine = CloudflareMachine(self._bridge, sandbox)
        try:
            spec.report("starting its container")
            home, workspace = await _to_its_end(self._start(machine))
            layout = ServerLayout(home)
            await provision(
                machine,
                spec,
                layout,
                port=self._port,
                host="127.0.0.1",  # the tunnel begins in the container
                cwd=workspace,
                env={**self._env, **spec.env},
                ready_timeout_s=self._ready_timeout_s,
            )
        except BaseException:
            await self._discard(sandbox)
            raise
        return SandboxRef(
            provider=self.name, id=sandbox, metadata={"port": self._port, "home": home}
        )

    async def _start(self, machine: CloudflareMachine) -> tuple[str, str]:
        """By the first use. The home directory and the workspace."""
        home = await find_home(machine)
        done = await machine.run("pwd", timeout_s=LOOK_TIMEOUT_S)
        return home, done.stdout.strip() or WORKSPACE

    async def _discard(self, sandbox: str) -> None:
        """On the way out of a failure, which stays the one that is raised."""
        try:
            await self._bridge.delete(sandbox)
        except SandboxAgentError:
            logger.exception("the Cloudflare sandbox %s may be left behind", sandbox)

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        """Raises: SandboxNotFound when it was destroyed, or has slept: it forgets everything then."""
        opened = await self._open(ref)
        url = await self._bridge.tunnel(
            ref.id, self._server_port(ref), name=self._name_of_tunnel(ref)
        )
        return Endpoint(url=url, token=await read_token(opened.machine, opened.layout))

    async def port_url(self, ref: SandboxRef, port: int) -> str:
        """A tunnel to a port on which something listens in the sandbox.

        Raises:
            InvalidRequest: a port that Cloudflare does not take.
            SandboxNotFound: it was destroyed, or has slept.
            ProviderUnavailable: nothing listens there.
        """
        _check_port(port)
        await self._open(ref)
        name = self._name_of_tunnel(ref)
        return await self._bridge.tunnel(ref.id, port, name=name and f"{name}-{port}")

    async def ensure_server(self, ref: SandboxRef) -> None:
        opened = await self._open(ref)
        await ensure_running(opened.machine, opened.layout, timeout_s=self._ready_timeout_s)

    async def extend(self, ref: SandboxRef, seconds: float) -> None:
        """A call is what keeps it awake, for `sleep_after` from then; what goes through the tunnel is none.

        Raises:
            ProviderError: `seconds` are more than that; it has been kept awake for as long as it can be.
        """
        await self._open(ref)
        if seconds > self._sleep_after_s:
            raise ProviderError(
                f"A Cloudflare sandbox can be kept awake for {self._sleep_after_s:g} s at a time, not {seconds:g}. "
                "Raise `sleepAfter` in the Worker, and tell the provider with `sleep_after`.",
                provider=self.name,
                sandbox=ref.id,
            )

    async def destroy(self, ref: SandboxRef) -> None:
        try:
            await self._bridge.delete(ref.id)
        except SandboxNotFound:
            return

    async def logs(self, ref: SandboxRef, *, tail: int = 200) -> str:
        opened = await self._open(ref)
        return await tail_log(opened.machine, opened.layout, tail=tail)

    async def _open(self, ref: SandboxRef) -> _Opened:
        """Looking for a sandbox that is gone makes an empty one, which is removed again.

        Raises:
            SandboxNotFound
        """
        machine = CloudflareMachine(self._bridge, ref.id)
        home = ref.metadata.get("home")
        layout = ServerLayout(str(home) if home else await find_home(machine))
        look = f"[ -d {shlex.quote(layout.state)} ]"
        if (await machine.run(look, timeout_s=LOOK_TIMEOUT_S)).exit_code != 0:
            await self._discard(ref.id)
            raise SandboxNotFound(
                f"There is no Cloudflare sandbox {ref.id!r} (any more): it was destroyed, or it slept, which "
                "loses its files.",
                provider=self.name,
                sandbox=ref.id,
            )
        return _Opened(machine, layout)

    def _name_of_tunnel(self, ref: SandboxRef) -> str | None:
        return f"{self._tunnel_name}-{ref.id[:12]}" if self._tunnel_name else None

    def _server_port(self, ref: SandboxRef) -> int:
        return int(ref.metadata.get("port", self._port))


def _check_port(port: int) -> None:
    if port == RESERVED_PORT or not LOWEST_PORT <= port <= 65535:
        raise InvalidRequest(
            f"Port {port}: Cloudflare takes {LOWEST_PORT} to 65535 without {RESERVED_PORT}."
        )


async def _to_its_end(starting: Any) -> Any:
    """A container that is being started cannot be destroyed: a cancellation waits until it is there."""
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=SETTLE_TIMEOUT_S)
        if not task.done():
            task.cancel()
        elif not task.cancelled() and (exc := task.exception()):
            logger.info("cancelled while a container did not start: %s", exc)
        raise
