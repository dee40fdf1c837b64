"""Which version `latest`, another tag or a number stands for on this platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sandbox_agent_core.errors import AgentNotInstallable

from sandbox_agent_server.install.pins import AgentPin
from sandbox_agent_server.install.semver import is_prerelease, newer_first

if TYPE_CHECKING:
    from sandbox_agent_server.install.registry import Registry

__all__ = ["LATEST", "choose_version"]

LATEST: Final = "latest"
"""The tag of npm's registries."""


def choose_version(registry: Registry, pin: AgentPin, *, wanted: str, platform: str) -> str:
    """The version itself; for a tag the newest up to it that there is a program for.

    Packages of platforms are published one by one, before or after the package whose tags people speak of.

    Raises:
        AgentNotInstallable: there is none; for a version says which is the newest instead.
        InstallFailed: and its kinds, for a registry that does not answer as it should.
    """
    here = _versions_for(registry, pin, platform)
    if wanted in here:
        return wanted
    tagged = registry.version(pin.package, wanted)
    # A version such as 0.0.17-gabc is what some publish as their releases.
    alike = [each for each in here if is_prerelease(each) <= is_prerelease(tagged)]
    meant = [each for each in alike if newer_first(each) >= newer_first(tagged)]
    if wanted == LATEST and pin.version in here:
        # A tag may lag behind, too: what was tested is older than no `latest`.
        meant.append(pin.version)
    newest = min(meant, key=newer_first, default=None)
    if newest is not None and tagged != wanted:
        return newest
    package = pin.package_for(platform, tagged).name
    instead = f" The newest that has one is {newest}." if newest is not None else ""
    raise AgentNotInstallable(
        f"{pin.name} {tagged} has no program for {platform}: {package} has no such version.{instead}",
        package=package,
        version=tagged,
        newest=newest,
    )


def _versions_for(registry: Registry, pin: AgentPin, platform: str) -> set[str]:
    package = pin.package_for(platform, "*")
    before, _, after = package.version.partition("*")
    return {
        version.removeprefix(before).removesuffix(after)
        for version in registry.versions(package.name)
        if version.startswith(before) and version.endswith(after)
    }
