"""The catalogue entry of an agent that is a launch command."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox_agent_core.spi.agent import (
    AgentAdapter,
    AgentContext,
    AgentDefinition,
    AgentInstallation,
)

from sandbox_agent_server.agents.acp.adapter import AcpAdapter
from sandbox_agent_server.agents.acp.normalising import Normaliser

__all__ = ["acp_definition", "find_program", "installed_version"]

_PARENTS_SEARCHED = 4
"""From the program up to the `package.json` of its package: `bin/` and `dist/` lie between."""


def acp_definition(
    name: str,
    title: str,
    *,
    command: Sequence[str],
    install_hint: str,
    login_hint: str = "",
    env_names: Sequence[str] = (),
    environment: Callable[[Mapping[str, str]], Mapping[str, str]] = dict,
    normaliser: Callable[[], Normaliser] | None = None,
    permission_modes: Mapping[str, str] | None = None,
    mcp_transports: Sequence[str] = ("stdio", "http", "sse"),
    base_url_env: Mapping[str, str] | None = None,
) -> AgentDefinition:
    """An agent that `command` starts and that speaks ACP on its stdio.

    `environment` makes the environment of the process from that of the session. A `normaliser` is made
    for each session and mends what the agent leaves out.
    """
    command = tuple(command)

    def create(context: AgentContext) -> AgentAdapter:
        own = dataclasses.replace(context, env=dict(environment(context.env)))
        return AcpAdapter(
            own,
            command,
            normaliser=normaliser() if normaliser else None,
            install_hint=install_hint,
        )

    def find(env: Mapping[str, str]) -> AgentInstallation | None:
        found = find_program(command[0], environment(env))
        return found and dataclasses.replace(found, version=installed_version(found.path))

    return AgentDefinition(
        name=name,
        title=title,
        create=create,
        find=find,
        install_hint=install_hint,
        login_hint=login_hint,
        env_names=tuple(env_names),
        command=command,
        permission_modes=permission_modes or {},
        mcp_transports=tuple(mcp_transports),
        base_url_env=base_url_env or {},
    )


def find_program(program: str, env: Mapping[str, str]) -> AgentInstallation | None:
    """Where `program`, a name or a path, is on the PATH of `env`. None when it is not, or not executable."""
    # An empty PATH must not become the server's own, as None would.
    found = shutil.which(program, path=env.get("PATH") or "")
    return AgentInstallation(path=str(Path(found).absolute())) if found else None


def installed_version(program: str) -> str | None:
    """Of the npm package that the program is part of. Asking the program itself can take seconds."""
    for directory in list(Path(program).resolve().parents)[:_PARENTS_SEARCHED]:
        try:
            package = json.loads((directory / "package.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        version = package.get("version") if isinstance(package, dict) else None
        if isinstance(version, str):
            return version
    return None
