"""One installation, from what is wanted to a program in `bin/`. Blocks; safe to be killed at any moment."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox_agent_core.api.agents import InstallProgress
from sandbox_agent_core.errors import (
    AgentNotInstallable,
    InstallFailed,
    InstallForbidden,
    PlatformNotSupported,
)
from sandbox_agent_core.spi.agent import AgentInstallation

from sandbox_agent_server.install.agents_dir import AgentsDir, InstalledVersion, Source
from sandbox_agent_server.install.brotli import unpack_brotli
from sandbox_agent_server.install.choosing import LATEST, choose_version
from sandbox_agent_server.install.default_registry import bring_and_ask_npm
from sandbox_agent_server.install.local_source import LocalSource
from sandbox_agent_server.install.node import ANY_NODE, NodeTools
from sandbox_agent_server.install.node_supply import NodeSupply
from sandbox_agent_server.install.npm_install import (
    install_with_npm,
    node_range_of,
    write_launcher,
)
from sandbox_agent_server.install.npmrc import load_npm_config
from sandbox_agent_server.install.pins import AgentPin, PackagePin, find_pin
from sandbox_agent_server.install.python_install import (
    find_python,
    install_with_pip,
    write_python_launcher,
)
from sandbox_agent_server.install.semver import VersionRange
from sandbox_agent_server.install.starting import check_start
from sandbox_agent_server.install.unpacking import unpack
from sandbox_agent_server.runtime.platforms import describe_foreign_program, this_platform
from sandbox_agent_server.settings import Settings

if TYPE_CHECKING:
    from sandbox_agent_server.install.registry import Registry

__all__ = ["Installed", "Installer", "NewestVersion", "OnProgress", "create_installer"]

logger = logging.getLogger(__name__)

OnProgress = Callable[[InstallProgress], None]
"""Called often, in the thread that installs. What it raises ends the installation."""

PROGRESS_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    version: InstalledVersion
    already: bool
    """Nothing was downloaded: it was there, or somebody else brought it meanwhile."""

    def note(self, used: AgentInstallation | None) -> str | None:
        """For a person, when what a session would run is not this: another comes first on the PATH."""
        version = self.version
        if used is None or Path(used.path).resolve() == version.program.resolve():
            return None
        return (
            f"Sessions use {used.path}, which comes first on the PATH; to use this one remove that, or "
            f'set `command = ["{version.program}"]` in `[agents.{version.agent}]`.'
        )


@dataclass(frozen=True, slots=True)
class NewestVersion:
    version: str
    node: VersionRange | None
    """Which Node.js it wants; None for a program that needs none."""


class Installer:
    def __init__(
        self,
        agents_dir: AgentsDir,
        *,
        environ: Mapping[str, str],
        source: Path | None = None,
        may_use_network: bool = True,
        npm_registry: str | None = None,
        max_bytes: int,
    ) -> None:
        """`environ` tells npm's configuration and where Node.js is; `npm_registry` is for a configuration that
        names none; with a `source` no network is used."""
        self.agents_dir = agents_dir
        self._environ = environ
        self._npm_registry = npm_registry
        self._source = source
        self._may_use_network = may_use_network
        self._max_bytes = max_bytes

    def install(
        self,
        agent: str,
        *,
        version: str | None = None,
        reinstall: bool = False,
        on_progress: OnProgress = lambda _progress: None,
    ) -> Installed:
        """Have the version (else the tested one) in the directory, and `bin/` lead to it.

        Raises:
            AgentNotInstallable, InstallForbidden, and InstallFailed with its kinds. What was installed
            before works as before.
        """
        return _Run(self, find_pin(agent), reinstall, on_progress).run(version)

    def install_pin(
        self, pin: AgentPin, *, on_progress: OnProgress = lambda _progress: None
    ) -> Installed:
        """An agent that is not one of ours, in the version of its pin. Raises: as `install`."""
        return _Run(self, pin, False, on_progress).run(None)

    def newest(self, agent: str) -> NewestVersion:
        """What `latest` would install here. Raises: as `install`."""
        pin = find_pin(agent)
        if pin.kind == "python":
            raise _exactly(pin)
        with self.registry(pin) as registry:
            version = choose_version(registry, pin, wanted=LATEST, platform=this_platform())
            node = registry.node_range(pin.package, version) if pin.kind == "node" else None
        return NewestVersion(version, node)

    def local_source(self) -> LocalSource | None:
        return LocalSource(self._source) if self._source is not None else None

    def node_supply(self) -> NodeSupply:
        return NodeSupply(
            agents_dir=self.agents_dir,
            environ=self.environ,
            source=AgentsDir(self._source) if self._source is not None else None,
            may_use_network=self._may_use_network,
        )

    def registry(self, pin: AgentPin, *, on_fetch: Callable[[], None] = lambda: None) -> Registry:
        """`on_fetch` is called while an npm is brought to tell its default registry.

        Raises:
            InstallForbidden: there must be no network.
        """
        if not self._may_use_network:
            raise InstallForbidden(
                f"{pin.name} is not installed, and nothing may be installed from the network here "
                "(`require_preinstalled`). Put it on the PATH or into the agents' directory beforehand.",
                agent=pin.name,
            )
        # Most servers never install anything: they do without an HTTP client.
        from sandbox_agent_server.install.registry import Registry  # noqa: PLC0415

        environ = self.environ
        ask = partial(bring_and_ask_npm, environ, self.node_supply(), on_fetch=on_fetch)
        return Registry(load_npm_config(environ, default_registry=cache(ask)))

    @property
    def environ(self) -> Mapping[str, str]:
        """For npm too, which then asks the same registry as we do."""
        if self._npm_registry is None or load_npm_config(self._environ).names_registry:
            return self._environ
        return {**self._environ, "NPM_CONFIG_REGISTRY": self._npm_registry}

    @property
    def may_use_network(self) -> bool:
        return self._may_use_network

    @property
    def max_bytes(self) -> int:
        return self._max_bytes


def create_installer(settings: Settings, environ: Mapping[str, str]) -> Installer:
    """As the settings say; `environ` holds npm's configuration."""
    return Installer(
        AgentsDir(settings.agents_dir),
        environ=environ,
        source=settings.agents_source,
        may_use_network=not settings.require_preinstalled,
        npm_registry=settings.npm_registry,
        max_bytes=settings.limits.max_install_bytes,
    )


class _Run:
    """One call of `install`."""

    def __init__(
        self, installer: Installer, pin: AgentPin, reinstall: bool, on_progress: OnProgress
    ) -> None:
        self._installer = installer
        self._agents_dir = installer.agents_dir
        self._pin = pin
        self._reinstall = reinstall
        self._on_progress = on_progress
        self._version: str | None = None
        self._told_at = 0.0
        self._step: str | None = None

    def run(self, version: str | None) -> Installed:
        pin = self._pin
        if pin.kind == "python" and version is not None and not version[0].isdigit():
            raise _exactly(pin)
        source = self._installer.local_source()
        if source is not None:
            self._version = version or source.choose_version(pin, this_platform())
        else:
            self._version = version or pin.version
        if (there := self._in_use(self._version)) is not None:
            return there
        try:
            return self._use_or_bring(self._version, source, is_asked=version is not None)
        except OSError as exc:
            where = str(self._agents_dir.root)
            raise InstallFailed(
                f"{pin.name} could not be installed in {where!r}: {exc.strerror or exc}",
                agent=pin.name,
            ) from exc

    def _use_or_bring(
        self, version: str, source: LocalSource | None, *, is_asked: bool
    ) -> Installed:
        if self._found(version) is not None:
            with self._locked():
                if (there := self._use_found(version)) is not None:
                    return there
        if source is not None:
            return self._install(version, source, None)
        with self._installer.registry(self._pin, on_fetch=self._tell_of_node) as registry:
            if is_asked and self._pin.kind != "python":
                self._tell("resolving")
                # May be a tag. Before the lock: others need not wait for it.
                self._version = version = choose_version(
                    registry, self._pin, wanted=version, platform=this_platform()
                )
            return self._install(version, None, registry)

    def _install(
        self, version: str, source: LocalSource | None, registry: Registry | None
    ) -> Installed:
        with self._locked():
            if (there := self._in_use(version) or self._use_found(version)) is not None:
                return there
            installed = self._bring(version, source, registry)
            self._tell("finishing")
            self._agents_dir.activate(installed, self._pin.program)
            if self._reinstall:
                self._agents_dir.forget_older_generations(installed)
        logger.info("installed %s %s: %s", installed.agent, installed.version, installed.program)
        return Installed(version=installed, already=False)

    def _in_use(self, version: str) -> Installed | None:
        """The version, if sessions run it already."""
        found = self._found(version)
        active = self._agents_dir.active(self._pin.name, self._pin.program)
        return Installed(version=found, already=True) if found and found == active else None

    def _use_found(self, version: str) -> Installed | None:
        """Let sessions run the version if it is there and still starts: its Node.js may have gone since. For who
        holds the lock."""
        if (found := self._found(version)) is None:
            return None
        try:
            self._check_start(found.program)
        except InstallFailed as exc:
            logger.warning("%s; it is installed again", exc.message)
            return None
        self._agents_dir.activate(found, self._pin.program)
        return Installed(version=found, already=True)

    def _found(self, version: str) -> InstalledVersion | None:
        return None if self._reinstall else self._agents_dir.find(self._pin.name, version)

    def _locked(self) -> AbstractContextManager[None]:
        def wait() -> None:
            self._tell("waiting")

        return self._agents_dir.locked(self._pin.name, on_wait=wait, check=wait)

    def _bring(
        self, version: str, source: LocalSource | None, registry: Registry | None
    ) -> InstalledVersion:
        staged = self._agents_dir.stage(self._pin.name)
        kind: Source = "local_path"
        if source is not None and (unpacked := source.unpacked(self._pin.name, version)):
            shutil.copytree(unpacked.directory, staged, symlinks=True, dirs_exist_ok=True)
            program = self._program_of_copy(staged, unpacked)
        elif self._pin.kind == "node":
            kind = "registry"
            program = self._bring_node(version, staged, source, registry)
        elif self._pin.kind == "python":
            kind = "registry"
            program = self._bring_python(version, staged, source)
        else:
            package = self._pin.package_for(this_platform(), version)
            if source is not None:
                archive = source.archive(self._pin, this_platform(), version)
            else:
                assert registry is not None
                kind = "registry"
                archive = self._download(registry, package, staged)
            program = self._unpack(archive, package, staged)
            if kind == "registry":
                archive.unlink()
        self._check_program(program)
        if self._pin.says_version:
            self._check_start(program)
        return self._agents_dir.commit(
            staged, agent=self._pin.name, version=version, program=program, source=kind
        )

    def _download(self, registry: Registry, package: PackagePin, staged: Path) -> Path:
        self._tell("resolving")
        dist = registry.dist(package.name, package.version)
        archive = staged / "package.tgz"
        registry.download(
            dist,
            archive,
            max_bytes=self._installer.max_bytes,
            on_progress=lambda done, total: self._tell("downloading", done, total),
        )
        return archive

    def _unpack(self, archive: Path, package: PackagePin, staged: Path) -> Path:
        done = 0

        def on_bytes(count: int) -> None:
            nonlocal done
            done += count
            self._tell("unpacking", done)

        directory = staged / "package"
        unpack(archive, directory, max_bytes=self._installer.max_bytes, on_bytes=on_bytes)
        self._check_package(directory, package, archive)
        program = next(directory.glob(package.path), None)
        if program is None:
            raise InstallFailed(
                f"{package.spec} holds no {package.path!r}: this version is built differently.",
                agent=self._pin.name,
            )
        if self._pin.brotli:
            tools = self._node(ANY_NODE)
            program = unpack_brotli(program, tools=tools, max_bytes=self._installer.max_bytes)
        program.chmod(0o755)  # some packages leave that to an install script
        return program

    def _check_package(self, directory: Path, package: PackagePin, archive: Path) -> None:
        """That an archive from a directory is what its name says."""
        try:
            said = json.loads((directory / "package.json").read_text(encoding="utf-8"))
            found = f"{said['name']}@{said['version']}"
        except (OSError, ValueError, KeyError, TypeError):
            found = "no npm package"
        if found != package.spec:
            raise InstallFailed(
                f"{archive.name} is {found}, not {package.spec}.", agent=self._pin.name
            )

    def _bring_node(
        self, version: str, staged: Path, source: LocalSource | None, registry: Registry | None
    ) -> Path:
        if source is not None:
            source.archive(self._pin, this_platform(), version)  # says that there is none, and why
        assert registry is not None
        package = self._pin.package_for(this_platform(), version)
        tools = self._node(registry.node_range(package.name, version))
        self._tell("running_npm")
        install_with_npm(
            package,
            staged,
            tools=tools,
            environ=self._installer.environ,
            check=lambda: self._tell("running_npm"),
        )
        return write_launcher(self._pin, staged, tools, root=self._agents_dir.root)

    def _bring_python(self, version: str, staged: Path, source: LocalSource | None) -> Path:
        pin, environ = self._pin, self._installer.environ
        if source is not None:
            source.archive(pin, this_platform(), version)  # says that there is none, and why
        python = find_python(environ, agent=pin.name, at_least=pin.min_python)
        self._tell("running_pip")
        install_with_pip(
            [f"{pin.package}=={version}", *pin.beside],
            staged,
            python=python,
            environ=environ,
            check=lambda: self._tell("running_pip"),
        )
        return write_python_launcher(
            staged, script=pin.path, program=pin.program, package=pin.package, version=version
        )

    def _program_of_copy(self, staged: Path, copied: InstalledVersion) -> Path:
        if self._pin.kind == "node":
            # The Node.js of the machine that it was installed on is not here.
            tools = self._node(node_range_of(staged, self._pin.package))
            return write_launcher(self._pin, staged, tools, root=self._agents_dir.root)
        return staged / copied.program.relative_to(copied.directory)

    def _node(self, wanted: VersionRange) -> NodeTools:
        return self._installer.node_supply().require(
            self._pin.name, wanted, on_fetch=self._tell_of_node
        )

    def _tell_of_node(self) -> None:
        self._tell("bringing_node")

    def _check_program(self, program: Path) -> None:
        if (foreign := describe_foreign_program(program)) is not None:
            raise PlatformNotSupported(
                f"This {self._pin.name} is a program for {foreign}, and this machine is {this_platform()}.",
                agent=self._pin.name,
                platform=this_platform(),
            )

    def _check_start(self, program: Path) -> None:
        self._tell("starting")
        check_start(
            self._pin.name,
            program,
            environ=self._installer.environ,
            check=lambda: self._tell("starting"),
        )

    def _tell(self, step: str, done: int | None = None, total: int | None = None) -> None:
        """At most ten times a second, but every new step and the last byte."""
        now = time.monotonic()
        is_news = step != self._step or (done is not None and done == total)
        if not is_news and now - self._told_at < PROGRESS_EVERY_S:
            return
        self._step, self._told_at = step, now
        self._on_progress(
            InstallProgress.model_validate(
                {
                    "agent": self._pin.name,
                    "step": step,
                    "version": self._version,
                    "done_bytes": done,
                    "total_bytes": total,
                }
            )
        )


def _exactly(pin: AgentPin) -> AgentNotInstallable:
    return AgentNotInstallable(
        f"{pin.name} comes from PyPI, which is not asked what is newest: name a version of {pin.package}.",
        agent=pin.name,
    )
