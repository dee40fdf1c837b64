"""How a Pod is reached from where the client is: through the API server, in the cluster's network, or by an address that
somebody routes to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.errors import InvalidRequest, PortNotOpen, ProviderUnavailable
from sandbox_agent_core.spi.labels import OURS

from sandbox_agent_kubernetes.cluster import Resource
from sandbox_agent_kubernetes.errors import PROVIDER
from sandbox_agent_kubernetes.pods import NAME_LABEL, Pod

__all__ = ["Reach", "WayThere"]

SERVICES: Final = Resource("/api/v1", "services")
_WAYS: Final = ("port-forward", "service", "pod-ip")


@dataclass(frozen=True, slots=True)
class WayThere:
    """An object that leads to a Pod, and goes with it."""

    resource: Resource
    manifest: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """See `KubernetesProvider` for what each means."""

    way: str
    server_port: int
    route: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.way not in _WAYS and not self._is_url:
            raise InvalidRequest(
                f"reach={self.way!r}: use {', '.join(map(repr, _WAYS))} or a URL, 'https://{{name}}.example.org'."
            )
        if self._is_url and "{name}" not in self.way:
            raise InvalidRequest(
                f"reach={self.way!r} is the same for all sandboxes: put {{name}} in it."
            )
        if self.route is not None and not (self._is_url and self._has_kind(self.route)):
            raise InvalidRequest(
                "route is a manifest with `apiVersion` and `kind`, such as an Ingress or an HTTPRoute, and goes with a URL "
                "in `reach`."
            )

    @property
    def is_forwarded(self) -> bool:
        """The API server carries the connections."""
        return self.way == "port-forward"

    @property
    def has_service(self) -> bool:
        return self.way == "service" or self._is_url

    def objects(self, name: str, namespace: str) -> list[WayThere]:
        """What is made beside the Pod."""
        if not self.has_service:
            return []
        found = [WayThere(SERVICES, self._service(name))]
        if self.route is not None:
            words = {"{name}": name, "{namespace}": namespace, "{port}": str(self.server_port)}
            manifest = _filled(self.route, words)
            manifest["metadata"] = {**manifest.get("metadata", {}), "name": name}
            version = manifest["apiVersion"]
            api = f"/apis/{version}" if "/" in version else f"/api/{version}"
            found.append(WayThere(Resource(api, _plural(manifest["kind"])), manifest))
        return found

    def url(self, pod: Pod, port: int) -> str:
        """Raises:
        PortNotOpen: only the server's port is reached in this way.
        ProviderUnavailable: the Pod has no address yet.
        """
        if self._is_url and (port == self.server_port or "{port}" in self.way):
            words = {"{name}": pod.name, "{namespace}": pod.namespace, "{port}": str(port)}
            return str(_filled(self.way, words)).rstrip("/")
        if port != self.server_port:
            raise PortNotOpen(
                f"Port {port} of the Kubernetes sandbox {pod.name!r} is not reached by {self.way!r}.",
                provider=PROVIDER,
                sandbox=pod.name,
            )
        if self.way == "service":
            return f"http://{pod.name}.{pod.namespace}.svc:{port}"
        if pod.address is None:
            raise ProviderUnavailable(
                f"The Pod {pod.name!r} has no address yet.", provider=PROVIDER, sandbox=pod.name
            )
        return f"http://{f'[{pod.address}]' if ':' in pod.address else pod.address}:{port}"

    @property
    def _is_url(self) -> bool:
        return self.way.startswith(("http://", "https://"))

    def _has_kind(self, route: Mapping[str, Any]) -> bool:
        return all(isinstance(route.get(key), str) for key in ("apiVersion", "kind"))

    def _service(self, name: str) -> dict[str, Any]:
        """Without an address of its own, of which a cluster has only so many."""
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": {OURS: "1"}},
            "spec": {
                "clusterIP": "None",
                "selector": {NAME_LABEL: name},
                "ports": [{"name": "http", "port": self.server_port}],
            },
        }


def _filled(made: Any, words: Mapping[str, str]) -> Any:
    if isinstance(made, Mapping):
        return {key: _filled(value, words) for key, value in made.items()}
    if isinstance(made, list | tuple):
        return [_filled(one, words) for one in made]
    if isinstance(made, str):
        for word, value in words.items():
            made = made.replace(word, value)
        # A port is a number where it stands alone.
        return int(made) if made == words.get("{port}") else made
    return made


def _plural(kind: str) -> str:
    lower = kind.lower()
    return f"{lower}es" if lower.endswith("s") else f"{lower}s"
