"""Which Docker daemon: the option, `DOCKER_HOST`, a context, the default socket, as the `docker` program finds it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox_agent_core.errors import ProviderError

__all__ = ["LOOPBACK", "DaemonAddress", "TlsFiles", "find_daemon"]

DEFAULT_CONTEXT = "default"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """As the `docker` program names them: `ca.pem`, `cert.pem`, `key.pem` in one directory."""

    directory: Path
    verify: bool = True

    @property
    def ca(self) -> Path | None:
        return self._existing("ca.pem")

    @property
    def client_certificate(self) -> tuple[Path, Path] | None:
        certificate, key = self._existing("cert.pem"), self._existing("key.pem")
        return (certificate, key) if certificate and key else None

    def _existing(self, name: str) -> Path | None:
        path = self.directory / name
        return path if path.is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonAddress:
    url: str | None
    """`unix://`, `npipe://`, `tcp://` or `ssh://`; None is the platform's default socket."""
    tls: TlsFiles | None = None
    origin: str = "the default socket"
    """Where the address comes from, for messages."""

    def __str__(self) -> str:
        return f"{self.url} ({self.origin})" if self.url else self.origin

    @property
    def machine(self) -> str:
        """The name or address of the machine that containers run on, as seen from here."""
        parts = urlsplit(self.url or "")
        if parts.scheme not in {"tcp", "http", "https", "ssh"} or not parts.hostname:
            return LOOPBACK
        return LOOPBACK if _is_loopback(parts.hostname) else parts.hostname

    @property
    def is_ssh(self) -> bool:
        return urlsplit(self.url or "").scheme == "ssh"

    @property
    def is_local(self) -> bool:
        """Ports that are published on the loopback of its machine can be reached from here."""
        # What ssh reaches on this machine's loopback is mostly a virtual machine.
        return self.machine == LOOPBACK and not self.is_ssh


def find_daemon(
    *,
    docker_host: str | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> DaemonAddress:
    """The first of: `docker_host`, `context`, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context of
    Docker's configuration, the default socket.

    Raises:
        ProviderError: there is no such context, or it cannot be read.
    """
    if docker_host is not None:
        return DaemonAddress(
            url=docker_host, tls=_tls_of_environment(environ), origin="docker_host"
        )
    if context is not None:
        return _of_context(context, environ, origin="context")
    if host := environ.get("DOCKER_HOST"):
        return DaemonAddress(url=host, tls=_tls_of_environment(environ), origin="DOCKER_HOST")
    if name := environ.get("DOCKER_CONTEXT"):
        return _of_context(name, environ, origin="DOCKER_CONTEXT")
    name = _read_json(_config_dir(environ) / "config.json").get("currentContext")
    return _of_context(name or DEFAULT_CONTEXT, environ, origin="the current context")


def _of_context(name: str, environ: Mapping[str, str], *, origin: str) -> DaemonAddress:
    if name == DEFAULT_CONTEXT:
        return DaemonAddress(url=None)
    store = _config_dir(environ) / "contexts"
    # Docker's own layout: directories are named by the hash of the context's name.
    digest = hashlib.sha256(name.encode()).hexdigest()
    endpoint = _read_json(store / "meta" / digest / "meta.json").get("Endpoints", {}).get("docker")
    if not endpoint:
        raise ProviderError(
            f"There is no Docker context {name!r} (from {origin}). `docker context ls` lists them.",
            provider="docker",
            context=name,
        )
    files = store / "tls" / digest / "docker"
    tls = TlsFiles(directory=files, verify=not endpoint.get("SkipTLSVerify", False))
    return DaemonAddress(
        url=endpoint.get("Host") or None,
        tls=tls if files.is_dir() else None,
        origin=f"context {name!r}",
    )


def _tls_of_environment(environ: Mapping[str, str]) -> TlsFiles | None:
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    directory = environ.get("DOCKER_CERT_PATH")
    if not verify and not directory:
        return None
    return TlsFiles(directory=Path(directory) if directory else _config_dir(environ), verify=verify)


def _config_dir(environ: Mapping[str, str]) -> Path:
    given = environ.get("DOCKER_CONFIG")
    return Path(given) if given else Path(environ.get("HOME") or Path.home(), ".docker")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise ProviderError(
            f"Docker's configuration {str(path)!r} cannot be read: {exc}", provider="docker"
        ) from exc
    return found if isinstance(found, dict) else {}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
