"""The catalogue entry of an agent that is a launch command."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox_agent_core.agent_options import AgentOptions
from sandbox_agent_core.spi.agent import (
    AgentAbility,
    AgentAdapter,
    AgentContext,
    AgentDefinition,
    AgentInstallation,
)

from sandbox_agent_server.agents.acp.adapter import AcpAdapter
from sandbox_agent_server.agents.acp.launch import Launch, Prepare
from sandbox_agent_server.agents.acp.launch import option_flags as flags_of
from sandbox_agent_server.agents.acp.normalising import Normaliser
from sandbox_agent_server.agents.acp.verbs import Verb
from sandbox_agent_server.agents.installation import find_program, installed_version

__all__ = ["acp_definition"]


def acp_definition(
    name: str,
    title: str,
    *,
    command: Sequence[str],
    install_hint: str,
    login_hint: str = "",
    env_names: Sequence[str] = (),
    environment: Callable[[Mapping[str, str]], Mapping[str, str]] = dict,
    prepare: Prepare = lambda _context: Launch(),
    normaliser: Callable[[], Normaliser] | None = None,
    verbs: Mapping[str, Verb] | None = None,
    capabilities: Mapping[str, Any] | None = None,
    session_options: type[AgentOptions] | None = None,
    option_flags: Mapping[str, str] | None = None,
    directory_flag: str | None = None,
    skills_flag: str | None = None,
    permission_modes: Mapping[str, str] | None = None,
    mcp_transports: Sequence[str] = ("stdio", "http", "sse"),
    lacks: Sequence[AgentAbility] = ("questions",),
    base_url_env: Mapping[str, str] | None = None,
) -> AgentDefinition:
    """An agent that `command` starts and that speaks ACP on its stdio.

    `environment` makes the environment of the process from that of the session, and `prepare` adds what
    depends on the workspace. A `normaliser` is made
    for each session and mends what the agent leaves out. `verbs`, by method, are what it can do beside ACP, and
    `capabilities` what is announced of that. `option_flags` are those of its command for fields of `session_options`, and
    `directory_flag` is the one for further directories, `skills_flag` the one for a plug-in with skills. Few have a way
    to ask a person over ACP: that is what is lacking unless `lacks` says otherwise.
    """
    command = tuple(command)

    def prepared(context: AgentContext) -> Launch:
        flags = flags_of(context.session_options, option_flags or {})
        if directory_flag is not None:
            flags += [f"{directory_flag}={path}" for path in context.additional_directories]
        if skills_flag is not None and context.skills is not None:
            flags.append(f"{skills_flag}={context.skills}")
        launch = prepare(context)
        return dataclasses.replace(launch, arguments=[*launch.arguments, *flags])

    def create(context: AgentContext) -> AgentAdapter:
        own = dataclasses.replace(context, env=dict(environment(context.env)))
        return AcpAdapter(
            own,
            command,
            prepare=prepared,
            normaliser=normaliser() if normaliser else None,
            verbs=verbs,
            capabilities=capabilities,
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
        speaks_acp=True,
        permission_modes=permission_modes or {},
        mcp_transports=tuple(mcp_transports),
        lacks=tuple(lacks),
        base_url_env=base_url_env or {},
        session_options=session_options,
        directories_at_launch=directory_flag is not None,
        takes_skills=skills_flag is not None,
    )
