"""Calls of the Docker daemon. Docker's SDK blocks, so each call runs on a thread with a client of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any, TypeVar

from sandbox_agent_core.errors import ProviderNotInstalled, ProviderUnavailable
from sandbox_agent_core.installed_from import pip_install

from sandbox_agent_docker.daemon_address import DaemonAddress, TlsFiles
from sandbox_agent_docker.errors import daemon_errors
from sandbox_agent_docker.relay import Relay
from sandbox_agent_docker.ssh import SshHost
from sandbox_agent_docker.tunnel import Tunnels

__all__ = ["Daemon", "Use"]

MAX_PARALLEL_CALLS = 64
"""Calls of one provider that can be under way; more wait for their turn."""
ANSWER_TIMEOUT_S = 60.0
"""For the daemon to begin its answer, or to go on with it."""

MAX_SSH_CALLS = 8
"""At once: an sshd takes ten sessions of one connection, and ten that log in, unless told otherwise."""
MAX_KEPT_CLIENTS = 4
"""Connections by ssh that wait for the next call."""

_UNIX = "http+unix://"

T = TypeVar("T")
Use = Callable[[Any], T]
"""Does its work with a `docker.DockerClient`, on a thread."""


class Daemon:
    def __init__(self, find: Callable[[], DaemonAddress]) -> None:
        """`find` is asked on the first call, so that a provider can be made without a daemon."""
        self._find = find
        self._api_version: str | None = None
        self._threads = ThreadPoolExecutor(MAX_PARALLEL_CALLS, "sandbox-agent-docker")
        self._opening = threading.Lock()
        self._relay: Relay | None = None
        self._tunnels: Tunnels | None = None
        self._ssh_turns = threading.BoundedSemaphore(MAX_SSH_CALLS)
        self._kept: list[Any] = []
        weakref.finalize(self, _close_all, self._kept)

    @cached_property
    def address(self) -> DaemonAddress:
        """Raises: ProviderError when Docker's configuration is wrong."""
        return self._find()

    @property
    def has_tunnels(self) -> bool:
        """Ports of its machine are reached by ssh, as it is itself."""
        return self.address.is_ssh and sys.platform != "win32"

    async def tunnel(self, sandbox: str, remote: tuple[str, int]) -> int:
        """A port of this machine that leads to that address as the daemon's machine sees it; it stays until the
        sandbox is forgotten.

        Raises:
            ProviderUnavailable: ssh does not get there.
        """
        with self._opening:
            if self._tunnels is None:
                self._tunnels = Tunnels(SshHost.of(self.address.url or ""))
        port = self._threads.submit(self._tunnels.port, sandbox, remote)
        return await asyncio.wrap_future(port)

    async def forget(self, sandbox: str) -> None:
        """The sandbox is gone, and what led to it goes."""
        if self._tunnels is not None:
            await asyncio.wrap_future(self._threads.submit(self._tunnels.forget, sandbox))

    async def call(
        self,
        use: Use[T],
        *,
        sandbox: str | None = None,
        only_listens: bool = False,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> T:
        """What `use` returns. Afterwards nothing of the call is at work any more, also after a cancellation.

        A cancelled call is waited for, so that what it has made is known; one that `only_listens` (to a
        script, a pull, a build) is cut off from the daemon at once.

        Raises:
            ProviderNotInstalled: Docker's SDK is not installed.
            ProviderError: see `daemon_errors`.
        """
        loop = asyncio.get_running_loop()
        answers = _Answers()
        work = loop.run_in_executor(
            self._threads, self._call, use, answers, sandbox, answer_timeout_s
        )
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as exc:
                cancelled = exc
                if only_listens:
                    answers.cut()
        if cancelled is not None:
            work.exception()
            raise cancelled
        return work.result()

    def _call(
        self, use: Use[T], answers: _Answers, sandbox: str | None, answer_timeout_s: float
    ) -> T:
        import_sdk()
        relay = self._open_relay() if self.has_tunnels else None
        turn = self._ssh_turns if relay else nullcontext()
        try:
            with turn, daemon_errors(self.address, sandbox=sandbox):
                url = relay.url if relay else self.address.url
                if relay is None:
                    _check_listens(url)
                with self._client(url, answer_timeout_s, is_kept=relay is not None) as client:
                    client.api.hooks["response"] = [answers.take]
                    try:
                        return use(client)
                    finally:
                        answers.close()
        except ProviderUnavailable as exc:
            if relay is None:
                raise
            raise SshHost.of(self.address.url or "").unavailable(relay.last_words()) from exc

    @contextmanager
    def _client(self, url: str | None, answer_timeout_s: float, *, is_kept: bool) -> Iterator[Any]:
        """Of this call alone, so that nothing of it is left; but where it takes long to connect it is kept for the
        next one."""
        try:
            client = self._kept.pop()
        except IndexError:
            client = self._open(url, answer_timeout_s)
        client.api.timeout = answer_timeout_s
        has_failed = True
        try:
            yield client
            has_failed = False
        finally:
            if is_kept and not has_failed and len(self._kept) < MAX_KEPT_CLIENTS:
                self._kept.append(client)
            else:
                client.close()

    def _open_relay(self) -> Relay:
        host = SshHost.of(self.address.url or "")
        with self._opening:
            if self._relay is None:
                try:
                    self._relay = Relay(host)
                except FileNotFoundError as exc:
                    raise host.unavailable("there is no program `ssh` here") from exc
            return self._relay

    def _open(self, url: str | None, answer_timeout_s: float) -> Any:
        docker = import_sdk()
        client = docker.DockerClient(
            base_url=url,
            version=self._api_version or "auto",
            timeout=answer_timeout_s,
            tls=_tls_config(self.address.tls),
            # Where there is no relay (Windows): the user's own ssh, instead of another implementation of it.
            use_ssh_client=True,
        )
        self._api_version = client.api._version
        return client


def _check_listens(url: str | None) -> None:
    """Docker's SDK leaves its socket open when nobody listens at the other end. Raises: OSError."""
    from docker.utils import parse_host  # noqa: PLC0415

    host = parse_host(url, is_win32=sys.platform == "win32")
    if host.startswith(_UNIX):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(ANSWER_TIMEOUT_S)
            probe.connect("/" + host.removeprefix(_UNIX).lstrip("/"))


def _close_all(clients: list[Any]) -> None:
    while clients:
        clients.pop().close()


class _Answers:
    """The daemon's answers in one call: streams that another thread can cut, and that must be closed."""

    def __init__(self) -> None:
        self._all: list[Any] = []
        self._is_cut = threading.Event()

    def take(self, answer: Any, **_: Any) -> None:
        self._all.append(answer)
        if self._is_cut.is_set():
            _cut(answer)

    def cut(self) -> None:
        self._is_cut.set()
        for answer in list(self._all):
            _cut(answer)

    def close(self) -> None:
        # A stream that was not read to its end, or is no HTTP any more, outlives its client.
        for answer in self._all:
            answer.close()


def _cut(answer: Any) -> None:
    from docker.types import CancellableStream  # noqa: PLC0415

    # Some are over already, and not every transport can do it; then the daemon's own end is waited for.
    with contextlib.suppress(Exception):
        CancellableStream(None, answer).close()


def import_sdk() -> Any:
    """Raises: ProviderNotInstalled when it cannot be imported."""
    try:
        import docker  # noqa: PLC0415 - the SDK is imported on first use
    except ImportError as exc:
        raise ProviderNotInstalled(
            f"Docker's SDK cannot be imported: {exc}. Run `{pip_install('sandbox-agent-docker')}`.",
            provider="docker",
        ) from exc
    return docker


def _tls_config(files: TlsFiles | None) -> Any:
    if files is None:
        return False
    from docker.tls import TLSConfig  # noqa: PLC0415

    certificate = files.client_certificate
    return TLSConfig(
        client_cert=tuple(map(str, certificate)) if certificate else None,
        ca_cert=str(files.ca) if files.ca else None,
        verify=files.verify,
    )
