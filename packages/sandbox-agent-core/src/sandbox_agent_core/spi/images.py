"""Images with the server and agents inside, whatever a provider calls them: what goes in, and what came out."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sandbox_agent_core.spi.wheel import Wheel

__all__ = [
    "INSTALL_SETTINGS",
    "ImageSpec",
    "SandboxImage",
    "image_name",
    "install_settings",
    "snapshot_name",
]

_DIGEST_CHARACTERS: Final = 12
INSTALL_SETTINGS: Final = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "NPM_CONFIG_REGISTRY",
)
"""Variables that say where installers get things from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """What goes into an image. The same goes in twice: the second build finds the first one's image."""

    agents: Sequence[str] = ()
    """To install, in the versions that the server pins."""
    base: str | None = None
    """What to build on, in the provider's own terms; None is its default, which has Python."""
    packages: Sequence[str] | None = None
    """Of the base's distribution; None is the provider's default."""
    node: bool = False
    """Also Node.js, for agents and tools that are written for it."""
    wheels: Sequence[Wheel] = field(default=(), repr=False)
    """The server and core; without them the server comes from the index in `settings`."""
    inspector: Sequence[Wheel] | None = field(default=None, repr=False)
    """Its wheel, beside those by which an image is found again; empty: from where the server comes, if it is there.
    None: no Inspector."""
    wheelhouse: Sequence[Wheel] = field(default=(), repr=False)
    """All that the server needs, pip too: then no index is asked for it."""
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables for the installers, such as `PIP_INDEX_URL` or `NPM_CONFIG_REGISTRY`; not in the image afterwards
    where the provider can leave them out."""
    npm_registry: str | None = None
    """Where the caller's npm gets packages from; what `settings` or the base say comes first."""
    cpus: int | None = None
    memory_mb: int | None = None
    """Of each sandbox made from it, where the image decides that. None: what the agents need."""
    name: str | None = None
    """Other than the one that is used by default."""
    rebuild: bool = False
    """Also when nothing has changed."""
    report: Callable[[str], None] = lambda _line: None
    """Told what the build says, line by line."""

    @property
    def digest(self) -> str:
        """Of all that goes in."""
        facts = {
            "agents": sorted(set(self.agents)),
            "base": self.base,
            "packages": None if self.packages is None else sorted(set(self.packages)),
            "node": self.node,
            "cpus": self.cpus,
            "memory": self.memory_mb,
            "server": _contents(self.wheels),
            "wheelhouse": sorted((w.filename, _sha256(w.content)) for w in self.wheelhouse),
        }
        if self.inspector is not None:
            facts["inspector"] = _contents(self.inspector)
        return _short(json.dumps(facts).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxImage:
    """Something that sandboxes are made from."""

    provider: str
    name: str
    """For people, and for removing it."""
    options: Mapping[str, Any]
    """Of the provider: `SandboxAgent.start(image.provider, **image.options)` makes sandboxes from it."""
    created_at: datetime | None = None
    is_default: bool = False
    """The provider takes it by itself when no image is named."""
    is_new: bool = True
    """It was built just now; else there was nothing to do."""


def image_name(wheels: Sequence[Wheel], *, separator: str = "-") -> str:
    """The name of the image that a provider uses by default: another one for each state of the server's code, so
    that an older server is never used by mistake."""
    # It loads sockets (through `email`), which whoever only reads this package shall not wait for.
    from importlib.metadata import version  # noqa: PLC0415

    code = _short(json.dumps(_contents(wheels)).encode()) if wheels else "index"
    return f"sandbox-agent{separator}{version('sandbox-agent-core')}-{code}".replace("+", "-")


def snapshot_name() -> str:
    """For a snapshot whose maker gave none."""
    return f"sandbox-agent-snapshot-{secrets.token_hex(4)}"


def install_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of them that say where installers get things from, whatever their case."""
    return {name: environ[name] for name in environ if name.upper() in INSTALL_SETTINGS}


def _contents(wheels: Sequence[Wheel]) -> list[tuple[str, str]]:
    """Of the code alone: a wheel's compression and metadata differ with what packed it."""
    found = []
    for wheel in wheels:
        with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
            found += [
                (name, _sha256(archive.read(name)))
                for name in archive.namelist()
                if ".dist-info/" not in name
            ]
    return sorted(found)


def _short(content: bytes) -> str:
    return _sha256(content)[:_DIGEST_CHARACTERS]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
