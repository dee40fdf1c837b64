"""The agents that were added from registry files: a file each, in the agents' directory, for all servers of the user."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from sandbox_agent_server.install.agents_dir import AgentsDir

__all__ = ["AddedAgent", "AddedAgents"]

logger = logging.getLogger(__name__)

_FOLDER: Final = "added"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedAgent:
    id: str
    title: str
    version: str
    program: str
    """In `bin/`."""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    """What was installed, in words."""
    source: str = ""
    """The registry file."""


class AddedAgents:
    def __init__(self, agents_dir: AgentsDir) -> None:
        self._agents_dir = agents_dir
        self._folder = agents_dir.root / _FOLDER

    def read(self) -> dict[str, AddedAgent]:
        """By id. One that cannot be read is left out, with a warning."""
        found = {}
        for path in sorted(self._folder.glob("*.json")):
            try:
                told = json.loads(path.read_text(encoding="utf-8"))
                agent = AddedAgent(**{**told, "args": tuple(told["args"])})
            except (OSError, ValueError, TypeError, KeyError):
                logger.warning("%s cannot be read: the agent is left out", path, exc_info=True)
                continue
            if agent.id == path.stem:
                found[agent.id] = agent
        return found

    def commands(self) -> dict[str, tuple[AddedAgent, tuple[str, ...]]]:
        """By id: the agent and what starts it."""
        return {
            name: (agent, (str(self._agents_dir.bin / agent.program), *agent.args))
            for name, agent in self.read().items()
        }

    def write(self, agent: AddedAgent) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(agent.id)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(agent), indent=2), encoding="utf-8")
        part.replace(path)

    def remove(self, id: str) -> None:
        self._path(id).unlink(missing_ok=True)

    def _path(self, id: str) -> Path:
        return self._folder / f"{id}.json"
