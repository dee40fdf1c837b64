"""What the agent of a session is given beside its workspace: MCP servers and skills, the session's and its directory's.

Put together for each life of an agent: what is configured meanwhile counts when it starts again.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.api.config import McpLocalConfig, McpRemoteConfig, McpServerConfig
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.spi.agent import AgentDefinition
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

from sandbox_agent_server.agents.repository import repository_of
from sandbox_agent_server.host.config.checkouts import Checkouts
from sandbox_agent_server.host.config.files import FOLDERS
from sandbox_agent_server.host.config.skill_files import Skill
from sandbox_agent_server.host.config.skills import SKILLS_FOLDER, SkillSources
from sandbox_agent_server.host.config.store import ConfigStore, Found
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.sessions.state import SessionSettings
from sandbox_agent_server.settings import Settings
from sandbox_agent_server.store.index import SESSIONS_NAME

__all__ = ["NO_EQUIPMENT", "Equipment", "Equipping"]

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# ACP's programs have no working directory of their own.
_IN_DIRECTORY: Final = ("/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh")
_CHECKOUTS: Final = "skills"
_PLACE: Final = "equipment"


@dataclass(frozen=True, slots=True, repr=False)
class Equipment:
    mcp_servers: list[dict[str, Any]] = field(default_factory=list)
    """As ACP has them, with their secrets."""
    host_tools: Sequence[str] = ()
    """Functions of a client that are among them, as tools of one server."""
    skills: Sequence[Skill] = ()
    skills_folder: Path | None = None
    """Where they are; None where there are none."""
    told_skills: str | None = None
    """For the first prompt, where the agent has no place for them."""
    warnings: Sequence[str] = ()

    def to_wire(self) -> dict[str, Any]:
        """Of `agent.started`."""
        names = [str(server.get("name")) for server in self.mcp_servers]
        told = {
            "mcpServers": names,
            "tools": list(self.host_tools),
            "skills": [skill.name for skill in self.skills],
            "warnings": list(self.warnings),
        }
        return {name: value for name, value in told.items() if value}


NO_EQUIPMENT: Final = Equipment()


class _Missing(Exception):
    """A variable that an entry names is not set."""


class Equipping:
    def __init__(self, config: ConfigStore, paths: Paths, settings: Settings) -> None:
        limits = settings.limits
        self._config = config
        self._root = paths.root
        self._sessions = settings.data_dir.absolute() / SESSIONS_NAME
        checkouts = Checkouts(
            settings.data_dir.absolute() / _CHECKOUTS,
            timeout_s=limits.skill_fetch_timeout_s,
            max_bytes=limits.max_skill_bytes,
            environ=os.environ,
        )
        self._sources = SkillSources(
            checkouts,
            paths=paths,
            max_skills=limits.max_skills,
            max_bytes=limits.max_skill_bytes,
            max_files=limits.max_skill_files,
        )

    async def of(
        self,
        session_id: str,
        settings: SessionSettings,
        definition: AgentDefinition,
        *,
        mcp_servers: list[dict[str, Any]],
        environment: Mapping[str, str],
    ) -> Equipment:
        """`mcp_servers` are the session's own, which go before those of the directory. `environment` is the agent's."""
        directories = self._directories(Path(settings.cwd))
        if not any(directory.joinpath(*FOLDERS).is_dir() for directory in directories):
            return Equipment(mcp_servers)  # as most are: no thread is waited for
        return await asyncio.to_thread(
            self._put_together,
            session_id, settings, definition, mcp_servers, environment, directories,
        )  # fmt: skip

    def _put_together(
        self,
        session_id: str,
        settings: SessionSettings,
        definition: AgentDefinition,
        own: list[dict[str, Any]],
        environment: Mapping[str, str],
        directories: list[Path],
    ) -> Equipment:
        configured, warnings = self._config.for_session("mcp", directories)
        servers = [*own]
        names = {server.get("name") for server in own}
        for found in self._counting(configured, settings, warnings):
            if found.name not in names:
                server = _server(found, definition, environment, settings.cwd, warnings)
                servers += [server] if server is not None else []
        of_skills, unread = self._config.for_session("skills", directories)
        warnings += unread
        counting = self._counting(of_skills, settings, warnings)
        if not counting:
            return Equipment(servers, warnings=warnings)
        place = self._sessions / session_id / _PLACE
        gathered = self._sources.gather(counting, place)
        warnings += gathered.warnings
        takes, has = definition.takes_skills, bool(gathered.skills)
        return Equipment(
            servers,
            skills=gathered.skills,
            skills_folder=place if has else None,
            told_skills=None if takes or not has else _told(gathered.skills, place),
            warnings=warnings,
        )

    def _directories(self, cwd: Path) -> list[Path]:
        """From the root of the repository down to the workspace, as far as they are beneath the server's root."""
        try:
            found = repository_of(cwd.resolve())
        except OSError:
            return []
        return [path for path in found if self._root is None or path.is_relative_to(self._root)]

    def _counting(
        self, found: Sequence[Found], settings: SessionSettings, warnings: list[str]
    ) -> list[Found]:
        """Those that somebody has configured through this server; of a workspace that is trusted, all."""
        counting = []
        for one in found:
            if one.is_ours or settings.trust_workspace:
                counting.append(one)
            else:
                warnings.append(
                    f"{one.name!r} of {str(one.directory)!r} was not written through this server, and the session does "
                    "not trust its workspace, so it does not count: write it through /v1/config, or trust the workspace"
                )
        return counting


def _server(
    found: Found,
    definition: AgentDefinition,
    environment: Mapping[str, str],
    cwd: str,
    warnings: list[str],
) -> dict[str, Any] | None:
    """As ACP has it; None, and a warning, when the agent cannot have it."""
    assert isinstance(found.config, McpServerConfig)
    config = found.config.root
    if config.enabled is False:
        return None
    where = f"MCP server {found.name!r} of {str(found.directory)!r}"
    transport = "stdio" if isinstance(config, McpLocalConfig) else config.transport or "http"
    if transport not in definition.mcp_transports:
        takes = ", ".join(definition.mcp_transports) or "none"
        warnings.append(
            f"{where}: {definition.title} takes none over {transport}; it takes: {takes}"
        )
        return None
    try:
        if isinstance(config, McpLocalConfig):
            server = _program(found, config, environment)
        else:
            server = _remote(found, config, transport, environment)
    except _Missing as exc:
        warnings.append(
            f"{where}: the variable {exc} is not set where the agent runs; give it in `env` of the session"
        )
        return None
    meta = compact(timeoutMs=config.timeout_ms)
    if isinstance(config, McpRemoteConfig) and isinstance(config.oauth, dict):
        meta["oauth"] = config.oauth
        if definition.speaks_acp:
            warnings.append(
                f"{where}: {definition.title} cannot be told of `oauth`; it logs in its own way, if at all"
            )
    if meta and not definition.speaks_acp:
        server["_meta"] = {CAPABILITIES_META: meta}
    return server


def _program(
    found: Found, config: McpLocalConfig, environment: Mapping[str, str]
) -> dict[str, Any]:
    """Raises: _Missing."""
    argv = [config.command, *config.args]
    if config.cwd is not None:
        argv = [*_IN_DIRECTORY, str(found.directory / Path(config.cwd).expanduser()), *argv]
    return {
        "name": found.name,
        "command": argv[0],
        "args": argv[1:],
        "env": _pairs(_expanded(config.env or {}, environment)),
    }


def _remote(
    found: Found, config: McpRemoteConfig, transport: str, environment: Mapping[str, str]
) -> dict[str, Any]:
    """Raises: _Missing."""
    headers = _expanded(config.headers or {}, environment)
    headers |= {
        header: _variable(name, environment) for header, name in (config.env_headers or {}).items()
    }
    if config.bearer_token_env_var is not None:
        headers["Authorization"] = f"Bearer {_variable(config.bearer_token_env_var, environment)}"
    return {"type": transport, "name": found.name, "url": config.url, "headers": _pairs(headers)}


def _expanded(values: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Raises: _Missing."""
    return {
        name: _VARIABLE.sub(lambda found: _variable(found[1], environment), value)
        for name, value in values.items()
    }


def _variable(name: str, environment: Mapping[str, str]) -> str:
    """Raises: _Missing."""
    if not environment.get(name):
        raise _Missing(name)
    return environment[name]


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _told(skills: Sequence[Skill], place: Path) -> str:
    lines = [
        f"- {skill.name}: {skill.description} (read {place / SKILLS_FOLDER / skill.name / 'SKILL.md'})"
        for skill in skills
    ]
    return (
        "There are skills for this session: instructions for kinds of tasks. Before a task that one of them is about, "
        "read its file and follow it; paths in it are relative to its folder.\n\n"
        + "\n".join(lines)
    )
