"""Skills of a session: found where they are configured, and copied into a folder that its agent is told of.

Copied, so that the workspace gets nothing that is not its own, and that nothing changes under a session. The
folder is a plug-in as Claude Code and Copilot load them; others are told of its `skills`. Everything here blocks.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sandbox_agent_core.api.config import SkillsConfig, SkillSource
from sandbox_agent_core.errors import InvalidRequest, SandboxAgentError

from sandbox_agent_server.host.config.checkouts import Checkouts, github_place
from sandbox_agent_server.host.config.files import resolve_directory
from sandbox_agent_server.host.config.skill_files import Budget, Skill, copy_skill, skills_below
from sandbox_agent_server.host.config.store import Found
from sandbox_agent_server.host.files.paths import Paths

__all__ = ["SKILLS_FOLDER", "GatheredSkills", "SkillSources"]

SKILLS_FOLDER: Final = "skills"
_PLUGIN: Final = {
    "name": "configured",
    "version": "1.0.0",
    "description": "Skills that this directory is configured with.",
}


class GatheredSkills(NamedTuple):
    skills: list[Skill]
    """As they are in the folder."""
    warnings: list[str]


class SkillSources:
    def __init__(
        self,
        checkouts: Checkouts,
        *,
        paths: Paths,
        max_skills: int,
        max_bytes: int,
        max_files: int,
    ) -> None:
        self._checkouts = checkouts
        self._paths = paths
        self._max_skills = max_skills
        self._max_bytes = max_bytes
        self._max_files = max_files

    def gather(self, configured: Sequence[Found], to: Path) -> GatheredSkills:
        """Make the folder `to` anew. What cannot be had is told, and does not keep the others away."""
        shutil.rmtree(to, ignore_errors=True)
        gathered: dict[str, Skill] = {}
        warnings: list[str] = []
        budget = Budget(self._max_bytes, self._max_files)
        for found in configured:
            assert isinstance(found.config, SkillsConfig)
            for source in found.config.sources:
                where = f"skills {found.name!r} of {str(found.directory)!r}, {source.source!r}"
                try:
                    for skill in self._of_source(source, found.directory, warnings):
                        self._add(skill, to, gathered, budget)
                except SandboxAgentError as exc:
                    warnings.append(f"{where}: {exc.message}")
                except (OSError, ValueError) as exc:
                    warnings.append(f"{where}: {exc}")
        return GatheredSkills(list(gathered.values()), warnings)

    def _add(self, skill: Skill, to: Path, gathered: dict[str, Skill], budget: Budget) -> None:
        """Raises: OSError, ValueError."""
        if len(gathered) >= self._max_skills and skill.name not in gathered:
            raise ValueError(f"there are more than `max_skills` ({self._max_skills}) skills")
        if not gathered:
            for manifest in (to / ".claude-plugin" / "plugin.json", to / "plugin.json"):
                manifest.parent.mkdir(parents=True, exist_ok=True)
                manifest.write_text(json.dumps(_PLUGIN), encoding="utf-8")
        place = to / SKILLS_FOLDER / skill.name
        shutil.rmtree(place, ignore_errors=True)  # of one name the innermost
        gathered.pop(skill.name, None)
        try:
            copy_skill(skill, place, budget)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        gathered[skill.name] = skill

    def _of_source(
        self, source: SkillSource, directory: Path, warnings: list[str]
    ) -> Iterator[Skill]:
        """Raises: SandboxAgentError, OSError."""
        folder = self._folder(source, directory, warnings)
        found = {skill.name: skill for skill in skills_below(folder)}
        wanted = list(found) if source.skills is None else source.skills
        if not found:
            raise InvalidRequest("there is no skill: no folder with a `SKILL.md`")
        for name in wanted:
            if name in found:
                yield found[name]
            else:
                warnings.append(
                    f"there is no skill {name!r} in {source.source!r}; it has: {', '.join(sorted(found))}"
                )

    def _folder(self, source: SkillSource, directory: Path, warnings: list[str]) -> Path:
        subpath = source.subpath
        if source.type == "local":
            base = resolve_directory(_below(directory, source.source), self._paths)
        else:
            url, ref = source.source, source.ref
            if source.type == "github":
                url, path, named = github_place(source.source)
                ref = ref or named
                subpath = subpath or path
            elif self._paths.root is not None and url.startswith("file:"):
                raise InvalidRequest(
                    "a server with a root fetches nothing from other files of its machine"
                )
            base, warning = self._checkouts.get(url, ref)
            if warning is not None:
                warnings.append(warning)
        if subpath is None:
            return base
        inside = (base / subpath).resolve()
        if not inside.is_relative_to(base.resolve()) or not inside.is_dir():
            raise InvalidRequest(f"there is no folder {subpath[:256]!r} in it")
        return inside


def _below(directory: Path, given: str) -> str:
    return given if given == "~" or given.startswith("~/") else str(directory / given)
