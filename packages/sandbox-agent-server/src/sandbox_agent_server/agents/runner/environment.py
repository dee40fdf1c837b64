"""The environment of an agent, built from nothing: what it needs to work, and what it was given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox_agent_core.api.base_urls import BaseUrls
from sandbox_agent_core.errors import ValueNotSupported
from sandbox_agent_core.spi.agent import AgentDefinition

__all__ = ["base_url_environment", "build_environment", "with_programs"]

_RESERVED = "SANDBOX_AGENT_"
# A trailing `*` stands for anything.
_ALLOWED = (
    "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LC_*", "TZ", "TERM", "TMPDIR", "XDG_*",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
)  # fmt: skip


def build_environment(
    server_env: Mapping[str, str],
    *,
    env_names: Iterable[str] = (),
    configured: Mapping[str, str] | None = None,
    session: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The whole environment of an agent's process. Later sources win.

    From the server's own environment: the usual (home, path, language, proxies, certificates) and
    `env_names`, those that the agent's definition asks for. Then the configuration, then the session.
    `SANDBOX_AGENT_*` is reserved for the server, holds its token, and never gets in.
    """
    # Agents that find no TERM guess, some of them wrongly, and colour their output.
    env = {"PATH": os.defpath, "TERM": "dumb"}
    allowed = (*_ALLOWED, *env_names)
    exact = frozenset(allowed)
    prefixes = tuple(name[:-1] for name in allowed if name.endswith("*"))
    env.update(
        (name, value)
        for name, value in server_env.items()
        if name in exact or (prefixes and name.startswith(prefixes))
    )
    env.update(configured or {})
    env.update(session or {})
    return {name: value for name, value in env.items() if not name.startswith(_RESERVED)}


def with_programs(env: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The environment with one more directory to look for programs in, after all others."""
    path = env.get("PATH")
    return {**env, "PATH": f"{path}{os.pathsep}{directory}" if path else str(directory)}


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
