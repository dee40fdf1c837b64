"""What there is to know of an agent before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox_agent_core.api.agents import AgentCredential, AgentInfo
from sandbox_agent_core.api.policy import PERMISSION_MODES
from sandbox_agent_core.credentials import Discovery
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.spi.agent import AgentDefinition, AgentInstallation

from sandbox_agent_server.agents.runner.abilities import abilities_of
from sandbox_agent_server.agents.runner.session_options import options_schema

__all__ = ["AgentDescription"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDescription:
    """An agent here and now, for a session that adds the environment that was asked about."""

    definition: AgentDefinition
    """Its name, its hints, and what it can do."""
    allowed_options: Sequence[str]
    """Of those that a session may ask of it (`agentOptions`), what this server takes."""
    environment: Mapping[str, str] = field(repr=False)
    """All that its process would get. Secret."""
    installation: AgentInstallation | None
    """None: there is no program to run."""
    login: Discovery | None
    """What it would log in with. None: it needs nothing, or it is not known where it looks."""

    @property
    def is_installed(self) -> bool:
        return self.installation is not None

    @property
    def program(self) -> object:
        """Equal as long as it is the same program: not when another is put in its place."""
        if self.installation is None:
            return None
        try:
            modified = Path(self.installation.path).stat().st_mtime_ns
        except OSError:
            modified = None
        return self.installation, modified

    def info(self) -> AgentInfo:
        definition, found = self.definition, self.installation
        is_free = None if definition.needs_credentials else True
        return AgentInfo(
            id=definition.name,
            title=definition.title,
            installed=found is not None,
            version=found.version if found else None,
            path=found.path if found else None,
            install_hint=None if found else definition.install_hint,
            permission_modes=list(PERMISSION_MODES),
            credentials_available=self.login.is_available if self.login else is_free,
            credentials=_credentials(self.login) if self.login else [],
            base_url_providers=list(definition.base_url_env),
            agent_options_schema=options_schema(definition),
            allowed_agent_options=list(self.allowed_options),
            capabilities=abilities_of(definition),
        )


def _credentials(login: Discovery) -> list[AgentCredential]:
    problems = {problem.source: problem.message for problem in login.problems}
    found = [
        AgentCredential(
            source=credential.source,
            provider=credential.provider,
            kind=credential.kind,
            expires_at=None if credential.expires_ms is None else rfc3339(credential.expires_ms),
            expired=credential.is_expired(login.now_ms),
            problem=problems.pop(credential.source, None),
        )
        for credential in login.credentials
        if not credential.is_borrowed
    ]
    return found + [AgentCredential(source=at, problem=what) for at, what in problems.items()]
