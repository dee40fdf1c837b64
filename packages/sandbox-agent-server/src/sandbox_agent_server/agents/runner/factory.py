"""An agent as a session would get it: its definition, its configuration and its environment put together.

The one place that knows: whoever says something of an agent, and whoever runs it, asks here.
"""

from __future__ import annotations

import functools
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox_agent_core.agent_options import AgentOptions
from sandbox_agent_core.api.base_urls import BaseUrls
from sandbox_agent_core.credentials import CREDENTIAL_SOURCES, Discovery, discover
from sandbox_agent_core.errors import AgentStartFailed
from sandbox_agent_core.spi.agent import (
    AgentAdapter,
    AgentContext,
    AgentDefinition,
    AgentInstallation,
)

from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.runner.confinement import AgentConfinement, is_confined
from sandbox_agent_server.agents.runner.description import AgentDescription
from sandbox_agent_server.agents.runner.environment import base_url_environment
from sandbox_agent_server.agents.runner.session_options import allowed_options, read_session_options
from sandbox_agent_server.runtime.environment import build_environment, with_programs
from sandbox_agent_server.runtime.marker import PROCESS_MARKER
from sandbox_agent_server.settings import AgentSettings, Settings
from sandbox_agent_server.store.index import SESSIONS_NAME

__all__ = ["MAX_LOGIN_FILE_BYTES", "PROBE", "AgentFactory", "find_credentials"]

logger = logging.getLogger(__name__)

PROBE = "probe"
"""The session of an agent that is only asked what it offers."""
_HOME = "home"
_PROBED = "probed"
MAX_LOGIN_FILE_BYTES = 16 * 1024 * 1024
"""Claude Code keeps more than its login in one of them; a larger file is none."""


class AgentFactory:
    """`env` is what a session adds. Every method raises UnsupportedAgent for an agent that there is not."""

    def __init__(
        self, settings: Settings, catalog: Catalog, *, process_marker: str | None = None
    ) -> None:
        """`process_marker`: what is started is recognised by it, also by a later server."""
        self._settings = settings
        self._catalog = catalog
        self._confinement = (
            AgentConfinement(settings, settings.confine) if settings.confine is not None else None
        )
        self._marking = {PROCESS_MARKER: process_marker} if process_marker else {}

    def names(self) -> list[str]:
        return self._catalog.names()

    def definition(self, agent: str) -> AgentDefinition:
        return self._catalog.get(agent)

    def make(
        self,
        agent: str,
        *,
        session_id: str,
        cwd: Path,
        env: Mapping[str, str],
        base_url: BaseUrls | None = None,
        trust_workspace: bool = False,
        mcp_server_names: Sequence[str] = (),
        skills: Path | None = None,
        session_options: Mapping[str, Any] | None = None,
        additional_directories: Sequence[Path] = (),
        on_process: Callable[[int], None],
    ) -> AgentAdapter:
        """Raises: ValueNotSupported for a base URL that the agent cannot be given, InvalidRequest for what it
        cannot be confined to, and what `session_options` does."""
        definition = self._catalog.get(agent)
        configured = self._configured(agent)
        limits = self._settings.limits
        environment = {**self._environment(definition, env, base_url), **self._marking}
        confine = None
        if self._confinement is not None:
            for workspace in (cwd, *additional_directories):
                self._confinement.check(agent, workspace, environment)
            confine = functools.partial(
                self._confinement.of,
                agent,
                self._home(agent, session_id),
                additional=tuple(additional_directories),
                readable=() if skills is None else (skills,),
            )
            on_process = functools.partial(_check_confined, on_process)
        return definition.create(
            AgentContext(
                session_id=session_id,
                cwd=cwd,
                env=environment,
                confine=confine,
                command=configured.command,
                options=configured.options,
                additional_directories=tuple(additional_directories),
                session_options=self.session_options(agent, session_options or {}),
                trust_workspace=trust_workspace,
                mcp_server_names=mcp_server_names,
                skills=skills,
                max_line_bytes=limits.max_line_bytes,
                stop_grace_s=limits.stop_grace_s,
                on_process=on_process,
            )
        )

    def environment(
        self, agent: str, env: Mapping[str, str], base_url: BaseUrls | None = None
    ) -> dict[str, str]:
        """What its process gets. Raises: ValueNotSupported, as `make`."""
        return self._environment(self._catalog.get(agent), env, base_url)

    def session_options(self, agent: str, given: Mapping[str, Any]) -> AgentOptions | None:
        """`agentOptions` of a session, read. Raises: AgentOptionsInvalid, AgentOptionForbidden."""
        return read_session_options(
            self._catalog.get(agent), given, configured=self._configured(agent).allowed_options
        )

    def _home(self, agent: str, session_id: str) -> Path:
        """Of a confined agent. It goes with its session."""
        data = self._settings.data_dir.absolute()
        if session_id == PROBE:
            return data / _PROBED / agent
        return data / SESSIONS_NAME / session_id / _HOME

    def describe(
        self,
        agent: str,
        env: Mapping[str, str] | None = None,
        *,
        base_url: BaseUrls | None = None,
    ) -> AgentDescription:
        """Blocks: it reads the disk, and may ask a program for its version. Raises: as `make`."""
        definition = self._catalog.get(agent)
        environment = self._environment(definition, env or {}, base_url)
        return AgentDescription(
            definition=definition,
            allowed_options=allowed_options(definition, self._configured(agent).allowed_options),
            environment=environment,
            installation=_find(definition, environment),
            login=find_credentials(definition, environment)
            if definition.needs_credentials
            else None,
        )

    def find(self, agent: str, env: Mapping[str, str] | None = None) -> AgentInstallation | None:
        """The program alone. Blocks as `describe` does."""
        definition = self._catalog.get(agent)
        return _find(definition, self._environment(definition, env or {}))

    def wants_installation(self, agent: str, env: Mapping[str, str]) -> bool:
        """Whether a session would find no program. Not when the configuration says what to run:
        no installation would change that."""
        return self._configured(agent).command is None and self.find(agent, env) is None

    def _environment(
        self,
        definition: AgentDefinition,
        session: Mapping[str, str],
        base_url: BaseUrls | None = None,
    ) -> dict[str, str]:
        built = build_environment(
            os.environ,
            inherit=self._settings.inherit_env,
            env_names=definition.env_names,
            configured=self._configured(definition.name).env,
            given={**session, **base_url_environment(definition, base_url)},
        )
        return with_programs(built, self._settings.agents_bin)

    def _configured(self, agent: str) -> AgentSettings:
        return self._settings.agents.get(agent) or AgentSettings.model_validate({})


def _check_confined(on_process: Callable[[int], None], pid: int) -> None:
    """Raises: AgentStartFailed: an adapter, which may be a plug-in's, has gone round the confinement."""
    on_process(pid)
    if not is_confined(pid):
        os.killpg(pid, signal.SIGKILL)
        raise AgentStartFailed("the agent was started outside of its confinement, and was killed")


def find_credentials(definition: AgentDefinition, env: Mapping[str, str]) -> Discovery | None:
    """What the agent will find to log in with; `env` is what its process gets.

    None when it is not known where it looks: neither its definition says so nor the table of core,
    which has the built-in agents since the client, too, looks for their credentials.
    """
    sources = definition.credentials or CREDENTIAL_SOURCES.get(definition.name)
    if sources is None:
        return None
    return discover(definition.name, env, _read_login_file, sources=sources)


def _read_login_file(path: str) -> str | None:
    """None when there is no file. Raises: OSError, ValueError (not UTF-8, or too large)."""
    file = Path(path)
    # Reading a named pipe would wait for ever.
    if not file.is_file():
        return None
    with file.open("rb") as opened:
        content = opened.read(MAX_LOGIN_FILE_BYTES + 1)
    if len(content) > MAX_LOGIN_FILE_BYTES:
        raise ValueError(f"larger than {MAX_LOGIN_FILE_BYTES} bytes")
    return content.decode("utf-8")


def _find(definition: AgentDefinition, env: Mapping[str, str]) -> AgentInstallation | None:
    try:
        return definition.find(env)
    except Exception:
        # It may be a plug-in's.
        logger.warning("looking for agent %s failed", definition.name, exc_info=True)
        return None
