"""The directory of installed agents, and what keeps it whole whoever dies while working in it.

<root>/bin/<program>            a link to the program of the version that is used
<root>/<agent>/<version>/       one version, complete: it is moved here when it is
<root>/<agent>/<version>~2/     the same version, installed again
<root>/.staging/<agent>/…       what is not complete; swept by the next installation of the agent
<root>/.locks/<agent>           held by the one process that installs the agent
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sandbox_agent_core.errors import InstallFailed

__all__ = ["BIN", "AgentsDir", "InstalledVersion", "Source"]

BIN: Final = "bin"
LOCK_POLL_S: Final = 0.1
_STAMP: Final = "installed.json"
_GENERATION: Final = "~"

Source = Literal["registry", "local_path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledVersion:
    agent: str
    version: str
    directory: Path
    program: Path
    """Absolute; in `directory`."""
    source: Source


class AgentsDir:
    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @property
    def bin(self) -> Path:
        return self.root / BIN

    def versions(self, agent: str) -> list[InstalledVersion]:
        """What is installed completely, oldest generation first."""
        try:
            directories = sorted((self.root / agent).iterdir(), key=_order)
        except OSError:
            return []
        found = (_read_stamp(agent, directory) for directory in directories)
        return [version for version in found if version is not None]

    def find(self, agent: str, version: str) -> InstalledVersion | None:
        """The newest generation of it."""
        found = [each for each in self.versions(agent) if each.version == version]
        return found[-1] if found else None

    def active(self, agent: str, program: str) -> InstalledVersion | None:
        """The version that `bin/<program>` leads to."""
        try:
            target = (self.bin / program).resolve(strict=True)
        except OSError:
            return None
        return next(
            (each for each in self.versions(agent) if target == each.program.resolve()), None
        )

    @contextmanager
    def locked(
        self, agent: str, *, on_wait: Callable[[], None], check: Callable[[], None]
    ) -> Iterator[None]:
        """Alone with the agent, among all processes; also sweeps what a dead installation left.

        `on_wait` is told once when somebody else is at it; `check` is called while waiting and may raise.

        Raises:
            InstallFailed: the directory cannot be written.
        """
        try:
            locks = self.root / ".locks"
            locks.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(locks / agent, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise InstallFailed(
                f"The agents' directory {str(self.root)!r} cannot be written: {exc.strerror}. "
                "Choose another with --agents-dir or SANDBOX_AGENT_AGENTS_DIR.",
                agent=agent,
            ) from exc
        staging = self.root / ".staging" / agent
        try:
            _lock(descriptor, on_wait, check)
            # The lock says that nobody works there any more.
            shutil.rmtree(staging, ignore_errors=True)
            try:
                yield
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        finally:
            os.close(descriptor)

    def stage(self, agent: str) -> Path:
        """A fresh directory on the same file system. For who holds the lock."""
        staging = self.root / ".staging" / agent
        staging.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=staging))

    def commit(
        self, staged: Path, *, agent: str, version: str, program: Path, source: Source
    ) -> InstalledVersion:
        """Make what was staged a version: whole, or not at all. `program` is in `staged`."""
        inside = program.relative_to(staged)
        stamp = {"agent": agent, "version": version, "program": str(inside), "source": source}
        _write_synced(staged / _STAMP, json.dumps(stamp))
        staged.chmod(0o755)
        _sync_directory(staged)
        home = self.root / agent
        home.mkdir(parents=True, exist_ok=True)
        directory = self._free_name(home, version)
        staged.rename(directory)
        _sync_directory(home)
        return InstalledVersion(
            agent=agent,
            version=version,
            directory=directory,
            program=directory / inside,
            source=source,
        )

    def activate(self, installed: InstalledVersion, program: str) -> None:
        """Let `bin/<program>` lead to this version. Who looks at any moment finds the old or the new one."""
        self.bin.mkdir(parents=True, exist_ok=True)
        # Relative, so that the whole directory can be moved and mounted elsewhere.
        target = os.path.relpath(installed.program, self.bin)
        scratch = self.stage(installed.agent)
        link = scratch / program
        link.symlink_to(target)
        link.replace(self.bin / program)
        scratch.rmdir()
        _sync_directory(self.bin)

    def forget_older_generations(self, kept: InstalledVersion) -> None:
        """After installing a version again. A program that runs keeps its open files."""
        for each in self.versions(kept.agent):
            if each.version == kept.version and each.directory != kept.directory:
                doomed = self.stage(kept.agent) / each.directory.name
                each.directory.rename(doomed)
                shutil.rmtree(doomed.parent, ignore_errors=True)

    @staticmethod
    def _free_name(home: Path, version: str) -> Path:
        directory, generation = home / version, 1
        while directory.exists():
            generation += 1
            directory = home / f"{version}{_GENERATION}{generation}"
        return directory


def _lock(descriptor: int, on_wait: Callable[[], None], check: Callable[[], None]) -> None:
    has_told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not has_told:
                on_wait()
                has_told = True
            check()
            time.sleep(LOCK_POLL_S)


def _order(directory: Path) -> tuple[str, int]:
    version, _, generation = directory.name.partition(_GENERATION)
    return version, int(generation) if generation.isdigit() else 1


def _read_stamp(agent: str, directory: Path) -> InstalledVersion | None:
    """None for what is no complete version: whatever somebody else put there."""
    try:
        stamp = json.loads((directory / _STAMP).read_text(encoding="utf-8"))
        program = directory / stamp["program"]
        version, source = stamp["version"], stamp["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not program.is_file():
        return None
    return InstalledVersion(
        agent=agent, version=version, directory=directory, program=program, source=source
    )


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
