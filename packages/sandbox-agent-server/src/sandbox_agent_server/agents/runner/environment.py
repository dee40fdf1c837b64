"""How an agent is told in its environment where a model is."""

from __future__ import annotations

from sandbox_agent_core.api.base_urls import BaseUrls
from sandbox_agent_core.errors import ValueNotSupported
from sandbox_agent_core.spi.agent import AgentDefinition

__all__ = ["base_url_environment"]


def base_url_environment(definition: AgentDefinition, base_url: BaseUrls | None) -> dict[str, str]:
    """A session's `baseUrl`, in the variables that its agent understands.

    Raises:
        ValueNotSupported: a provider whose URL this agent cannot be given.
    """
    if base_url is None:
        return {}
    variables = definition.base_url_env
    if isinstance(base_url, str):
        if not variables:
            raise _unsupported(definition, "a base URL")
        return {next(iter(variables.values())): base_url}
    for provider in base_url:
        if provider not in variables:
            raise _unsupported(definition, f"a base URL for provider {provider[:64]!r}")
    return {variables[provider]: url for provider, url in base_url.items()}


def _unsupported(definition: AgentDefinition, what: str) -> ValueNotSupported:
    offered = list(definition.base_url_env)
    takes = f"it takes them for: {', '.join(offered)}" if offered else "it takes none"
    return ValueNotSupported(
        f"agent {definition.name!r} cannot be given {what}; {takes}", offered=offered
    )
