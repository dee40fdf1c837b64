"""From a URL to a store. Packages that have one say so by an entry point, and are imported when theirs is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from os import PathLike, fspath
from typing import Final

from sandbox_agent_core.errors import InvalidRequest, SandboxAgentError, StorageError
from sandbox_agent_core.installed_from import pip_install
from sandbox_agent_core.redact import mask
from sandbox_agent_core.spi.persistence import TranscriptStore

__all__ = ["GROUP", "installed_stores", "open_store", "shown_store"]

GROUP: Final = "sandbox_agent.stores"
"""Entry points: the scheme of a URL → a function that takes the URL and gives a `TranscriptStore`."""

_PACKAGES: Final = {
    "memory": "sandbox-agent-client",
    "postgres": "sandbox-agent-postgres",
    "postgresql": "sandbox-agent-postgres",
    "sqlite": "sandbox-agent-client",
}
# One letter is a drive.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.I | re.A)


def open_store(url: str | PathLike[str]) -> TranscriptStore:
    """The store of `postgresql://…`, `sqlite:…` or `memory:`; a path is that of an SQLite file.

    Nothing is connected yet, and no file is made: the first use does that.

    Raises:
        InvalidRequest: no package here has such a store (the message says how to get it), or the URL is wrong.
        StorageError: the package that has it cannot be loaded.
    """
    text = fspath(url)
    found = _SCHEME.match(text) if isinstance(url, str) else None
    scheme = found[1].lower() if found else "sqlite"
    points = _points()
    if scheme not in points:
        raise InvalidRequest(_not_there(scheme, list(points)), installed=sorted(points))
    try:
        open: Callable[[str], TranscriptStore] = points[scheme].load()
        return open(text if found else f"sqlite:{text}")
    except SandboxAgentError:
        raise
    except Exception as exc:
        raise StorageError(f"The store {scheme!r} cannot be loaded: {mask(str(exc))}") from exc


def installed_stores() -> list[str]:
    """The schemes that `open_store` knows here."""
    return sorted(_points())


def shown_store(url: str | PathLike[str]) -> str:
    """The URL as people and logs may see it: without a password."""
    return mask(fspath(url))


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _not_there(scheme: str, installed: list[str]) -> str:
    if package := _PACKAGES.get(scheme):
        return f"The store {scheme!r} is not installed. Run `{pip_install(package)}`."
    return f"There is no store {scheme!r}. Installed: {', '.join(sorted(installed)) or 'none'}."
