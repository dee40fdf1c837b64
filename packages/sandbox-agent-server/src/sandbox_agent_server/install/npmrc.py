"""The user's npm configuration, as `npm install --global` would read it: registries, tokens, proxies, certificates.

The `.npmrc` of a project is left out on purpose: the server often runs in a repository that it does
not know, and that must not decide where programs come from.
"""

from __future__ import annotations

import base64
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sandbox_agent_core.errors import InstallFailed
from sandbox_agent_core.npmrc import npm_variables, parse_npmrc

from sandbox_agent_server.install.default_registry import ask_npm
from sandbox_agent_server.install.node import nodes

__all__ = ["NpmConfig", "load_npm_config"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NpmConfig:
    """Settings by their npm names; the environment's are over the user's, those over the machine's."""

    values: Mapping[str, str] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    default_registry: Callable[[], str] | None = field(default=None, repr=False)
    """Where none is named; None asks the npm that is here."""

    @property
    def names_registry(self) -> bool:
        return bool(self.values.get("registry"))

    def registry_for(self, package: str) -> str:
        """The base URL, with a slash at its end.

        Raises:
            InstallFailed: none is configured, and no npm to tell its own default.
        """
        scope = package.partition("/")[0] if package.startswith("@") else None
        url = (self.values.get(f"{scope}:registry") if scope else None) or self.values.get(
            "registry"
        )
        url = url or self._default_registry()
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InstallFailed(
                f"The npm registry {url!r} is not an http(s) URL. Correct `registry` in the npm configuration."
            )
        return url.rstrip("/") + "/"

    def _default_registry(self) -> str:
        if self.default_registry is not None:
            return self.default_registry()
        return ask_npm(self.environ, nodes(self.environ))

    def authorization_for(self, url: str) -> str | None:
        """The header for this URL: of the longest path of its host for which there are credentials."""
        parts = urlsplit(url)
        path = parts.path
        while True:
            path = path.rpartition("/")[0]
            for key in (f"//{parts.netloc}{path}/", f"//{parts.netloc}{path}"):
                if (found := self._credentials(f"{key}:")) is not None:
                    return found
            if not path:
                return None

    def _credentials(self, prefix: str) -> str | None:
        get = self.values.get
        if token := get(f"{prefix}_authToken"):
            return f"Bearer {token}"
        if basic := get(f"{prefix}_auth"):
            return f"Basic {basic}"
        name, password = get(f"{prefix}username"), get(f"{prefix}_password")
        if not name or not password:
            return None
        try:
            plain = base64.b64decode(password).decode()
        except ValueError:
            logger.warning("npm configuration: %s_password is not base64", prefix)
            return None
        return "Basic " + base64.b64encode(f"{name}:{plain}".encode()).decode()

    @property
    def proxies(self) -> dict[str, str]:
        """`http://` and `https://` -> proxy URL; empty when npm's configuration names none."""
        plain = self._given("proxy") or self._given("http-proxy")
        secure = self._given("https-proxy") or plain
        pairs = {"http://": plain, "https://": secure}
        return {scheme: url for scheme, url in pairs.items() if url}

    @property
    def no_proxy(self) -> list[str]:
        text = self._given("noproxy") or self._given("no-proxy") or ""
        return [host for part in text.split(",") if (host := part.strip().lstrip("."))]

    @property
    def cafile(self) -> str | None:
        return self._given("cafile")

    @property
    def ca(self) -> str | None:
        """Certificates in PEM, which a file holds on one line with `\\n` in it."""
        text = self._given("ca")
        return text.replace("\\n", "\n") if text else None

    @property
    def verifies_tls(self) -> bool:
        return self.values.get("strict-ssl", "true").lower() != "false"

    def _given(self, name: str) -> str | None:
        value = self.values.get(name)
        return value if value and value not in ("null", "false") else None


def load_npm_config(
    environ: Mapping[str, str], *, default_registry: Callable[[], str] | None = None
) -> NpmConfig:
    """Files that are not there or cannot be read are as empty."""
    of_environment = npm_variables(environ)
    home = Path(environ.get("HOME") or "~").expanduser()
    user = _read(of_environment.get("userconfig"), home / ".npmrc", environ)
    prefix = of_environment.get("prefix") or user.get("prefix") or _default_prefix(environ)
    machine = _read(of_environment.get("globalconfig"), Path(prefix, "etc", "npmrc"), environ)
    return NpmConfig({**machine, **user, **of_environment}, environ, default_registry)


def _read(named: str | None, default: Path, environ: Mapping[str, str]) -> dict[str, str]:
    path = Path(named).expanduser() if named else default
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        if named:
            logger.warning("npm configuration %s cannot be read: %s", path, exc)
        return {}
    return parse_npmrc(text, environ)


def _default_prefix(environ: Mapping[str, str]) -> str:
    """Where npm is installed: the parent of the directory of `node`."""
    node = shutil.which("node", path=environ.get("PATH") or os.defpath)
    return str(Path(node).resolve().parents[1]) if node else "/usr/local"
