"""One cluster's API: who asks, where, in which namespace. The client library blocks, so each request runs on one of a few
threads; what streams runs over WebSockets of the caller's event loop."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlencode

from sandbox_agent_core.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderNotInstalled,
    ProviderTimeout,
    ProviderUnavailable,
)
from sandbox_agent_core.installed_from import pip_install
from sandbox_agent_core.provisioning.calls import patiently, to_its_end

from sandbox_agent_kubernetes.errors import PROVIDER, connection_errors, refusal

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from websockets.asyncio.client import ClientConnection

__all__ = ["Cluster", "Resource"]

MAX_PARALLEL_REQUESTS: Final = 16
"""Of one provider; more wait for their turn."""
CONNECT_TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 30.0
PAGE_SIZE: Final = 500
"""Objects of one answer to a list."""
PING_INTERVAL_S: Final = 20.0
"""Balancers cut what is silent for a minute or so (kubernetes-client/python#1841)."""
CLOSE_TIMEOUT_S: Final = 2.0
_IN_CLUSTER_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_MERGE: Final = "application/merge-patch+json"
_READS: Final = ("GET", "HEAD")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object in a namespace."""

    api: str
    """`/api/v1`, `/apis/GROUP/VERSION`."""
    plural: str

    def path(self, namespace: str, *names: str) -> str:
        parts = ("namespaces", namespace, self.plural, *names)
        return "/".join((self.api, *(quote(part, safe="") for part in parts)))


@dataclass(frozen=True, slots=True)
class _Login:
    api: ApiClient
    namespace: str
    where: str
    """For people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dial:
    """How a WebSocket gets there."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    options: Mapping[str, Any] = field(repr=False)


class Cluster:
    def __init__(
        self, *, kubeconfig: str | None, context: str | None, namespace: str | None
    ) -> None:
        """Nothing is read before the first request."""
        self._kubeconfig = kubeconfig
        self._context = context
        self._namespace = namespace
        self._threads = ThreadPoolExecutor(MAX_PARALLEL_REQUESTS, "sandbox-agent-kubernetes")
        self._logging_in = threading.Lock()
        self._login: _Login | None = None

    async def namespace(self) -> str:
        """The one that was given, else that of the context, else of the Pod that this runs in.

        Raises:
            ProviderAuthError: there is no way into a cluster.
        """
        return self._namespace or (await self._in_thread(self._logged_in)).namespace

    async def where(self) -> str:
        """For people: the server and the context."""
        return (await self._in_thread(self._logged_in)).where

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        sandbox: str | None = None,
    ) -> Any:
        """The answer's JSON. A cancelled request is waited for, so that nothing is made after what undoes it.

        Raises:
            SandboxAgentError: as `errors.refusal` and `errors.connection_errors` say.
        """
        ask = partial(self._request, method, path, dict(query or {}), body, sandbox)
        once = partial(self._in_thread, lambda: json.loads(ask()))
        # A PATCH here says how things are to be, and what is gone can be deleted again.
        is_repeatable = method != "POST"
        return await patiently(lambda: to_its_end(once()), is_repeatable=is_repeatable)

    async def pages(
        self, resource: Resource, namespace: str, *, selector: str
    ) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """All objects with these labels, as many at a time as one answer has. A list that takes longer than the cluster
        keeps its beginning goes on with what there is by then.

        Raises:
            SandboxAgentError: as `request`.
        """
        query: dict[str, str | int] = {"labelSelector": selector, "limit": PAGE_SIZE}
        while True:
            ask = partial(self.request, "GET", resource.path(namespace), query=query)
            try:
                answer = await ask()
            except ProviderError as exc:
                if "continue" not in exc.details:
                    raise
                query["continue"] = exc.details["continue"]
                answer = await ask()
            yield answer.get("items") or ()
            more = (answer.get("metadata") or {}).get("continue")
            if not more:
                return
            query["continue"] = more

    @asynccontextmanager
    async def websocket(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        *,
        protocols: Sequence[str],
        sandbox: str | None = None,
    ) -> AsyncIterator[ClientConnection]:
        """Raises:
        SandboxAgentError: it was refused, as `errors.refusal` says.
        ProviderUnavailable: it cannot be reached, or the connection broke.
        """
        from websockets.asyncio.client import connect  # noqa: PLC0415 - loaded on first use
        from websockets.exceptions import InvalidStatus, WebSocketException  # noqa: PLC0415

        dial = await self._in_thread(self._dial)
        try:
            async with connect(
                f"{dial.url}{path}?{urlencode(query)}",
                additional_headers=dial.headers,
                subprotocols=list(protocols),  # type: ignore[arg-type]  # plain strings are what it wants
                max_size=None,
                compression=None,
                ping_interval=PING_INTERVAL_S,
                ping_timeout=PING_INTERVAL_S,
                open_timeout=CONNECT_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                user_agent_header="sandbox-agent",
                **dial.options,
            ) as connection:
                yield connection
        except InvalidStatus as exc:
            answer = exc.response
            raise refusal(answer.status_code, bytes(answer.body or b""), sandbox=sandbox) from exc
        except TimeoutError as exc:
            raise ProviderTimeout(
                f"The cluster did not answer in time: {exc}", provider=PROVIDER
            ) from exc
        except (WebSocketException, OSError) as exc:
            raise ProviderUnavailable(
                f"The connection to the cluster failed: {exc}", provider=PROVIDER
            ) from exc

    # On a thread

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Mapping[str, Any] | None,
        sandbox: str | None,
    ) -> bytes:
        api = self._logged_in().api
        kind = _MERGE if method == "PATCH" else "application/json"
        with connection_errors():
            asked = api.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": kind},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = api.call_api(*asked, _request_timeout=(CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S))
            content: bytes = answer.read()  # type: ignore[no-untyped-call]  # generated
        if not 200 <= answer.status < 300:
            raise refusal(answer.status, content, sandbox=sandbox)
        return content

    def _dial(self) -> _Dial:
        """Anew each time: tokens and certificates are renewed while this runs."""
        from kubernetes.client.rest import should_bypass_proxies  # noqa: PLC0415

        config = self._logged_in().api.configuration
        options: dict[str, Any] = {"proxy": config.proxy or None}
        if config.proxy and should_bypass_proxies(config.host, config.no_proxy or ""):
            options["proxy"] = None
        if config.host.startswith("https"):
            options["ssl"] = _tls(config)
            if config.tls_server_name:
                options["server_hostname"] = config.tls_server_name
        # This call renews a token that is about to expire.
        headers = {one["key"]: one["value"] for one in config.auth_settings().values()}
        return _Dial(url=f"ws{config.host.removeprefix('http')}", headers=headers, options=options)

    def _logged_in(self) -> _Login:
        with self._logging_in:
            if self._login is None:
                self._login = _log_in(self._kubeconfig, self._context)
            return self._login


def _log_in(kubeconfig: str | None, context: str | None) -> _Login:
    """Raises:
    ProviderNotInstalled: the client library is missing.
    ProviderAuthError: no configuration leads into a cluster.
    """
    try:
        from kubernetes import client  # noqa: PLC0415 - it takes a while, and memory
        from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415
    except ImportError as exc:
        raise ProviderNotInstalled(
            f"Kubernetes' client cannot be imported: {exc}. Run `{pip_install('sandbox-agent-kubernetes')}`.",
            provider=PROVIDER,
        ) from exc
    config: Any = importlib.import_module("kubernetes.config")  # without types
    configuration = client.Configuration()
    configuration.retries = False
    configuration.connection_pool_maxsize = MAX_PARALLEL_REQUESTS
    file = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    is_inside = "KUBERNETES_SERVICE_HOST" in os.environ
    is_named = kubeconfig is not None or context is not None
    try:
        if is_inside and not is_named and not _any_exists(file):
            config.load_incluster_config(configuration)
            namespace, where = _own_namespace(), f"{configuration.host}, as the Pod's own account"
        else:
            chosen = _load_kubeconfig(file, context, configuration)
            namespace = chosen["context"].get("namespace") or "default"
            where = f"{configuration.host}, context {chosen['name']!r}"
    except (ConfigException, OSError) as exc:
        raise ProviderAuthError(
            f"There is no way into a cluster: {exc} Give `kubeconfig` and `context`, set KUBECONFIG, or run it in a Pod.",
            provider=PROVIDER,
        ) from exc
    return _Login(client.ApiClient(configuration), namespace, where)


def _load_kubeconfig(files: str, context: str | None, configuration: Any) -> Mapping[str, Any]:
    """The context that it takes.

    What lists the contexts in the client library wants one of them to be the current one, also where another is given.
    """
    kube_config: Any = importlib.import_module("kubernetes.config.kube_config")  # without types
    merged = kube_config.KubeConfigMerger(files)
    if merged.config is None:
        raise kube_config.ConfigException(f"There is no file {files}.")
    loader = kube_config.KubeConfigLoader(
        merged.config,
        active_context=context,
        config_base_path=None,
        config_persister=merged.save_changes,
    )
    loader.load_and_set(configuration)
    chosen: Mapping[str, Any] = loader.current_context
    return chosen


def _any_exists(files: str) -> bool:
    return any(Path(file).expanduser().exists() for file in files.split(os.pathsep) if file)


def _own_namespace() -> str:
    try:
        return _IN_CLUSTER_NAMESPACE.read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"


def _tls(config: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=config.ssl_ca_cert or None)
    if config.ca_cert_data:
        context.load_verify_locations(cadata=config.ca_cert_data)
    if not config.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.cert_file:
        context.load_cert_chain(config.cert_file, config.key_file)
    return context
