# Generated from `_async/sandbox.py` by `scripts/unasync.py`: do not edit.
"""The sandbox of a client, as its user handles it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from sandbox_agent_core.errors import CapabilityNotSupported, InvalidRequest, PortNotOpen
from sandbox_agent_core.spi.provider import (
    Capabilities,
    PortUrl,
    SandboxImage,
    SandboxProvider,
    SandboxRef,
    SupportsPause,
    require,
)

from sandbox_agent_client._callbacks import check_callback
from sandbox_agent_client._sync._backend import CALLBACKS_MAY_BE_ASYNC, Portal
from sandbox_agent_client._sync.ending import ENDING_BEFORE_S, Ending
from sandbox_agent_client._sync.ports import proxied
from sandbox_agent_client._sync.transport import Transport
from sandbox_agent_client.sandboxes.progress import StartupStep
from sandbox_agent_client.sandboxes.sandbox import Launched

__all__ = ["SandboxSync"]

logger = logging.getLogger(__name__)

LOG_LINES = 200


class SandboxSync:
    """Made by the client that started it or took it over: `client.sandbox`.

    What the provider cannot do raises errors.CapabilityNotSupported; `capabilities` says it beforehand.
    """

    def __init__(self, launched: Launched, portal: Portal, transport: Transport) -> None:
        self._launched = launched
        self._portal = portal
        self._transport = transport
        self.endings: set[Ending] = set()
        self.endings_changed: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.ref.provider} {self.ref.id}>"

    @property
    def ref(self) -> SandboxRef:
        """Names it. `ref.to_json()` holds no secret; `SandboxAgentSync.start(ref=…)` takes it, in any process."""
        return self._launched.ref

    @property
    def provider(self) -> SandboxProvider:
        """What made it."""
        return self._launched.provider

    @property
    def capabilities(self) -> Capabilities:
        return self._launched.capabilities

    @property
    def startup(self) -> Sequence[StartupStep]:
        """What the start did, and how long each step took."""
        return self._launched.steps

    @property
    def ends_at(self) -> datetime | None:
        """When its provider ends it by itself (destroys, stops or pauses it; the provider's page says which), in UTC.
        None: it does not, nobody knows, or it sleeps. As of the last answer of the provider: while the sandbox is
        used the client prolongs its life, and this moves on."""
        return None if self.is_paused else self._launched.ends_at

    def on_ending(
        self,
        callback: Callable[[datetime], object],
        *,
        before: float = ENDING_BEFORE_S,
    ) -> Callable[[], None]:
        """Call back with `ends_at`, once, `before` so many seconds: to `extend` it, or to save what is in it. A life
        that is prolonged afterwards is told of again. A callback that raises is logged. Returns what ends it.

        Without one the end is a `WARNING` of the log, two minutes before.

        Raises:
            TypeError: `callback` cannot be called with a time.
        """
        check_callback(
            callback, "on_ending", argument="the time", may_be_async=CALLBACKS_MAY_BE_ASYNC
        )
        ending = Ending(callback, before_s=before)
        self.endings.add(ending)
        self.endings_changed()

        def end() -> None:
            self.endings.discard(ending)

        return end

    @property
    def is_paused(self) -> bool:
        """As far as this client knows: it has paused it, or found it so when it called."""
        return self._transport.whereabouts.is_asleep

    def pause(self) -> None:
        """Stop paying for the processor. The next call of this client resumes it; streams wait until then."""
        require(self._launched.provider, SupportsPause)
        self._transport.whereabouts.fall_asleep(lambda: self._portal.run(self._launched.pause))

    def resume(self) -> None:
        """Wake it, whoever paused it, start its server where that does not run, ask where that answers, and wait
        until it does. Doing it to one that runs succeeds. Not needed before a call, unless `start(wake="never")`.

        Raises:
            errors.SandboxNotFound: it was destroyed, or its lifetime has lapsed.
            errors.ServerStartFailed: its server does not answer; `details.log` has its last lines.
            errors.ProviderError: the provider could not, or not in time.
        """
        self._transport.whereabouts.wake()

    def extend(self, seconds: float) -> None:
        """Let it live for at least that long from now.

        Raises:
            errors.ProviderError: it cannot live for so long; the message has the provider's reason.
        """
        self._portal.run(lambda: self._launched.extend(seconds))
        self.endings_changed()

    def logs(self, *, tail: int = LOG_LINES) -> str:
        """The last lines of the log of its server."""
        return self._portal.run(lambda: self._launched.logs(tail=tail))

    def port_url(self, port: int) -> PortUrl:
        """Where a port of the sandbox is reached from here: a development server that the agent has started, say.

            found = client.sandbox.port_url(3000)
            webbrowser.open(found.url)

        At the provider's own address for it, or else through the sandbox's server (`found.via` says which; see
        `client.ports.url`). `found.headers` are what a gateway wants; a browser opens the URL where there are none.

        Raises:
            errors.SandboxNotFound: it is gone.
            errors.PortForbidden: the provider has no address for it, and the server keeps it closed.
        """
        try:
            return self._portal.run(lambda: self._launched.port_url(port))
        except (PortNotOpen, CapabilityNotSupported, InvalidRequest) as exc:
            logger.info("port %s goes through the server of the sandbox: %s", port, exc.message)
        return proxied(self._transport, port)

    def snapshot(self, *, name: str | None = None) -> SandboxImage:
        """Its files as an image that others are made from; it runs on.

            image = client.sandbox.snapshot()
            SandboxAgentSync.start(image.provider, **image.options)

        The workspace, what was installed, and the sessions with their logs are in it; what was given as `env` is
        not, and logins that agents have written to files are. It costs storage until it is removed. `name`: to find
        it by, where the provider has names.

        Raises:
            errors.CapabilityNotSupported: the provider has no snapshots.
            errors.ProviderError: the sandbox is paused (`details.state`), or the provider makes none.
        """
        return self._portal.run(lambda: self._launched.snapshot(name=name))

    def destroy(self) -> None:
        self._portal.run(self._launched.destroy)
