"""A file of the ACP registry (`agent.json`, or many of them in one): what it describes, and how that is brought here.

Whoever wrote it is not trusted: names become files and arguments of npm and pip, so they are checked here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final, Literal, NoReturn

from sandbox_agent_core.errors import InstallFailed, PlatformNotSupported

from sandbox_agent_server.install.pins import VERSION_PATTERN

__all__ = ["Distribution", "RegistryEntry", "choose_distribution", "parse_registry"]

Kind = Literal["npx", "uvx", "binary"]

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_NPM: Final = re.compile(r"((?:@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*)(?:@([^@]+))?", re.I)
_PYPI: Final = re.compile(
    r"([a-z0-9][a-z0-9._-]*(?:\[[a-z0-9._,-]+\])?)(?:(?:==|@)([^@=]+))?", re.I
)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHA256: Final = re.compile(r"(?:sha256[:-])?([0-9a-f]{64})", re.I)
_MACHINES: Final = {"x64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One way to get an agent."""

    kind: Kind
    package: str = ""
    """Of npm or PyPI."""
    version: str = ""
    archive: str = ""
    """Where a binary is downloaded from: `https:`, `file:` or a path."""
    sha256: str | None = None
    program: str = ""
    """In the archive; of a package: what its program is called."""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """For a person: what is installed."""
        match self.kind:
            case "npx":
                return f"{self.package}@{self.version} from npm, with what it depends on"
            case "uvx":
                return f"{self.package}=={self.version} from PyPI, with what it depends on"
            case "binary":
                checked = f"sha256 {self.sha256}" if self.sha256 else "without a checksum"
                return f"{self.archive} ({checked})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEntry:
    id: str
    name: str
    version: str
    distribution: Mapping[str, Any]


def parse_registry(text: str) -> list[RegistryEntry]:
    """One entry, or all of a file with `agents`.

    Raises: InstallFailed: it is no such file.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        _wrong("it is not JSON")
    agents = document.get("agents") if isinstance(document, dict) else document
    found = agents if isinstance(agents, list) else [document]
    return [_entry(each) for each in found]


def choose_distribution(entry: RegistryEntry, platform: str) -> Distribution:
    """The package, when there is one, because a registry vouches for it; else the binary for this platform.

    Raises: PlatformNotSupported, InstallFailed.
    """
    offered = entry.distribution
    for kind, pattern in (("npx", _NPM), ("uvx", _PYPI)):
        if kind in offered:
            return _package(entry, kind, pattern, offered[kind])
    if isinstance(binaries := offered.get("binary"), dict):
        return _binary(entry, platform, binaries)
    _wrong(f"{entry.id} is offered in no way that is known here: {', '.join(map(repr, offered))}")


def _entry(value: Any) -> RegistryEntry:
    if not isinstance(value, dict):
        _wrong("an agent in it is no object")
    id = value.get("id")
    if not isinstance(id, str) or not _ID.fullmatch(id):
        _wrong(f"`id` is {id!r}, not lower-case letters, digits and hyphens")
    version = value.get("version")
    if not isinstance(version, str) or not VERSION_PATTERN.fullmatch(version):
        _wrong(f"`version` of {id} is {version!r}")
    if not isinstance(value.get("distribution"), dict):
        _wrong(f"{id} has no `distribution`")
    name = value.get("name")
    shown = name if isinstance(name, str) and name.isprintable() and name else id
    return RegistryEntry(
        id=id, name=shown[:100], version=version, distribution=value["distribution"]
    )


def _package(
    entry: RegistryEntry, kind: Kind | str, pattern: re.Pattern[str], value: Any
) -> Distribution:
    wanted = value.get("package") if isinstance(value, dict) else None
    found = pattern.fullmatch(wanted) if isinstance(wanted, str) else None
    if found is None:
        _wrong(f"`package` of {entry.id} is {wanted!r}, not the name of a package")
    # A tag or a range would be another program tomorrow.
    version = found[2] if found[2] and found[2][0].isdigit() else entry.version
    if not VERSION_PATTERN.fullmatch(version):
        _wrong(f"`package` of {entry.id} has the version {version!r}")
    name = found[1].partition("[")[0]
    return Distribution(
        kind="npx" if kind == "npx" else "uvx",
        package=found[1],
        version=version,
        program=name.rpartition("/")[2],
        args=_args(entry.id, value),
        env=_env(entry.id, value),
    )


def _binary(entry: RegistryEntry, platform: str, binaries: Mapping[str, Any]) -> Distribution:
    system, _, machine = platform.removesuffix("-musl").partition("-")
    value = binaries.get(f"{system}-{_MACHINES.get(machine, machine)}")
    if not isinstance(value, dict):
        raise PlatformNotSupported(
            f"{entry.id} has no program for {platform}; there are some for {', '.join(sorted(binaries))}.",
            agent=entry.id,
            platform=platform,
        )
    archive, program = value.get("archive"), value.get("cmd")
    if not isinstance(archive, str) or not isinstance(program, str):
        _wrong(f"the binary of {entry.id} has no `archive` or no `cmd`")
    inside = PurePosixPath(program)
    if inside.is_absolute() or ".." in inside.parts or not inside.name:
        _wrong(f"`cmd` of {entry.id} is {program!r}, which is not in its archive")
    checksum = value.get("sha256") or value.get("checksum")
    found = _SHA256.fullmatch(checksum) if isinstance(checksum, str) else None
    if checksum is not None and found is None:
        _wrong(f"the checksum of {entry.id} is no sha256: {checksum!r}")
    return Distribution(
        kind="binary",
        version=entry.version,
        archive=archive,
        sha256=found[1].lower() if found else None,
        program=str(inside),
        args=_args(entry.id, value),
        env=_env(entry.id, value),
    )


def _args(id: str, value: Mapping[str, Any]) -> tuple[str, ...]:
    given = value.get("args", [])
    if not isinstance(given, Sequence) or isinstance(given, str):
        _wrong(f"`args` of {id} is no list")
    if not all(isinstance(each, str) and "\0" not in each for each in given):
        _wrong(f"`args` of {id} has something else than texts")
    return tuple(given)


def _env(id: str, value: Mapping[str, Any]) -> dict[str, str]:
    given = value.get("env", {})
    if not isinstance(given, dict) or not all(
        _VARIABLE.fullmatch(name) and isinstance(each, str) and "\0" not in each
        for name, each in given.items()
    ):
        _wrong(f"`env` of {id} is no object of texts")
    return given


def _wrong(what: str) -> NoReturn:
    raise InstallFailed(f"This is no file of the ACP registry: {what}.")
