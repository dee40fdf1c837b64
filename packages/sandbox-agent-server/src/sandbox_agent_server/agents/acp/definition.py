"""The catalogue entry of an agent that is a launch command."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox_agent_core.spi.agent import AgentDefinition, AgentInstallation

from sandbox_agent_server.agents.acp.adapter import AcpAdapter

__all__ = ["acp_definition", "find_program"]


def acp_definition(
    name: str,
    title: str,
    *,
    command: Sequence[str],
    install_hint: str,
    env_names: Sequence[str] = (),
) -> AgentDefinition:
    """An agent that `command` starts and that speaks ACP on its stdio."""
    command = tuple(command)
    return AgentDefinition(
        name=name,
        title=title,
        create=lambda context: AcpAdapter(context, command),
        find=lambda env: find_program(command[0], env),
        install_hint=install_hint,
        env_names=tuple(env_names),
        command=command,
    )


def find_program(program: str, env: Mapping[str, str]) -> AgentInstallation | None:
    """Where `program`, a name or a path, is on the PATH of `env`. None when it is not, or not executable."""
    # An empty PATH must not become the server's own, as None would.
    found = shutil.which(program, path=env.get("PATH") or "")
    return AgentInstallation(path=str(Path(found).absolute())) if found else None
