"""Which packages hold an agent, and which version of it was tested: the data file `versions.toml`, read."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any, Final, Literal

from sandbox_agent_core.errors import AgentNotInstallable, PlatformNotSupported

__all__ = ["VERSION_PATTERN", "AgentPin", "PackagePin", "all_pins", "find_pin", "installable"]

VERSION_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,127}")
"""Of versions and tags: they become names of directories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePin:
    """One package of the registry in one version."""

    name: str
    version: str
    path: str
    """A glob: where the program is in it."""

    @property
    def spec(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPin:
    """One table of `versions.toml`."""

    name: str
    kind: Literal["native", "node", "python"]
    package: str
    version: str
    program: str
    path: str
    platform_package: str = ""
    platform_version: str = "{version}"
    platforms: Mapping[str, str] = field(default_factory=dict)
    brotli: bool = False
    min_python: str = ""
    beside: Sequence[str] = ()
    says_version: bool = True
    """`--version` starts it and ends it."""

    def with_path(self, path: str) -> AgentPin:
        return replace(self, path=path)

    def package_for(self, platform: str, version: str) -> PackagePin:
        """What to install on this platform.

        Raises:
            PlatformNotSupported: the agent is not published for it.
        """
        if self.kind != "native":
            return PackagePin(name=self.package, version=version, path=self.path)
        theirs = self.platforms.get(platform)
        if theirs is None:
            raise PlatformNotSupported(
                f"{self.name} has no program for {platform}; there are some for "
                f"{', '.join(sorted(self.platforms))}. Run it on one of those.",
                agent=self.name,
                platform=platform,
            )
        words = {"platform": theirs, "version": version}
        return PackagePin(
            name=self.platform_package.format(**words),
            version=self.platform_version.format(**words),
            path=self.path.format(**words),
        )


@functools.cache
def all_pins() -> Mapping[str, AgentPin]:
    return {
        name: AgentPin(name=name, **table)
        for name, table in _tables().items()
        if "refused" not in table
    }


def installable() -> list[str]:
    return sorted(all_pins())


def find_pin(agent: str) -> AgentPin:
    """Raises: AgentNotInstallable, with what to do instead."""
    if (pin := all_pins().get(agent)) is not None:
        return pin
    refused = _tables().get(agent, {}).get("refused")
    raise AgentNotInstallable(
        refused
        or f"There is no package to install {agent!r} from; these can be installed: {', '.join(installable())}.",
        agent=agent,
        known=None if refused else installable(),
    )


@functools.cache
def _tables() -> dict[str, dict[str, Any]]:
    text = resources.files(__package__).joinpath("versions.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
