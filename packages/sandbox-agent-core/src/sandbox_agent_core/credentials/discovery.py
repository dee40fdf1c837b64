"""Looking through the sources of an agent in order of precedence. What cannot be read is told, not raised."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from sandbox_agent_core.credentials.login_files import LoginFileError, Stored
from sandbox_agent_core.credentials.model import Credential, Problem
from sandbox_agent_core.credentials.sources import (
    CREDENTIAL_SOURCES,
    AgentSources,
    FileSource,
    Folder,
    Variable,
)
from sandbox_agent_core.errors import UnsupportedAgent
from sandbox_agent_core.frames.entry import rfc3339

__all__ = ["Discovery", "ReadText", "discover", "discover_all"]

ReadText = Callable[[str], str | None]
"""The text of the file at an absolute path; None when there is none. Raises OSError, ValueError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What one agent has on this machine."""

    agent: str
    credentials: tuple[Credential, ...]
    """Best first. Expired ones are among them."""
    problems: tuple[Problem, ...]
    now_ms: int
    addresses: Mapping[str, str] = field(repr=False)
    """What the environment says of where its keys are valid."""

    @property
    def is_available(self) -> bool:
        """The agent itself finds something that it can use, here."""
        return any(
            credential.is_usable(self.now_ms) and not credential.is_borrowed
            for credential in self.credentials
        )

    def environment(self) -> dict[str, str]:
        """What gives the agent its credentials somewhere else; of each provider the best. Secret.

        Tokens that have expired stay here, and so do refresh tokens: using one elsewhere would end
        the login of this machine.
        """
        best: dict[str, Credential] = {}
        for credential in self.credentials:
            if credential.variables and not credential.is_expired(self.now_ms):
                best.setdefault(credential.provider, credential)
        env: dict[str, str] = {}
        for credential in best.values():
            if credential.is_of_environment:
                env |= self.addresses
            env |= dict.fromkeys(credential.variables, credential.value)
        return env


def discover_all(
    agents: Iterable[str] | None, env: Mapping[str, str], read: ReadText
) -> list[Discovery]:
    """Of these agents, or of all. Raises: UnsupportedAgent."""
    names = CREDENTIAL_SOURCES if agents is None else dict.fromkeys(agents)
    return [discover(name, env, read) for name in names]


def discover(
    agent: str,
    env: Mapping[str, str],
    read: ReadText,
    *,
    sources: AgentSources | None = None,
    now_ms: int | None = None,
) -> Discovery:
    """Look through the environment, then the agent's login files, then those of the other agents.

    `sources`: where this agent looks, instead of what the table says of one of this name.

    Raises:
        UnsupportedAgent: it is not known where this agent keeps its credentials.
    """
    sources = sources or CREDENTIAL_SOURCES.get(agent)
    if sources is None:
        known = sorted(CREDENTIAL_SOURCES)
        raise UnsupportedAgent(
            f"It is not known which credentials {agent!r} needs. Known agents: {', '.join(known)}.",
            agent=agent,
            known=known,
        )
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    reader = _Reader(agent, sources, env, read)
    found = [
        *reader.of_environment(),
        *reader.of_files(sources.files),
        *reader.of_aliases(),
        *reader.of_others(),
    ]
    for credential in found:
        if credential.is_expired(now_ms):
            reader.tell(credential.source, _expired(credential))
    return Discovery(
        agent=agent,
        credentials=tuple(found),
        problems=tuple(reader.problems),
        now_ms=now_ms,
        addresses={name: env[name] for name in sources.addresses if env.get(name)},
    )


class _Reader:
    def __init__(
        self, agent: str, sources: AgentSources, env: Mapping[str, str], read: ReadText
    ) -> None:
        self._agent = agent
        self._sources = sources
        self._env = env
        self._read = read
        self.problems: list[Problem] = []

    def tell(self, source: str, message: str) -> None:
        self.problems.append(Problem(agent=self._agent, source=source, message=message))

    def of_environment(self) -> Iterator[Credential]:
        for variable in self._sources.variables:
            yield from self._of_variable(variable, (variable.name,))

    def of_aliases(self) -> Iterator[Credential]:
        for alias in self._sources.aliases:
            carriers = self._sources.carried_by[alias.provider, alias.kind]
            yield from self._of_variable(alias, carriers, is_borrowed=True)

    def of_files(self, files: Iterable[FileSource]) -> Iterator[Credential]:
        seen: set[str] = set()
        for file in files:
            path = _path(file, self._env)
            if path is None or path in seen:
                continue
            seen.add(path)
            for stored in self._stored(path, file):
                yield self._of_stored(stored, path)

    def of_others(self) -> Iterator[Credential]:
        """API keys that other agents stored. Their OAuth tokens are for them alone."""
        problems = self.problems[:]
        for other, sources in CREDENTIAL_SOURCES.items():
            if other == self._agent:
                continue
            for found in self.of_files(sources.files):
                # The token of `gh` opens more than models: only who reads its file by itself gets it.
                if found.kind == "api_key" and found.variables and found.provider != "github":
                    yield replace(found, is_borrowed=True)
        # What is wrong with another agent's file is told with that agent.
        self.problems = problems

    def _of_variable(
        self, variable: Variable, carriers: tuple[str, ...], *, is_borrowed: bool = False
    ) -> Iterator[Credential]:
        if value := self._env.get(variable.name):
            yield Credential(
                agent=self._agent,
                provider=variable.provider,
                kind=variable.kind,
                source=f"${variable.name}",
                value=value,
                variables=carriers,
                is_borrowed=is_borrowed,
            )

    def _stored(self, path: str, file: FileSource) -> list[Stored]:
        try:
            text = self._read(path)
            return [] if text is None else file.read(text)
        except LoginFileError as exc:
            self.tell(path, str(exc))
        except OSError as exc:
            self.tell(path, f"it cannot be read: {exc.strerror or type(exc).__name__}")
        except ValueError:
            self.tell(path, "it is not text")
        return []

    def _of_stored(self, stored: Stored, path: str) -> Credential:
        carriers = self._sources.carried_by.get((stored.provider, stored.kind), ())
        return Credential(
            agent=self._agent,
            provider=stored.provider,
            kind=stored.kind,
            source=path,
            value=stored.value,
            variables=() if stored.is_indirect else carriers,
            expires_ms=stored.expires_ms,
            is_renewable=stored.is_renewable,
        )


def _path(file: FileSource, env: Mapping[str, str]) -> str | None:
    folder = _folder(file.folder, env)
    return None if folder is None else str(folder / file.name)


def _folder(folder: Folder, env: Mapping[str, str]) -> PurePath | None:
    if folder.variable is not None and (named := env.get(folder.variable)):
        return PurePath(named, folder.inside)
    home = env.get("HOME")
    return PurePath(home, folder.default) if home else None


def _expired(credential: Credential) -> str:
    when = rfc3339(credential.expires_ms or 0)
    if credential.is_renewable:
        return (
            f"the login expired {when}; the agent renews it here, but it cannot be used elsewhere "
            f"before you run {credential.agent!r} once"
        )
    return f"the login expired {when}; log in again with {credential.agent!r}"
