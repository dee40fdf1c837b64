"""The sandbox of a client, as its user handles it."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_agent_core.spi.provider import Capabilities, SandboxRef, SupportsPause, require

from sandbox_agent_client._async._backend import Portal
from sandbox_agent_client._async.transport import Transport
from sandbox_agent_client.sandboxes.progress import StartupStep
from sandbox_agent_client.sandboxes.sandbox import Launched

__all__ = ["Sandbox"]

LOG_LINES = 200


class Sandbox:
    """Made by the client that started it or took it over: `client.sandbox`.

    What the provider cannot do raises errors.CapabilityNotSupported; `capabilities` says it beforehand.
    """

    def __init__(self, launched: Launched, portal: Portal, transport: Transport) -> None:
        self._launched = launched
        self._portal = portal
        self._transport = transport

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.ref.provider} {self.ref.id}>"

    @property
    def ref(self) -> SandboxRef:
        """Names it. `ref.to_json()` holds no secret; `SandboxAgent.start(ref=…)` takes it, in any process."""
        return self._launched.ref

    @property
    def capabilities(self) -> Capabilities:
        return self._launched.capabilities

    @property
    def startup(self) -> Sequence[StartupStep]:
        """What the start did, and how long each step took."""
        return self._launched.steps

    @property
    def is_paused(self) -> bool:
        """As far as this client knows: it has paused it, or found it so when it called."""
        return self._transport.whereabouts.is_asleep

    async def pause(self) -> None:
        """Stop paying for the processor. The next call of this client resumes it; streams wait until then."""
        require(self._launched.provider, SupportsPause)
        await self._transport.whereabouts.fall_asleep(
            lambda: self._portal.run(self._launched.pause)
        )

    async def resume(self) -> None:
        """Wake it, whoever paused it, start its server where that does not run, ask where that answers, and wait
        until it does. Doing it to one that runs succeeds. Not needed before a call, unless `start(wake="never")`.

        Raises:
            errors.SandboxNotFound: it was destroyed, or its lifetime has lapsed.
            errors.ServerStartFailed: its server does not answer; `details.log` has its last lines.
            errors.ProviderError: the provider could not, or not in time.
        """
        await self._transport.whereabouts.wake()

    async def extend(self, seconds: float) -> None:
        """Let it live for at least that long from now."""
        await self._portal.run(lambda: self._launched.extend(seconds))

    async def logs(self, *, tail: int = LOG_LINES) -> str:
        """The last lines of the log of its server."""
        return await self._portal.run(lambda: self._launched.logs(tail=tail))

    async def port_url(self, port: int) -> str:
        """Where a port of the sandbox is reached from here: a development server that the agent has started, say.

        Raises:
            errors.ProviderError: that port is not open to the outside; the message says how to open it.
        """
        return await self._portal.run(lambda: self._launched.port_url(port))

    async def destroy(self) -> None:
        await self._portal.run(self._launched.destroy)
