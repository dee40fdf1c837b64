"""Agents from a directory, without any network: archives as `npm pack` makes them, or an agents' directory."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox_agent_core.errors import InstallFailed

from sandbox_agent_server.install.agents_dir import AgentsDir, InstalledVersion
from sandbox_agent_server.install.pins import AgentPin, PackagePin

__all__ = ["LocalSource"]

_ARCHIVE = ".tgz"


class LocalSource:
    def __init__(self, directory: Path) -> None:
        """Raises: InstallFailed when it is no directory."""
        self.directory = directory
        self._unpacked = AgentsDir(directory)
        if not directory.is_dir():
            raise InstallFailed(f"There is no directory {str(directory)!r} to install agents from.")

    def choose_version(self, pin: AgentPin, platform: str) -> str:
        """The tested version if it is here, else the newest of those that are.

        Raises:
            InstallFailed: there is none, or no program for this platform.
        """
        versions = {each.version for each in self._unpacked.versions(pin.name)}
        if pin.kind == "native":
            versions |= self._archived_versions(pin, platform)
        if pin.version in versions:
            return pin.version
        if not versions:
            raise self._missing(pin, platform, pin.version)
        return max(versions, key=_natural)

    def unpacked(self, agent: str, version: str) -> InstalledVersion | None:
        return self._unpacked.find(agent, version)

    def archive(self, pin: AgentPin, platform: str, version: str) -> Path:
        """Raises: InstallFailed when it is not here."""
        path = self.directory / _archive_name(pin.package_for(platform, version))
        if pin.kind != "native" or not path.is_file():
            raise self._missing(pin, platform, version)
        return path

    def _archived_versions(self, pin: AgentPin, platform: str) -> set[str]:
        # The version stands between the name of the package and what a platform's version ends with.
        before, _, after = _archive_name(pin.package_for(platform, "*")).partition("*")
        return {
            path.name.removeprefix(before).removesuffix(after)
            for path in self.directory.glob(f"{before}[0-9]*{after}")
        }

    def _missing(self, pin: AgentPin, platform: str, version: str) -> InstallFailed:
        where = str(self.directory)
        if pin.kind != "native":
            message = (
                f"{where!r} holds no {pin.name} {version}. It has dependencies, so it comes unpacked: "
                f"run `sandbox-agent-server install-agent {pin.name} --agents-dir DIR` "
                "where there is a network, and bring DIR here."
            )
        else:
            package = pin.package_for(platform, version)
            message = (
                f"{where!r} holds no {pin.name} {version}: {_archive_name(package)} was looked for, "
                f"which `npm pack {package.spec}` makes."
            )
        return InstallFailed(message, agent=pin.name, version=version)


def _archive_name(package: PackagePin) -> str:
    """As `npm pack` names it."""
    return f"{package.name.removeprefix('@').replace('/', '-')}-{package.version}{_ARCHIVE}"


def _natural(version: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", version)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
