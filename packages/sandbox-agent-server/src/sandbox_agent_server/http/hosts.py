"""The names by which this server may be called: a web page must not reach it by a name of its own (DNS rebinding)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from sandbox_agent_core.errors import PermissionDenied

from sandbox_agent_server.http.port_origins import is_name_of_port
from sandbox_agent_server.settings import is_loopback

__all__ = ["Hosts"]

_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^][/?#@:\s]+)(?::\d*)?")
"""Nothing but a name and a port: `127.0.0.1/evil.example` is for a URL to take apart, not for us."""


class Hosts:
    """Checked on loopback only: elsewhere the name is whatever the network calls this machine."""

    def __init__(self, bound_host: str, allow_hosts: Iterable[str]) -> None:
        self._allowed = {host.lower() for host in allow_hosts}
        self._is_checked = is_loopback(bound_host)
        self._last_known: str | None = None

    def check(self, host: str) -> None:
        """Raises: PermissionDenied."""
        if not self.knows(host):
            raise PermissionDenied(
                f"Host {host!r} is not this server; call it by 127.0.0.1 or localhost, or start it with "
                f"--allow-host {_hostname(host) or 'NAME'}"
            )

    def knows(self, host: str) -> bool:
        if not self._is_checked or host == self._last_known:
            return True
        name = _hostname(host)
        # What is asked by the name of a port reaches that port alone (`PortOrigins`).
        if not (is_loopback(name) or name in self._allowed or is_name_of_port(name)):
            return False
        self._last_known = host
        return True


def _hostname(host: str) -> str:
    """In lower case and without the brackets of IPv6; empty when it is no host."""
    match = _HOST.fullmatch(host)
    return match["name"].strip("[]").lower() if match else ""
