"""Where this machine's npm gets packages from, for sandboxes that have no npm to ask."""

from __future__ import annotations

import ipaddress
import logging
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sandbox_agent_core.npmrc import npm_variables, parse_npmrc

__all__ = ["callers_npm_registry"]

logger = logging.getLogger(__name__)

NPM_TIMEOUT_S = 10.0


def callers_npm_registry(environ: Mapping[str, str]) -> str | None:
    """Of the user's npm configuration, else the default of the npm that is here; without a password that may be in it.

    None when nobody says it, or when it can be reached from this machine only. Blocks, as npm does.
    """
    url = _configured(environ) or _of_npm(environ)
    return _for_elsewhere(url) if url else None


def _configured(environ: Mapping[str, str]) -> str | None:
    variables = npm_variables(environ)
    if registry := variables.get("registry"):
        return registry
    file = Path(variables.get("userconfig") or "~/.npmrc").expanduser()
    try:
        return parse_npmrc(file.read_text(encoding="utf-8"), environ).get("registry")
    except (OSError, UnicodeDecodeError):
        return None


def _of_npm(environ: Mapping[str, str]) -> str | None:
    npm = shutil.which("npm", path=environ.get("PATH"))
    if npm is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the user's own npm
            [npm, "config", "get", "registry", "--global"],
            env=dict(environ),
            # Not in a repository, whose .npmrc npm would read.
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=NPM_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        logger.info("%s does not say its registry: %s", npm, exc)
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _for_elsewhere(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or _is_loopback(host):
        return None
    address = f"[{host}]" if ":" in host else host
    return parts._replace(netloc=address if port is None else f"{address}:{port}").geturl()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
