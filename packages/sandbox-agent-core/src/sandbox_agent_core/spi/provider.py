"""The provider interface: a place where the server runs, and how to reach it.

A provider is found by the entry-point group `sandbox_agent.providers` and imports its SDK on first
use. It makes the server run *with a token*; the client waits for health and connects.

`SandboxProvider` (create, endpoint, destroy) is required. What a provider can do besides is what it has
the methods of: `SupportsPause`, `SupportsList`, `SupportsLogs`, `SupportsExtend`, `SupportsPorts`,
`SupportsPreflight`, `SupportsRestart`, `InstallsServer`, `SupportsImages`, `SupportsSnapshot`. There is nothing to
inherit from and nothing to declare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeVar, runtime_checkable

from sandbox_agent_core.errors import CapabilityNotSupported, ProviderError
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage
from sandbox_agent_core.spi.wheel import Wheel

__all__ = [
    "Capabilities",
    "Check",
    "Endpoint",
    "ImageSpec",
    "InstallsServer",
    "PortUrl",
    "Preflight",
    "SandboxImage",
    "SandboxInfo",
    "SandboxProvider",
    "SandboxRef",
    "SandboxSpec",
    "SandboxState",
    "StreamKind",
    "SupportsDockerfile",
    "SupportsExtend",
    "SupportsImages",
    "SupportsList",
    "SupportsLogs",
    "SupportsPause",
    "SupportsPorts",
    "SupportsPreflight",
    "SupportsRestart",
    "SupportsSnapshot",
    "TokenHeader",
    "Wheel",
    "capabilities_of",
    "require",
]


def _no_wheels() -> Sequence[Wheel]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """What the caller asks for, whatever the provider."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Given to the server's environment in the sandbox. Nothing of the caller's own leaks in."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Put on the sandbox where the provider can; the client adds its own (`spi.labels`)."""
    agents: Sequence[str] = ()
    """Installed while the sandbox is made, so that the first session does not wait."""
    wheels: Callable[[], Sequence[Wheel]] = field(default=_no_wheels, repr=False)
    """The server and core as installed here, packed on first call; empty when the server is not installed."""
    inspector: Callable[[], Sequence[Wheel]] | None = field(default=None, repr=False)
    """The Inspector as installed here, for a server that is installed; empty when it is not here. None: no Inspector."""
    wheelhouse: Sequence[Wheel] | Callable[[], Sequence[Wheel]] = field(default=(), repr=False)
    """Also their dependencies, for a sandbox without network: then nothing is asked of an index."""
    npm_registry: str | None = None
    """Where the caller's npm gets packages from, for agents in an image whose own configuration does not say."""
    keep: bool = False
    """The caller will leave it running: it must not end with this process."""
    report: Callable[[str], None] = lambda _step: None
    """Told in a few words which step is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRef:
    """Names one sandbox; can be stored and handed to another process. Holds no secret."""

    provider: str
    id: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"provider": self.provider, "id": self.id, "metadata": dict(self.metadata)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SandboxRef:
        """Raises: KeyError when `provider` or `id` is missing."""
        return cls(
            provider=data["provider"], id=data["id"], metadata=dict(data.get("metadata") or {})
        )


TokenHeader = Literal["Authorization", "X-Sandbox-Agent-Token"]
StreamKind = Literal["sse", "ws", "poll"]
"""How events come: server-sent events, a WebSocket, or pages that are waited for (long polling)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    url: str
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the provider's own gateway wants on every request."""
    expires_at: datetime | None = None
    """Ask `endpoint` again before this. None: it holds as long as the sandbox is not paused."""
    token_header: TokenHeader | None = None
    """Which header has the token. None: `Authorization`, as `Bearer`, unless `headers` have one."""
    stream_kind: StreamKind | None = None
    """What events are tried over first, where the network in between is known to hold the others back."""
    ends_at: datetime | None = None
    """When the provider ends the sandbox by itself (destroys, stops or pauses it), where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortUrl:
    """Where a port of a sandbox is reached. `str()` is the URL."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What a gateway wants with every request; with none, a browser can open the URL."""
    via: Literal["provider", "proxy"] = "provider"
    """By an address that the provider has for the port, or through the sandbox's server."""
    expires_at: datetime | None = None
    """Until when the URL has to be opened, where something in it is short-lived."""

    def __str__(self) -> str:
        return self.url


SandboxState = Literal["running", "paused", "stopped", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxInfo:
    """One sandbox of ours, as the provider lists it."""

    ref: SandboxRef
    state: SandboxState = "unknown"
    created_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One answer of `preflight`."""

    name: str
    ok: bool
    message: str
    """A sentence; when not ok, what to do."""
    error: type[ProviderError] = ProviderError
    """What a start is refused with when this is not ok: ProviderAuthError, ProviderUnavailable, …"""
    is_warning: bool = False
    """It is ok, and its message worth telling: a start goes on and logs it."""

    @property
    def state(self) -> str:
        """In a word, for people."""
        return "no" if not self.ok else "note" if self.is_warning else "ok"


@dataclass(frozen=True, slots=True)
class Preflight:
    checks: Sequence[Check]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(f"{check.state}  {check.name}: {check.message}" for check in self.checks)


class SandboxProvider(Protocol):
    name: str

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        """Make a sandbox with the server running in it. A failure or cancellation leaves nothing behind.

        Raises:
            ProviderError: it could not be made; the message says what to do.
        """
        ...

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        """Where its server answers now, with its token. Looking wakes nothing.

        Raises:
            SandboxAsleep: it is paused or stopped.
            SandboxNotFound: there is no such sandbox (any more).
        """
        ...

    async def destroy(self, ref: SandboxRef) -> None:
        """Remove the sandbox. Destroying one that is already gone succeeds."""
        ...


@runtime_checkable
class SupportsPreflight(SandboxProvider, Protocol):
    async def preflight(self) -> Preflight:
        """Credentials, SDK, daemon: checked before anything is made or billed. Never raises."""
        ...


@runtime_checkable
class InstallsServer(SandboxProvider, Protocol):
    """It makes machines into which the server is installed from `spec.wheels`."""

    async def check_server(self, spec: SandboxSpec) -> Check:
        """Whether a sandbox of that spec has a server or gets one; asked after `preflight`, before anything is
        made or billed.

        Raises:
            ProviderError: what has images does not answer.
        """
        ...


@runtime_checkable
class SupportsRestart(SandboxProvider, Protocol):
    async def ensure_server(self, ref: SandboxRef) -> None:
        """Start the server again where it does not run, in a sandbox that does; asked of each that is
        resumed or taken over.

        Raises:
            SandboxNotFound: the sandbox is gone.
            ServerStartFailed: with the last lines of its log.
        """
        ...


@runtime_checkable
class SupportsPause(SandboxProvider, Protocol):
    """A paused sandbox keeps its files, and its processes where the provider can."""

    async def pause(self, ref: SandboxRef) -> None:
        """Stop using the processor. Pausing a paused one succeeds."""
        ...

    async def resume(self, ref: SandboxRef) -> None:
        """Wake a paused one, also one that is taken over. Doing it to a running one succeeds."""
        ...


@runtime_checkable
class SupportsList(SandboxProvider, Protocol):
    async def list(self, labels: Mapping[str, str] | None = None) -> list[SandboxInfo]:
        """The sandboxes of ours (those with the label `spi.labels.OURS`) that also carry all `labels`."""
        ...


@runtime_checkable
class SupportsLogs(SandboxProvider, Protocol):
    async def logs(self, ref: SandboxRef, *, tail: int = 200) -> str:
        """The last lines of the server's log."""
        ...


@runtime_checkable
class SupportsExtend(SandboxProvider, Protocol):
    """Its sandboxes have a lifetime."""

    async def extend(self, ref: SandboxRef, seconds: float) -> datetime | None:
        """Let it live for at least `seconds` from now. Never shortens its life.

        When it ends then, where that is known.

        Raises:
            ProviderError: it cannot live for so long.
        """
        ...


@runtime_checkable
class SupportsPorts(SandboxProvider, Protocol):
    async def port_url(self, ref: SandboxRef, port: int) -> PortUrl:
        """Where a port of the sandbox is reached from here.

        Raises:
            SandboxNotFound: it is gone.
            PortNotOpen: that port is not open to the outside; the message says how to open it. The client then goes
                through the server of the sandbox.
        """
        ...


@runtime_checkable
class SupportsImages(SandboxProvider, Protocol):
    """It makes sandboxes from images, which it can build. `create` takes the one of this version of the server by
    itself when its user names none."""

    async def build_image(self, spec: ImageSpec) -> SandboxImage:
        """The image of that spec: built, or found when nothing has changed since.

        Raises:
            InvalidRequest: the spec asks for what this provider cannot do.
            ProviderError: a step failed; the message ends with what it said.
        """
        ...

    async def list_images(self, *, wheels: Sequence[Wheel] = ()) -> Sequence[SandboxImage]:
        """Those of ours, newest first. `wheels`: the server as it is installed here, by which the one is known that
        is used by default; where the vendor does not list, that is all there is."""
        ...

    async def remove_image(self, name: str) -> None:
        """Removing one that is not there succeeds.

        Raises:
            ProviderError: it is in use.
        """
        ...


@runtime_checkable
class SupportsDockerfile(SandboxProvider, Protocol):
    def dockerfile(self) -> str:
        """Of the images that it builds, to build by hand or to start from."""
        ...


@runtime_checkable
class SupportsSnapshot(SandboxProvider, Protocol):
    async def snapshot(self, ref: SandboxRef, *, name: str | None = None) -> SandboxImage:
        """The files of a running sandbox as an image, which others are made from. The sandbox runs on. What was
        given to it as `env` is not in it; logins and keys that were written to other files are.

        Raises:
            SandboxNotFound: it is gone.
            ProviderError: it does not run (`details.state`).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do, in the words that its users are told."""

    pause: bool
    list: bool
    logs: bool
    extend: bool
    ports: bool
    images: bool
    snapshot: bool

    def __str__(self) -> str:
        return ", ".join(word for word in _WORDS.values() if getattr(self, word)) or "none"


_WORDS: Final[Mapping[type, str]] = {
    SupportsPause: "pause",
    SupportsList: "list",
    SupportsLogs: "logs",
    SupportsExtend: "extend",
    SupportsPorts: "ports",
    SupportsImages: "images",
    SupportsSnapshot: "snapshot",
}

T = TypeVar("T")


def capabilities_of(provider: SandboxProvider) -> Capabilities:
    return Capabilities(**{word: isinstance(provider, kind) for kind, word in _WORDS.items()})


def require(provider: SandboxProvider, kind: type[T]) -> T:
    """The provider, which then has the methods of that protocol.

    Raises:
        CapabilityNotSupported: it has not.
    """
    if isinstance(provider, kind):
        return provider
    raise CapabilityNotSupported(
        f"Provider {provider.name!r} does not support {_WORDS[kind]!r}.",
        provider=provider.name,
        capability=_WORDS[kind],
    )
