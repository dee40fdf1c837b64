"""Asks an npm registry for versions and downloads archives, checked against what it announced.

The only module here that knows HTTP; it is imported when something is installed and not before.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit, urlunsplit

import certifi
import httpx
from sandbox_agent_core.errors import (
    AgentNotInstallable,
    InstallFailed,
    IntegrityMismatch,
    RegistryAuthRequired,
    RegistryUnavailable,
)

from sandbox_agent_server.install.node import ANY_NODE
from sandbox_agent_server.install.npmrc import NpmConfig
from sandbox_agent_server.install.pins import VERSION_PATTERN
from sandbox_agent_server.install.semver import VersionRange
from sandbox_agent_server.jsonio import loads

__all__ = ["ATTEMPTS", "Dist", "Registry"]

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 4
"""Of each request: a registry that is busy or a connection that breaks is given more chances."""
FIRST_PAUSE_S: Final = 0.5
"""Before the second attempt; each further pause is twice as long."""
CONNECT_TIMEOUT_S: Final = 15.0
SILENCE_TIMEOUT_S: Final = 60.0
MAX_PACKUMENT_BYTES: Final = 128 * 1024 * 1024
_CHUNK_BYTES: Final = 256 * 1024
_ABBREVIATED: Final = "application/vnd.npm.install-v1+json, application/json;q=0.8"
_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dist:
    """One version of a package as the registry announces it."""

    package: str
    version: str
    tarball: str
    integrity: str


class _TryAgain(Exception):
    """What went wrong may not go wrong next time."""


class Registry:
    """Blocks; for a thread of its own or a command line. Close it, or use it in a `with`."""

    def __init__(self, config: NpmConfig, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self._config = config
        self._first_pause_s = first_pause_s
        self._http = httpx.Client(
            follow_redirects=True,
            verify=_tls(config),
            mounts=_mounts(config),
            timeout=httpx.Timeout(SILENCE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        )
        self._packuments: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def version(self, package: str, wanted: str) -> str:
        """The version that `wanted` stands for: itself, or what the tag (`latest`) points to.

        Raises:
            AgentNotInstallable: there is neither.
            InstallFailed: and its kinds, for a registry that does not answer as it should.
        """
        packument = self._packument(package)
        versions, tags = packument.get("versions"), packument.get("dist-tags")
        if isinstance(versions, dict) and wanted in versions:
            return wanted
        tagged = tags.get(wanted) if isinstance(tags, dict) else None
        if isinstance(tagged, str) and VERSION_PATTERN.fullmatch(tagged):
            return tagged
        names = ", ".join(sorted(tags)) if isinstance(tags, dict) else ""
        raise AgentNotInstallable(
            f"The registry has no version or tag {wanted!r} of {package}; its tags are: {names or 'none'}.",
            package=package,
            version=wanted,
        )

    def versions(self, package: str) -> list[str]:
        """All of them. Raises: as `version`."""
        found = self._packument(package).get("versions")
        return list(found) if isinstance(found, dict) else []

    def node_range(self, package: str, version: str) -> VersionRange:
        """Which Node.js this version wants. Raises: as `version`."""
        versions = self._packument(package).get("versions")
        found = versions.get(version) if isinstance(versions, dict) else None
        engines = found.get("engines") if isinstance(found, dict) else None
        wanted = engines.get("node") if isinstance(engines, dict) else None
        return VersionRange.parse(wanted) if isinstance(wanted, str) else ANY_NODE

    def program_path(self, package: str, version: str, name: str) -> str:
        """Where in the package the program `name` is, or the only one that there is. Raises: as `version`."""
        versions = self._packument(package).get("versions")
        found = versions.get(version) if isinstance(versions, dict) else None
        programs = found.get("bin") if isinstance(found, dict) else None
        if isinstance(programs, str):
            programs = {name: programs}
        paths = programs if isinstance(programs, dict) else {}
        path = paths.get(name) or (next(iter(paths.values())) if len(paths) == 1 else None)
        if not isinstance(path, str) or path.startswith("/") or ".." in path.split("/"):
            raise AgentNotInstallable(
                f"{package}@{version} has no program {name!r}.", package=package, version=version
            )
        return glob.escape(path.removeprefix("./"))

    def dist(self, package: str, version: str) -> Dist:
        """Raises: as `version`; IntegrityMismatch when the registry announces no sha512."""
        versions = self._packument(package).get("versions")
        found = versions.get(version) if isinstance(versions, dict) else None
        if not isinstance(found, dict):
            raise AgentNotInstallable(
                f"The registry has no version {version} of {package}.",
                package=package,
                version=version,
            )
        dist = found.get("dist")
        tarball = dist.get("tarball") if isinstance(dist, dict) else None
        integrity = dist.get("integrity") if isinstance(dist, dict) else None
        if not isinstance(tarball, str) or not isinstance(integrity, str):
            raise IntegrityMismatch(
                f"The registry announces {package}@{version} without a tarball or without its checksum.",
                package=package,
            )
        return Dist(package=package, version=version, tarball=tarball, integrity=integrity)

    def download(
        self,
        dist: Dist,
        target: Path,
        *,
        max_bytes: int,
        on_progress: Callable[[int, int | None], None],
    ) -> None:
        """Write the archive to `target`. `on_progress` is told bytes so far and in all, if known.

        Raises:
            IntegrityMismatch: it is not what was announced; `target` is gone.
            InstallFailed: it is larger than `max_bytes`.
            RegistryUnavailable, RegistryAuthRequired.
        """
        expected = _sha512_of(dist)
        url = self._reachable_url(dist)

        def fetch() -> bytes:
            return self._fetch_once(url, target, max_bytes, on_progress)

        try:
            digest = self._try(fetch, url)
            if digest != expected:
                raise IntegrityMismatch(
                    f"{dist.package}@{dist.version} from {_host(url)} is not what the registry announced: "
                    f"its sha512 is {base64.b64encode(digest).decode()}, not "
                    f"{base64.b64encode(expected).decode()}. It was thrown away.",
                    package=dist.package,
                    version=dist.version,
                )
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _reachable_url(self, dist: Dist) -> str:
        """With npm's `replace-registry-host` a mirror that leaves foreign URLs in its answers is asked itself."""
        if self._config.values.get("replace-registry-host") not in ("always", "true"):
            return dist.tarball
        registry = urlsplit(self._config.registry_for(dist.package))
        return urlunsplit(
            urlsplit(dist.tarball)._replace(scheme=registry.scheme, netloc=registry.netloc)
        )

    def _packument(self, package: str) -> dict[str, Any]:
        if package not in self._packuments:
            url = self._config.registry_for(package) + quote(package, safe="@")
            document = self._try(lambda: self._read_once(url), url, package=package)
            if not isinstance(document, dict):
                raise RegistryUnavailable(f"{_host(url)} answers {package} with no JSON object.")
            self._packuments[package] = document
        return self._packuments[package]

    def _read_once(self, url: str) -> Any:
        with self._get(url, accept=_ABBREVIATED) as response:
            body = bytearray()
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_PACKUMENT_BYTES:
                    raise InstallFailed(
                        f"{_host(url)} answers with more than {MAX_PACKUMENT_BYTES} bytes.",
                        limit="MAX_PACKUMENT_BYTES",
                    )
        try:
            return loads(bytes(body))
        except ValueError as exc:
            raise RegistryUnavailable(
                f"{_host(url)} does not answer with JSON: is it an npm registry?"
            ) from exc

    def _fetch_once(
        self,
        url: str,
        target: Path,
        max_bytes: int,
        on_progress: Callable[[int, int | None], None],
    ) -> bytes:
        digest, size = hashlib.sha512(), 0
        with self._get(url, accept="*/*") as response, target.open("wb") as file:
            length = response.headers.get("content-length", "")
            total = int(length) if length.isdigit() else None
            # Raw: a registry that marks the archive as a gzip encoding must not have it unpacked here.
            for chunk in response.iter_raw(_CHUNK_BYTES):
                size += len(chunk)
                if size > max_bytes:
                    raise InstallFailed(
                        f"The archive at {_host(url)} is larger than {max_bytes} bytes. "
                        "Raise the limit `max_install_bytes` if that is right.",
                        limit="max_install_bytes",
                        value=max_bytes,
                    )
                digest.update(chunk)
                file.write(chunk)
                on_progress(size, total)
        return digest.digest()

    @contextmanager
    def _get(self, url: str, *, accept: str) -> Iterator[httpx.Response]:
        headers = {"accept": accept, "accept-encoding": "gzip" if "json" in accept else "identity"}
        if (authorization := self._config.authorization_for(url)) is not None:
            headers["authorization"] = authorization
        try:
            with self._http.stream("GET", url, headers=headers) as response:
                _check_status(response, url)
                yield response
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
            raise InstallFailed(f"{url!r} is no URL to download from: {exc}") from exc
        except httpx.RequestError as exc:
            raise _TryAgain(f"{_host(url)}: {str(exc) or type(exc).__name__}") from exc

    def _try(self, once: Callable[[], Any], url: str, *, package: str | None = None) -> Any:
        pause_s = self._first_pause_s
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return once()
            except _TryAgain as exc:
                if attempt == ATTEMPTS:
                    raise RegistryUnavailable(
                        f"The npm registry does not deliver after {ATTEMPTS} attempts. {exc}. "
                        "Check `registry` and `proxy` of the npm configuration; NPM_CONFIG_REGISTRY names another.",
                        registry=_host(url),
                        package=package,
                    ) from exc
                logger.info("attempt %d of %d: %s; trying again", attempt, ATTEMPTS, exc)
            time.sleep(pause_s)
            pause_s *= 2


def _check_status(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if response.is_success:
        return
    if status in (401, 403):
        parts = urlsplit(url)
        raise RegistryAuthRequired(
            f"{parts.netloc} answers {status}. Put its token into ~/.npmrc: `//{parts.netloc}/:_authToken=…`.",
            registry=parts.netloc,
        )
    if status in _TRANSIENT:
        raise _TryAgain(f"{_host(url)} answers {status}")
    if status == 404:
        raise AgentNotInstallable(f"The registry has nothing at {url}.", registry=_host(url))
    raise RegistryUnavailable(f"{_host(url)} answers {status}.", registry=_host(url))


def _sha512_of(dist: Dist) -> bytes:
    """Of the SRI string, which may hold several; weaker ones are not accepted."""
    for part in dist.integrity.split():
        algorithm, _, encoded = part.partition("-")
        if algorithm != "sha512":
            continue
        try:
            digest = base64.b64decode(encoded.partition("?")[0], validate=True)
        except ValueError:
            continue
        if len(digest) == hashlib.sha512().digest_size:
            return digest
    raise IntegrityMismatch(
        f"The registry announces {dist.package}@{dist.version} without a sha512 checksum; "
        "what cannot be checked is not installed.",
        package=dist.package,
    )


def _host(url: str) -> str:
    # Not the whole URL: a registry may be configured with a password in it.
    return urlsplit(url).netloc.rpartition("@")[2]


def _tls(config: NpmConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    # A machine without certificates of its own still reaches the public.
    context.load_verify_locations(certifi.where())
    try:
        if config.cafile is not None:
            context.load_verify_locations(Path(config.cafile).expanduser())
        if config.ca is not None:
            context.load_verify_locations(cadata=config.ca)
    except (OSError, ValueError) as exc:
        raise InstallFailed(
            f"The certificates of the npm configuration (`cafile`, `ca`) cannot be used: {exc}"
        ) from exc
    if not config.verifies_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _mounts(config: NpmConfig) -> dict[str, httpx.HTTPTransport | None]:
    """npm's own proxy settings; without any, the usual variables count."""
    if not config.proxies:
        return {}
    tls = _tls(config)
    mounts: dict[str, httpx.HTTPTransport | None] = {
        scheme: httpx.HTTPTransport(proxy=url, verify=tls) for scheme, url in config.proxies.items()
    }
    for host in config.no_proxy:
        mounts |= {f"all://{host}": None, f"all://*.{host}": None}
    return mounts
