"""Calls of the Docker daemon. Docker's SDK blocks, so each call runs on a thread with a client of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

from sandbox_agent_core.errors import ProviderNotInstalled
from sandbox_agent_core.installed_from import pip_install

from sandbox_agent_docker.daemon_address import DaemonAddress, TlsFiles
from sandbox_agent_docker.errors import daemon_errors

__all__ = ["Daemon", "Use"]

MAX_PARALLEL_CALLS = 64
"""Calls of one provider that can be under way; more wait for their turn."""
ANSWER_TIMEOUT_S = 60.0
"""For the daemon to begin its answer, or to go on with it."""

T = TypeVar("T")
Use = Callable[[Any], T]
"""Does its work with a `docker.DockerClient`, on a thread."""


class Daemon:
    def __init__(self, find: Callable[[], DaemonAddress]) -> None:
        """`find` is asked on the first call, so that a provider can be made without a daemon."""
        self._find = find
        self._api_version: str | None = None
        self._threads = ThreadPoolExecutor(MAX_PARALLEL_CALLS, "sandbox-agent-docker")

    @cached_property
    def address(self) -> DaemonAddress:
        """Raises: ProviderError when Docker's configuration is wrong."""
        return self._find()

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
        with daemon_errors(self.address, sandbox=sandbox):
            client = self._open(answer_timeout_s)
            client.api.hooks["response"].append(answers.take)
            try:
                return use(client)
            finally:
                answers.close()
                client.close()

    def _open(self, answer_timeout_s: float) -> Any:
        docker = import_sdk()
        client = docker.DockerClient(
            base_url=self.address.url,
            version=self._api_version or "auto",
            timeout=answer_timeout_s,
            tls=_tls_config(self.address.tls),
            # The user's own ssh and its configuration, instead of another implementation of it.
            use_ssh_client=True,
        )
        self._api_version = client.api._version
        return client


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
