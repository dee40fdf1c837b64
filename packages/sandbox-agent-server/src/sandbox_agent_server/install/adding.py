"""Adds an agent that a registry file describes: installed now and in this version, so that no session ever runs `npx`."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import (
    AgentNotInstallable,
    InstallFailed,
    PlatformNotSupported,
    UnsupportedAgent,
)

from sandbox_agent_server.install.added import AddedAgent, AddedAgents
from sandbox_agent_server.install.archives import unpack_archive
from sandbox_agent_server.install.fetching import Fetcher
from sandbox_agent_server.install.installer import Installer, OnProgress
from sandbox_agent_server.install.pins import AgentPin
from sandbox_agent_server.install.registry_file import (
    Distribution,
    RegistryEntry,
    choose_distribution,
    parse_registry,
)
from sandbox_agent_server.runtime.platforms import describe_foreign_program, this_platform

__all__ = ["MAX_REGISTRY_BYTES", "AgentAdder", "Proposal"]

MAX_REGISTRY_BYTES: Final = 16 * 1024 * 1024
_LOWEST_PYTHON: Final = "3.11"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What would be added, for whoever has to say yes."""

    entry: RegistryEntry
    distribution: Distribution
    source: str


class AgentAdder:
    """Blocks."""

    def __init__(
        self, installer: Installer, *, taken: Collection[str], fetcher: Fetcher | None = None
    ) -> None:
        """`taken`: names that agents have which were not added."""
        self._installer = installer
        self._taken = taken
        self._fetcher = fetcher or Fetcher(may_use_network=installer.may_use_network)
        self.added = AddedAgents(installer.agents_dir)

    def look_up(self, source: str, *, agent: str | None = None) -> Proposal:
        """What the file says; nothing is installed. `agent`: which, when it describes several.

        Raises:
            AgentNotInstallable: the name is taken, or which agent is meant is not clear.
            InstallFailed, PlatformNotSupported, InstallForbidden.
        """
        entries = parse_registry(self._fetcher.text(source, max_bytes=MAX_REGISTRY_BYTES))
        names = sorted(entry.id for entry in entries)
        wanted = [entry for entry in entries if agent is None or entry.id == agent]
        if len(wanted) != 1:
            raise AgentNotInstallable(
                f"{source} describes {', '.join(names) or 'no agent'}: name one of them.",
                agent=agent,
                known=names,
            )
        (entry,) = wanted
        if entry.id in self._taken:
            raise AgentNotInstallable(
                f"There is an agent {entry.id!r} already, which is not replaced by one of a file.",
                agent=entry.id,
            )
        distribution = choose_distribution(entry, this_platform())
        return Proposal(entry=entry, distribution=distribution, source=source)

    def add(self, proposal: Proposal, *, on_progress: OnProgress = lambda _: None) -> AddedAgent:
        """Raises: InstallFailed and its kinds. What was there before works as before."""
        entry, chosen = proposal.entry, proposal.distribution
        if chosen.kind == "binary":
            self._bring_binary(proposal)
        else:
            self._installer.install_pin(self._pin(entry, chosen), on_progress=on_progress)
        agent = AddedAgent(
            id=entry.id,
            title=entry.name,
            version=chosen.version,
            program=entry.id,
            args=chosen.args,
            env=dict(chosen.env),
            origin=chosen.origin,
            source=proposal.source,
        )
        self.added.write(agent)
        return agent

    def remove(self, id: str) -> None:
        """With its program. Raises: UnsupportedAgent: none of this name was added."""
        known = self.added.read()
        if id not in known:
            raise UnsupportedAgent(
                f"No agent {id!r} was added. Added are: {', '.join(sorted(known)) or 'none'}.",
                agent=id,
                known=sorted(known),
            )
        self.added.remove(id)
        agents_dir = self._installer.agents_dir
        with agents_dir.locked(id, on_wait=lambda: None, check=lambda: None):
            (agents_dir.bin / known[id].program).unlink(missing_ok=True)
            shutil.rmtree(agents_dir.root / id, ignore_errors=True)

    def _pin(self, entry: RegistryEntry, chosen: Distribution) -> AgentPin:
        is_npm = chosen.kind == "npx"
        pin = AgentPin(
            name=entry.id,
            kind="node" if is_npm else "python",
            package=chosen.package,
            version=chosen.version,
            program=entry.id,
            path=chosen.program,
            min_python="" if is_npm else _LOWEST_PYTHON,
            # Nobody knows whether it can say its version.
            says_version=False,
        )
        if not is_npm:
            return pin
        with self._installer.registry(pin) as registry:
            path = registry.program_path(chosen.package, chosen.version, chosen.program)
        return pin.with_path(path)

    def _bring_binary(self, proposal: Proposal) -> None:
        agents_dir, id = self._installer.agents_dir, proposal.entry.id
        chosen, max_bytes = proposal.distribution, self._installer.max_bytes
        with ExitStack() as stack:
            stack.enter_context(agents_dir.locked(id, on_wait=_nothing, check=_nothing))
            staged = agents_dir.stage(id)
            archive = staged / "archive"
            self._fetcher.file(chosen.archive, archive, max_bytes=max_bytes, sha256=chosen.sha256)
            program = _unpacked(archive, staged / "package", chosen, max_bytes)
            archive.unlink(missing_ok=True)
            if (foreign := describe_foreign_program(program)) is not None:
                raise PlatformNotSupported(
                    f"{chosen.archive} holds a program for {foreign}, and this machine is {this_platform()}.",
                    agent=id,
                    platform=this_platform(),
                )
            program.chmod(0o755)
            installed = agents_dir.commit(
                staged, agent=id, version=chosen.version, program=program, source="registry"
            )
            agents_dir.activate(installed, id)
            agents_dir.forget_older_generations(installed)


def _unpacked(archive: Path, folder: Path, chosen: Distribution, max_bytes: int) -> Path:
    """Where the program is. What is no archive is the program itself."""
    folder.mkdir()
    program = folder / chosen.program
    if tarfile.is_tarfile(archive) or zipfile.is_zipfile(archive):
        unpack_archive(archive, folder, max_bytes=max_bytes)
    else:
        program.parent.mkdir(parents=True, exist_ok=True)
        archive.rename(program)
    if not program.is_file():
        raise InstallFailed(f"{chosen.archive} holds no {chosen.program!r}.")
    return program


_nothing: Callable[[], None] = lambda: None  # noqa: E731 - nobody is told, and nobody stops it
