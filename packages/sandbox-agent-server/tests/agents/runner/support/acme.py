"""An agent of the catalogue whose processes the test plays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sandbox_agent_core.spi.agent import (
    AgentAdapter,
    AgentContext,
    AgentDefinition,
    AgentInstallation,
)
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.settings import Settings
from support.scripted_adapter import ScriptedAdapter

__all__ = ["Acme"]


@dataclass
class _Plugin:
    """An entry point."""

    definition: AgentDefinition
    name: str = "acme"
    value: str = "acme:DEFINITION"

    def load(self) -> AgentDefinition:
        return self.definition


@dataclass(repr=False)
class Acme:
    """The agent `acme`: what was made of it, and how the next one behaves."""

    program: Path
    make: Callable[[], ScriptedAdapter] = ScriptedAdapter
    permission_modes: dict[str, str] = field(default_factory=lambda: {"ask": "careful"})
    directories_at_launch: bool = False
    made: list[ScriptedAdapter] = field(default_factory=list)
    contexts: list[AgentContext] = field(default_factory=list)
    found_in: list[Any] = field(default_factory=list)

    def create(self, context: AgentContext) -> AgentAdapter:
        self.contexts.append(context)
        self.made.append(self.make())
        context.on_process(1000 + len(self.made))
        return self.made[-1]

    def find(self, env: Any) -> AgentInstallation | None:
        self.found_in.append(env)
        if not self.program.exists():
            return None
        return AgentInstallation(path=str(self.program), version="1.0")

    def factory(self, **settings: Any) -> AgentFactory:
        definition = AgentDefinition(
            name="acme",
            title="Acme",
            create=self.create,
            find=self.find,
            install_hint="Buy it.",
            env_names=["ACME_KEY"],
            base_url_env={"acme": "ACME_URL"},
            permission_modes=self.permission_modes,
            directories_at_launch=self.directories_at_launch,
        )
        read = Settings.model_validate(settings)
        catalog = Catalog(read.agents, plugins=lambda: cast("Any", [_Plugin(definition)]))
        return AgentFactory(read, catalog)
