"""Which agents there are: built in, installed as plug-ins, or described in the configuration.

Names are cheap; an adapter is imported when its agent is asked for.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Protocol

from sandbox_agent_core.errors import UnsupportedAgent
from sandbox_agent_core.spi.agent import AgentDefinition

from sandbox_agent_server.agents.acp.definition import acp_definition
from sandbox_agent_server.agents.installation import find_program

__all__ = ["Catalog", "ConfiguredAgent"]

logger = logging.getLogger(__name__)

_GROUP: Final = "sandbox_agent.agents"

_BUILT_IN: Final[Mapping[str, str]] = {
    "amp": "sandbox_agent_server.agents.amp:DEFINITION",
    "auggie": "sandbox_agent_server.agents.known.specs:AUGGIE",
    "claude": "sandbox_agent_server.agents.claude:DEFINITION",
    "cline": "sandbox_agent_server.agents.known.specs:CLINE",
    "codex": "sandbox_agent_server.agents.codex:DEFINITION",
    "copilot": "sandbox_agent_server.agents.known.copilot:DEFINITION",
    "cursor": "sandbox_agent_server.agents.known.cursor:DEFINITION",
    "droid": "sandbox_agent_server.agents.known.specs:DROID",
    "fast-agent": "sandbox_agent_server.agents.known.specs:FAST_AGENT",
    "gemini": "sandbox_agent_server.agents.known.gemini:DEFINITION",
    "grok": "sandbox_agent_server.agents.known.grok:DEFINITION",
    "kilo": "sandbox_agent_server.agents.opencode:KILO_DEFINITION",
    "kimi": "sandbox_agent_server.agents.known.kimi:DEFINITION",
    "mock": "sandbox_agent_server.agents.mock:DEFINITION",
    "opencode": "sandbox_agent_server.agents.opencode:OPENCODE_DEFINITION",
    "pi": "sandbox_agent_server.agents.pi:DEFINITION",
    "qoder": "sandbox_agent_server.agents.known.specs:QODER",
    "qwen": "sandbox_agent_server.agents.known.qwen:DEFINITION",
    "vibe": "sandbox_agent_server.agents.known.vibe:DEFINITION",
}


class ConfiguredAgent(Protocol):
    """`[agents.NAME]` of the configuration, as far as the catalogue needs it."""

    @property
    def command(self) -> Sequence[str] | None: ...
    @property
    def title(self) -> str | None: ...


class AddedAgent(Protocol):
    """One that was added from a registry file, as far as the catalogue needs it."""

    @property
    def title(self) -> str: ...
    @property
    def env(self) -> Mapping[str, str]: ...


Added = Callable[[], Mapping[str, tuple[AddedAgent, Sequence[str]]]]
"""By name: the agent and the command that starts it."""


def _plugins() -> Iterable[EntryPoint]:
    return entry_points(group=_GROUP)


class Catalog:
    def __init__(
        self,
        configured: Mapping[str, ConfiguredAgent] | None = None,
        *,
        plugins: Callable[[], Iterable[EntryPoint]] = _plugins,
        added: Added = dict,
    ) -> None:
        self._configured = configured or {}
        self._find_plugins = plugins
        self._added = added
        self._loaded: dict[str, AgentDefinition] = {}
        for name in self._configured:
            if name not in self.names():
                logger.warning("[agents.%s] is no known agent and has no `command`: ignored", name)

    def names(self) -> list[str]:
        """The agents that `get` knows, sorted."""
        commands = {name for name, agent in self._configured.items() if agent.command}
        return sorted({*_BUILT_IN, *self._plugins, *commands, *self._added()})

    def get(self, name: str) -> AgentDefinition:
        """The definition, as the configuration changes it.

        Raises:
            UnsupportedAgent: no such agent; the message lists those there are.
        """
        if name not in self._loaded:
            definition = self._load(name)
            if name not in _BUILT_IN and name not in self._plugins and name not in self._configured:
                # It may be added again, or removed, while the server runs.
                return definition
            self._loaded[name] = definition
        return self._loaded[name]

    @functools.cached_property
    def _plugins(self) -> dict[str, AgentDefinition]:
        definitions: dict[str, AgentDefinition] = {}
        for entry_point in self._find_plugins():
            definition = _load_plugin(entry_point)
            if definition is not None:
                definitions[entry_point.name] = definition
        return definitions

    def _load(self, name: str) -> AgentDefinition:
        configured = self._configured.get(name)
        if name in _BUILT_IN:
            base = _built_in(name)
        elif name in self._plugins:
            base = self._plugins[name]
        elif configured is not None and configured.command:
            return _from_configuration(name, configured.command, configured.title)
        elif (found := self._added().get(name)) is not None:
            base = _from_registry(name, *found)
        else:
            raise self._unsupported(name)
        return _overridden(base, configured) if configured is not None else base

    def _unsupported(self, name: str) -> UnsupportedAgent:
        names = self.names()
        # Case matters to names and should not matter to the hint.
        close = difflib.get_close_matches(name.lower(), names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return UnsupportedAgent(
            f"There is no agent {name!r}.{hint} Known agents: {', '.join(names)}.",
            agent=name,
            known=names,
        )


def _built_in(name: str) -> AgentDefinition:
    # An entry point is "module:attribute" with the loading done right; ours need no metadata.
    loaded: AgentDefinition = EntryPoint(name, _BUILT_IN[name], _GROUP).load()
    return loaded


def _load_plugin(entry_point: EntryPoint) -> AgentDefinition | None:
    """None, with a warning, for one that must not be used: it never breaks the server."""
    if entry_point.name in _BUILT_IN:
        logger.warning("agent plug-in %s: the name is taken by a built-in agent", entry_point.name)
        return None
    try:
        loaded = entry_point.load()
    except Exception:
        logger.warning(
            "agent plug-in %s (%s) cannot be loaded",
            entry_point.name,
            entry_point.value,
            exc_info=True,
        )
        return None
    if not isinstance(loaded, AgentDefinition):
        logger.warning(
            "agent plug-in %s: %s is no AgentDefinition", entry_point.name, entry_point.value
        )
        return None
    return dataclasses.replace(loaded, name=entry_point.name)


def _from_configuration(name: str, command: Sequence[str], title: str | None) -> AgentDefinition:
    return acp_definition(
        name,
        title or name,
        command=command,
        install_hint=f"`[agents.{name}]` of the configuration runs {command[0]!r}: install that, or give its full path.",
    )


def _from_registry(name: str, agent: AddedAgent, command: Sequence[str]) -> AgentDefinition:
    return acp_definition(
        name,
        agent.title,
        command=command,
        install_hint=f"Its program is gone: run `sandbox-agent-server agents add` for {name!r} again.",
        environment=lambda env: {**agent.env, **env},
    )


def _overridden(base: AgentDefinition, configured: ConfiguredAgent) -> AgentDefinition:
    definition = dataclasses.replace(base, title=configured.title or base.title)
    if not configured.command:
        return definition
    command = tuple(configured.command)
    return dataclasses.replace(
        definition,
        command=command,
        create=lambda context: base.create(
            dataclasses.replace(context, command=context.command or command)
        ),
        find=lambda env: find_program(command[0], env),
    )
