"""Cursor CLI, by its own `cursor-agent acp`. Its models are only behind Cursor's own servers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.known.cursor.extensions import CursorExtensions

__all__ = ["DEFINITION"]


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """With the place of its own installer on the PATH, which a server may not have there."""
    if not env.get("HOME"):
        return dict(env)
    own = str(Path(env["HOME"], ".local", "bin"))
    return {**env, "PATH": ":".join(filter(None, (env.get("PATH"), own)))}


DEFINITION = acp_definition(
    "cursor",
    "Cursor",
    command=["cursor-agent", "acp"],
    install_hint=(
        "Run `curl https://cursor.com/install -fsS | bash`: Cursor's command line is in no package "
        "registry."
    ),
    login_hint="Set CURSOR_API_KEY, or run `cursor-agent login`.",
    env_names=("CURSOR_API_KEY", "CURSOR_AUTH_TOKEN"),
    environment=_environment,
    normaliser=CursorExtensions,
    permission_modes={"ask": "agent", "plan": "plan", "read-only": "ask"},
    lacks=(),
)
