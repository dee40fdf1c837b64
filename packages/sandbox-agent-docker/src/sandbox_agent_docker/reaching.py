"""Where a port of a container is reached from here: published, in its network, on its machine, or through ssh."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox_agent_core.errors import PortNotOpen, SandboxAsleep

from sandbox_agent_docker.containers import Container
from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.daemon_address import LOOPBACK

__all__ = ["OUT_OF_MEMORY", "Reach"]

OUT_OF_MEMORY = "It was out of memory: make it anew with more `memory`, or run less in it at once"
PROVIDER = "docker"
_ALL_ADDRESSES = frozenset({"0.0.0.0", "::"})  # noqa: S104 - to compare with


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    daemon: Daemon
    publish_address: str | None
    endpoint_host: str | None
    shares_host_network: bool

    @property
    def is_told(self) -> bool:
        """The caller has said how published ports are reached."""
        return self.publish_address is not None or self.endpoint_host is not None

    async def url(self, container: Container, port: int) -> str:
        """Raises:
        SandboxAsleep: it is stopped or paused (`details.state`).
        PortNotOpen: the port is not published.
        ProviderUnavailable: ssh does not get there.
        """
        host, number = self.address(container, port)
        if self._is_tunnelled:
            number = await self.daemon.tunnel(container.id, (host, number))
            host = LOOPBACK
        return f"http://{f'[{host}]' if ':' in host else host}:{number}"

    def address(self, container: Container, port: int) -> tuple[str, int]:
        """As the machine sees it that the way begins at: this one, or where ssh ends."""
        if container.state != "running":
            why = f" {OUT_OF_MEMORY}." if container.is_out_of_memory else ""
            raise SandboxAsleep(
                f"The Docker sandbox {container.name!r} is {container.state}. Resume it first.{why}",
                provider=PROVIDER,
                sandbox=container.id,
                state=container.state,
                reason="out_of_memory" if container.is_out_of_memory else None,
            )
        machine = self._machine()
        if self.shares_host_network:
            return machine, port
        if (published := container.published.get(port)) is not None:
            return machine, published
        # Docker publishes nothing from internal networks.
        is_near = self.daemon.address.is_local or self._is_tunnelled
        if container.addresses and not container.published and is_near:
            return container.addresses[0], port
        raise PortNotOpen(
            f"Port {port} of the Docker sandbox {container.name!r} is not published. Give it in `ports`; a "
            "container in internal networks only can be reached from the daemon's own machine.",
            provider=PROVIDER,
            sandbox=container.id,
        )

    @property
    def _is_tunnelled(self) -> bool:
        return self.daemon.has_tunnels and not self.is_told

    def _machine(self) -> str:
        if self.endpoint_host is not None:
            return self.endpoint_host
        # A port that is published on one address is reached there.
        if self.publish_address is not None and self.publish_address not in _ALL_ADDRESSES:
            return self.publish_address
        return LOOPBACK if self._is_tunnelled else self.daemon.address.machine
