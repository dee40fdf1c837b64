"""Which ports may be reached through the server."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox_agent_core.errors import PortForbidden

from sandbox_agent_server.settings import port_range

__all__ = ["PortRules"]


class PortRules:
    """Any port, unless there is a list of those that are allowed; never one that is denied."""

    def __init__(self, *, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> None:
        self._allow = [port_range(text) for text in allow]
        self._deny = [port_range(text) for text in deny]

    def check(self, port: int, *, own: int | None) -> None:
        """`own` is the server's. Raises: PortForbidden."""
        if port == own:
            raise PortForbidden(
                f"port {port} is this server's own: call it without the proxy", port=port
            )
        is_allowed = not self._allow or any(port in ports for ports in self._allow)
        if not is_allowed or any(port in ports for ports in self._deny):
            raise PortForbidden(
                f"the settings of this server keep port {port} closed (--allow-port, --deny-port)",
                port=port,
            )
